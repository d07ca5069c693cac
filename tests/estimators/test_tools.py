"""Estimators in pipelines and searches, copied, pickled, and with data frames."""

import pickle
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ntkflow.estimators import NNGPRegressor, NTKClassifier, NTKRegressor

ESTIMATORS = [NTKRegressor(), NNGPRegressor(), NTKClassifier()]
each_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 2))
Y = (X[:, 0] > 0).astype(int)


@each_estimator
def test_copies_predict_the_same(estimator):
    fitted = clone(estimator).fit(X, Y)
    loaded = pickle.loads(pickle.dumps(fitted))  # noqa: S301 (our own)
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(clone(fitted).fit(X, Y).predict(X), fitted.predict(X))


@each_estimator
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_give_names(estimator, library):
    frame = import_module(library).DataFrame({"length": X[:, 0], "width": X[:, 1]})
    fitted = clone(estimator).fit(frame, Y)
    assert fitted.feature_names_in_.tolist() == ["length", "width"]
    np.testing.assert_array_equal(fitted.predict(frame), clone(estimator).fit(X, Y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame[["width", "length"]])


def test_target_frame_gives_several_outputs():
    targets = pd.DataFrame({"one": Y, "two": 2.0 * Y})
    found = NTKRegressor().fit(X, targets).predict(X)
    np.testing.assert_allclose(found[:, 1], 2 * found[:, 0], atol=1e-12)


@each_estimator
def test_search_in_a_pipeline(estimator):
    frame = pd.DataFrame({"x": X[:, 0], "kind": np.where(X[:, 1] > 0, "a", "b")})
    columns = make_column_transformer((StandardScaler(), ["x"]), (OneHotEncoder(), ["kind"]))
    name = type(estimator).__name__.lower()
    grid = {f"{name}__activation": ["relu", "erf"], f"{name}__ridge": [0.001, 0.1]}
    search = GridSearchCV(make_pipeline(columns, clone(estimator)), grid, cv=2).fit(frame, Y)
    assert set(search.best_params_) == set(grid)
    assert search.predict(frame).shape == (30,)
    if name != "ntkclassifier":
        mean, deviation = search.best_estimator_.predict(frame, return_std=True)
        assert np.all(deviation > 0)
        np.testing.assert_allclose(mean, search.predict(frame))
