"""The code of docs/gradients.md runs, and its numbers are right."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from tests.docs.pages import REPOSITORY
from tests.docs.scripts import run_script, scripts

SCRIPTS = scripts(REPOSITORY / "docs" / "gradients.md")
Names = dict[str, Any]


def fitted(names: Names) -> None:
    """No factor near those found is more likely."""
    best = names["found"].x
    for factor in np.eye(3):
        for step in (-0.1, 0.1):
            assert names["loss"](best + step * factor)[0] > names["found"].fun


def moved(names: Names) -> None:
    """The corner at t = 0 is what the page says: a jump of the slope."""
    before, at, after = (float(jax.grad(names["ntk"])(t)) for t in (-1e-6, 0.0, 1e-6))
    assert before - after > 0.1
    assert at == pytest.approx((before + after) / 2, rel=1e-5)


def layered(names: Names) -> None:
    np.testing.assert_allclose(
        np.asarray(names["slope"]), 10 / np.array([1.2, 1.0, 0.8]), rtol=1e-12
    )


CHECKS: dict[str, Callable[[Names], None]] = {
    "Fitting hyperparameters": fitted,
    "Inputs": moved,
    "Networks of layers": layered,
}


@pytest.mark.parametrize("heading", SCRIPTS)
def test_section_runs_and_its_numbers_are_right(heading, capsys):
    CHECKS[heading](run_script(SCRIPTS[heading], capsys))
