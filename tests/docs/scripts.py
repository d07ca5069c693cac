"""Python code of a page, section by section, run as a reader would with JAX's usual settings."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import pytest

SECTION = re.compile(r"^## (.*?)\n(.*?)(?=^## |\Z)", flags=re.DOTALL | re.MULTILINE)
CODE = re.compile(r"^```python\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
YAML = re.compile(r"^```yaml\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
PRINTED = re.compile(r"^ *print\(.*\)  # (.*)$", flags=re.MULTILINE)
USUAL = {
    "jax_enable_x64": False,
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
}


def scripts(page: Path) -> dict[str, str]:
    """Code of each section that has some, by the heading: the section's blocks, one after another.

    Each section is a program of its own.
    """
    found = {}
    for heading, text in SECTION.findall(page.read_text(encoding="utf-8")):
        if blocks := CODE.findall(text):
            found[heading] = "\n".join(blocks)
    return found


@contextmanager
def usual_settings() -> Iterator[None]:
    """JAX as it starts, not as strict as in the tests; for all threads."""
    before = {name: getattr(jax.config, name) for name in USUAL}
    try:
        for name, value in USUAL.items():
            jax.config.update(name, value)
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


def run_script(code: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Variables after the code has run; it prints what the comments after its `print` calls say."""
    capsys.readouterr()
    names: dict[str, Any] = {"__name__": "page"}
    with usual_settings():
        exec(compile(code, "page", "exec"), names)  # noqa: S102 (our own pages)
    assert capsys.readouterr().out.splitlines() == PRINTED.findall(code)
    return names
