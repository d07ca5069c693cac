"""Learning curves of kernels with known spectra, and the conservation of learnabilities."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from ntkflow.measures.common.evidence import AGREES, CHECK, DISAGREES
from ntkflow.measures.learning_curves import measure as learning_curves
from tests.measures.examples import sources, verdicts

POINTS = 240
FEW = {"sizes": [15, 30, 60], "training_sets": 60, "modes": 2}


def population(kernel=None, seed=0):
    """Points whose kernel has random eigenvectors, and a target of many components."""
    random = np.random.default_rng(seed)
    basis = scipy.stats.ortho_group.rvs(POINTS, random_state=random) * np.sqrt(POINTS)
    values = np.arange(1.0, POINTS + 1) ** -1.5
    y = basis[:, :40] @ random.standard_normal((40, 3))
    points = sources(random.standard_normal((POINTS, 3)), y)
    ntk = (basis * values) @ basis.T if kernel is None else kernel
    limiting = points.limiting.assign(ntk=(("sample", "sample_prime"), ntk))
    return replace(points, limiting=limiting, seed=seed)


@pytest.fixture(scope="module")
def store():
    return learning_curves.measure(population(), **FEW)


def test_random_eigenvectors_follow_the_theory(store):
    assert set(verdicts(store).values()) == {AGREES}
    checks = store["value"].values[store["kind"].values == CHECK]
    assert len(checks) == 1
    assert checks < 1e-12


@pytest.mark.parametrize("fault", ["samples", "prefactor", "kernel"])
def test_another_theory_is_refused(monkeypatch, fault):
    right = learning_curves.eigenlearning

    def wrong(values, squares, size):
        if fault == "samples":
            return right(values, squares, 1.5 * size)
        if fault == "kernel":
            return right(values**1.3, squares, size)
        found = right(values, squares, size)
        return found._replace(error=found.error * (1 - np.sum(found.learnabilities**2) / size))

    monkeypatch.setattr(learning_curves, "eigenlearning", wrong)
    found = verdicts(learning_curves.measure(population(), **FEW))
    assert found["test error at n = 60, over theory"] == DISAGREES


def test_a_ridge_breaks_the_conservation_law(monkeypatch):
    right = learning_curves.regression

    def ridged(kernel, y, subset):
        error, (subset, hat) = right(kernel, y, subset)
        known = kernel[np.ix_(subset, subset)]
        shrunk = known @ np.linalg.inv(known + 1e-3 * np.eye(len(subset)))
        return error, (subset, hat @ shrunk)

    monkeypatch.setattr(learning_curves, "regression", ridged)
    found = verdicts(learning_curves.measure(population(), **FEW))
    assert found["sum of learnabilities over n, minus 1"] == DISAGREES


def test_theory_of_equal_eigenvalues():
    """With m equal eigenvalues L = n/m, and the error is n/(n - n^2/m) (1 - n/m)^2 = 1 - n/m."""
    found = learning_curves.eigenlearning(np.ones(50), np.full(50, 1 / 50), 20)
    np.testing.assert_allclose(found.learnabilities, 0.4, rtol=1e-9)
    assert found.error == pytest.approx(0.6)


def test_regression_is_that_of_a_linear_solve():
    random = np.random.default_rng(0)
    root, y = random.standard_normal((7, 7)), random.standard_normal((7, 2))
    kernel, subset = root @ root.T, np.array([4, 0, 2])
    f = kernel[:, subset] @ np.linalg.inv(kernel[np.ix_(subset, subset)]) @ y[subset]
    error, _ = learning_curves.regression(kernel, y, subset)
    assert error == pytest.approx(np.sum((f - y) ** 2) / 7)
    np.testing.assert_allclose(f[subset], y[subset])
