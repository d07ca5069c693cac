"""The code of docs/predictions.md runs, and its numbers are right."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.docs.pages import REPOSITORY
from tests.docs.scripts import run_script, scripts

SCRIPTS = scripts(REPOSITORY / "docs" / "predictions.md")
Names = dict[str, Any]


def bayesian(names: Names) -> None:
    """Textbook formulas with a noise of variance 0.01."""
    kernel = names["train"].nngp + 0.01 * np.eye(40)
    cross, test = names["cross"].nngp, names["test"].nngp
    mean = cross @ np.linalg.solve(kernel, names["y"])
    np.testing.assert_allclose(names["f"].mean, mean, rtol=1e-9)
    covariance = test - cross @ np.linalg.solve(kernel, cross.T)
    np.testing.assert_allclose(names["f"].covariance, covariance, atol=1e-12)


def trained(names: Names) -> None:
    """An Euler integration of one network; momentum has nearly converged where it can."""
    f, f_test = names["f_0"].copy(), names["f_0_test"].copy()
    for _ in range(20_000):
        residual = (names["y"] - f) * 100 / 20_000 / 40
        f, f_test = f + names["train"].ntk @ residual, f_test + names["cross"].ntk @ residual
    np.testing.assert_allclose(names["f"], f_test, atol=2e-4)


def singular(names: Names) -> None:
    assert names["network"].equal == ((0, 2),)


def functions(names: Names) -> None:
    """The variance of the noise is about that of the targets, 0.01."""
    assert 0.004 < 40 * names["low"] < 0.03


CHECKS: dict[str, Callable[[Names], None]] = {
    "Bayesian inference": bayesian,
    "Trained networks": trained,
    "Singular kernels": singular,
    "JAX functions": functions,
}


@pytest.mark.parametrize("heading", SCRIPTS)
def test_section_runs_and_its_numbers_are_right(heading, capsys):
    CHECKS[heading](run_script(SCRIPTS[heading], capsys))
