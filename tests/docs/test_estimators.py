"""The code of docs/estimators.md and the script beside it run, and their numbers are right."""

import re

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.estimators import data_sets
from docs import estimators
from tests.docs.pages import REPOSITORY
from tests.docs.scripts import run_script, scripts

PAGE = REPOSITORY / "docs" / "estimators.md"
SCRIPTS = scripts(PAGE)


@pytest.mark.parametrize("heading", SCRIPTS)
def test_section_runs(heading, capsys):
    run_script(SCRIPTS[heading], capsys)


def test_an_afternoon_ends_with_a_figure(tmp_path, monkeypatch, capsys):
    """As the script, with a smaller search; as accurate as linear regression."""
    grid = {"depth": [2], "activation": ["relu", "erf"], "ridge": [0.03]}
    monkeypatch.setattr(
        estimators, "GRID", {f"ntkregressor__{name}": values for name, values in grid.items()}
    )
    found = estimators.main(str(tmp_path / "figure.png"))
    assert "R^2 at 111 other patients: 0." in capsys.readouterr().out
    x, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    linear = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 3, 20)))
    train = found.best_estimator_[-1].X_train_.shape[0]
    assert train == 331
    score = linear.fit(x, y).score(x, y)
    assert found.best_score_ > score - 0.1
    with Image.open(tmp_path / "figure.png") as figure:
        assert figure.width > 1500


@pytest.mark.slow
def test_an_afternoon_prints_what_the_page_says(tmp_path, capsys):
    estimators.main(str(tmp_path / "figure.png"))
    assert f"```\n{capsys.readouterr().out}```" in PAGE.read_text("utf-8")


def test_scores_by_depth_are_the_best_over_ridges():
    frame, target = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(estimators.GRID, "ntkregressor__depth", [2])
        patch.setitem(estimators.GRID, "ntkregressor__activation", ["relu"])
        found = estimators.search(frame[:60], target[:60])
    (score,) = estimators.best_by_depth(found)["mean_test_score"]
    assert score == found.cv_results_["mean_test_score"].max()


def test_page_has_all_rows_of_the_comparison():
    rows = re.findall(r"^\| ([\w ]+) \| ([\w ,]+) \| \d", PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows == [(name, each) for name, data in data_sets().items() for each in data.methods]
