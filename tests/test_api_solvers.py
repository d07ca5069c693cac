"""From inputs to eigenpairs and predictions through the Python interface, kernel in a store."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from ntkflow import api


@pytest.fixture(scope="module")
def points():
    x = np.random.default_rng(0).normal(size=(160, 5))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def store(points, tmp_path_factory):
    place = tmp_path_factory.mktemp("kernels") / "a.zarr"
    return api.store_limiting_kernels(points[:120], depth=3, store=place, block=32)


def test_eigenpairs_are_those_of_numpy(store):
    found = api.extreme_eigenpairs(store["ntk"], 3)
    exact = np.linalg.eigvalsh(store["ntk"].values / 120)[::-1][:3]
    np.testing.assert_allclose(found.values, exact, rtol=1e-10)


def test_regression_is_that_of_scikit_learn(points, store):
    y = points[:120, :2] * points[:120, 1:3]
    fit = api.kernel_regression(store["ntk"], y, ridge=1e-5)
    cross = api.limiting_kernels(points[120:], points[:120], depth=3).ntk
    found = api.predict(cross, fit.coefficients)
    model = KernelRidge(alpha=120 * 1e-5, kernel="precomputed").fit(store["ntk"].values, y)
    np.testing.assert_allclose(found, model.predict(cross), rtol=1e-7)
    truth = points[120:, :2] * points[120:, 1:3]
    assert np.mean((found - truth) ** 2) < 0.05 * np.mean(truth**2)
