"""The code of docs/landmarks.md runs, and its numbers are right."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ntkflow import api
from tests.docs.pages import REPOSITORY
from tests.docs.scripts import run_script, scripts

SCRIPTS = scripts(REPOSITORY / "docs" / "landmarks.md")
Names = dict[str, Any]


def chosen(names: Names) -> None:
    """Errors on held-out points are those at others, and the ridge is the best of them."""
    fit = names["fit"]
    assert fit.errors.argmin() == fit.ridges.index(fit.ridge)
    assert fit.errors.min() == pytest.approx(names["error"], rel=0.3)


def shared(names: Names) -> None:
    """The fit from the sums that were there is the fit from the points."""
    again = api.landmark_regression(names["x"], names["y"], landmarks=200, depth=3, ridge=1e-2)
    np.testing.assert_array_equal(again.coefficients, names["fit"].coefficients)


def scored(names: Names) -> None:
    assert [len(model.X_train_) for model in names["models"]] == [200, len(names["train"])]
    assert names["scores"][0] <= names["scores"][1]


CHECKS: dict[str, Callable[[Names], None]] = {
    "Inputs on disk": chosen,
    "Killed runs and clusters": shared,
    "Estimators": scored,
}


@pytest.mark.parametrize("heading", SCRIPTS)
def test_section_runs_and_its_numbers_are_right(heading, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CHECKS[heading](run_script(SCRIPTS[heading], capsys))
