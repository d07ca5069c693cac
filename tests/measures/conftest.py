"""Replacements of functions inside compiled ones."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A monkeypatch that compiled functions see: they are traced anew, and again after the test."""
    jax.clear_caches()
    yield monkeypatch
    jax.clear_caches()
