"""The code of docs/landmarks.md runs, and its numbers are right."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import yaml

from ntkflow import api
from ntkflow.configuration.products import numbers_by_kind
from ntkflow.configuration.study import read_study
from tests.docs.pages import REPOSITORY
from tests.docs.scripts import YAML, run_script, scripts

PAGE = REPOSITORY / "docs" / "landmarks.md"
SCRIPTS = scripts(PAGE)
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


def test_the_study_of_the_page_needs_no_kernel_of_all_pairs():
    config = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8"))
    (text,) = YAML.findall(PAGE.read_text(encoding="utf-8"))
    for key, value in yaml.safe_load(text).items():
        config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
    experiment = read_study(config).selected["learning_curve"]
    assert experiment.needs == ("dataset", "landmarks")
    assert numbers_by_kind(experiment)["landmarks"] == [300, 1000]
