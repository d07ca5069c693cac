"""Accuracy of regression with a known kernel, and published values that it does not have."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from ntkflow.measures.common.evidence import AGREES, DISAGREES
from ntkflow.measures.published_accuracy import measure as published_accuracy
from tests.measures.examples import sources, verdicts

SIZE = 60


def digits():
    """Points around ten centres, of which about a tenth is misclassified."""
    random = np.random.default_rng(0)
    label = random.integers(10, size=900)
    x = 3 * np.eye(10)[label] + 0.6 * random.standard_normal((900, 10))
    points = sources(x, np.eye(10)[label], depth=2)
    nngp = ("sample", "sample_prime"), RBF(2.0)(x)
    return replace(points, limiting=points.limiting.assign(nngp=nngp)), x, label


POINTS, X, LABEL = digits()


def theirs(subset):
    """Accuracy of scikit-learn's Gaussian process."""
    process = GaussianProcessRegressor(RBF(2.0), alpha=1e-10, optimizer=None)
    process.fit(X[subset], np.eye(10)[LABEL[subset]] - 0.1)
    rest = np.setdiff1d(np.arange(len(X)), subset)
    return np.mean(process.predict(X[rest]).argmax(axis=1) == LABEL[rest])


def test_accuracy_is_that_of_scikit_learn():
    nngp, y = POINTS.limiting["nngp"].values, POINTS.dataset["y"].values
    subset = np.random.default_rng(1).permutation(900)[:SIZE]
    assert published_accuracy.accuracy(nngp, y, subset) == pytest.approx(theirs(subset))


@pytest.mark.parametrize(("shift", "expected"), [(0.0, AGREES), (0.06, DISAGREES)])
def test_another_published_value_is_refused(shift, expected):
    order = np.random.default_rng(POINTS.seed).permutation(900)
    mean = np.mean([theirs(subset) for subset in order.reshape(-1, SIZE)])
    found = published_accuracy.measure(POINTS, size=SIZE, published=mean - shift, tested=10000)
    assert set(verdicts(found).values()) == {expected}


def test_labels_of_other_points_are_refused():
    y = POINTS.dataset["y"].values
    wrong = replace(POINTS, dataset=POINTS.dataset.assign(y=(("sample", "output"), y[::-1])))
    found = published_accuracy.measure(wrong, size=SIZE, published=0.9, tested=10000)
    assert set(verdicts(found).values()) == {DISAGREES}
