"""Classification by the limiting NTK against scikit-learn's kernel ridge regression."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits, load_iris
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from ntkflow import api
from ntkflow.estimators import NTKClassifier

RIDGE = 0.003


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def test_outputs_are_regression_on_centred_indicators(iris):
    x, y = iris
    names = np.array(["setosa", "versicolor", "virginica"], dtype=object)
    model = NTKClassifier(ridge=RIDGE).fit(x[::2], names[y[::2]])
    indicators = (y[::2, None] == np.arange(3)) - 1 / 3
    kernel, cross = (api.limiting_kernels(each, x[::2], depth=3).ntk for each in (x[::2], x[1::2]))
    ridge = KernelRidge(alpha=75 * RIDGE, kernel="precomputed").fit(kernel, indicators)
    expected = ridge.predict(cross)
    found = model.decision_function(x[1::2])
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-10)
    assert model.predict(x[1::2]).tolist() == names[expected.argmax(axis=1)].tolist()


def test_two_classes_have_one_output_of_targets_plus_and_minus_one(iris):
    x, y = iris[0][:100], iris[1][:100]
    model = NTKClassifier(ridge=RIDGE).fit(x, y)
    kernel = api.limiting_kernels(x, depth=3).ntk
    expected = KernelRidge(alpha=100 * RIDGE, kernel="precomputed").fit(kernel, 2.0 * y - 1)
    found = model.decision_function(x)
    np.testing.assert_allclose(found, expected.predict(kernel), rtol=1e-8)
    np.testing.assert_array_equal(model.predict(x), found > 0)


def test_probabilities_come_from_calibration(iris):
    x, y = iris
    assert not hasattr(NTKClassifier(), "predict_proba")
    probability = CalibratedClassifierCV(NTKClassifier(), cv=3).fit(x, y).predict_proba(x)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert (probability.argmax(axis=1) == y).mean() > 0.9


def test_digits_are_classified_as_well_as_by_support_vectors():
    x, y = load_digits(return_X_y=True)
    ours, theirs = (
        cross_val_score(model, x[:600] / 16, y[:600], cv=3).mean()
        for model in (NTKClassifier(ridge=1e-6), SVC(C=10))
    )
    assert ours > theirs - 0.02


def test_one_class_is_always_predicted():
    model = NTKClassifier(depth=1).fit([[1.0], [2.0]], ["a", "a"])
    assert model.predict([[-100.0], [100.0]]).tolist() == ["a", "a"]


def test_landmarks_classify_almost_as_well_as_all_points():
    x, y = load_digits(return_X_y=True)
    whole, some = (
        NTKClassifier(landmarks=m).fit(x[:1200] / 16, y[:1200]).score(x[1200:] / 16, y[1200:])
        for m in (None, 300)
    )
    assert some > whole - 0.05
    assert some > 0.85
