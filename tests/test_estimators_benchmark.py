"""The comparison of estimators on a small data set, and its intervals."""

import numpy as np
import pytest
from scipy.stats import t
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.svm import SVC

from benchmarks import estimators
from benchmarks.estimators import Data, Method, Result


def test_interval_is_the_corrected_resampled_t():
    """Nadeau & Bengio (2003) for 10 folds, of which each tests a fifth of the data."""
    scores = np.array([0.9, 0.8, 0.95, 0.85, 0.9, 1.0, 0.7, 0.85, 0.9, 0.95])
    error = scores.std(ddof=1) * np.sqrt(1 / 10 + 30 / 120)
    expected = t(9, scale=error).ppf(0.975)
    assert estimators.half_width(scores) == pytest.approx(expected, rel=1e-12)


def test_methods_have_the_same_folds_and_search_within_them():
    x, y = load_iris(return_X_y=True)
    methods = {"dummy": Method(DummyClassifier()), "again": Method(DummyClassifier())}
    methods["SVM"] = Method(SVC(), lambda features: {"C": [1e-6, 1.0], "gamma": [1 / features]})
    found = estimators.measure(Data(x, y, methods))
    np.testing.assert_allclose(found["dummy"].scores, np.full(10, 1 / 3))
    np.testing.assert_array_equal(found["again"].scores, found["dummy"].scores)
    assert found["SVM"].scores.mean() > 0.9
    assert all(result.fit > 0 for result in found.values())


def test_rows_have_differences_from_the_first_method():
    results = {
        "NTK": Result(np.array([0.5, 0.7, 0.6]), 1.0, 2.0),
        "other": Result(np.array([0.4, 0.6, 0.5]), 0.25, 3.0),
    }
    first, second = estimators.rows("iris", results)
    assert first.startswith("| iris | NTK | 0.600 ± ")
    assert first.endswith(" |  | 1.00 | 2.0 |")
    assert second.endswith(" | -0.100 ± 0.000 | 0.25 | 3.0 |")


def test_data_sets_come_with_scikit_learn():
    found = estimators.data_sets()
    assert {name: data.x.shape for name, data in found.items()} == {
        "iris": (150, 4),
        "wine": (178, 13),
        "breast cancer": (569, 30),
        "digits": (1797, 64),
        "diabetes": (442, 10),
        "alcohol of wine": (178, 12),
    }
    assert [name for name, data in found.items() if not data.classes] == [
        "diabetes",
        "alcohol of wine",
    ]
