"""Regression with landmarks from sums, against least squares without them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.analysis.landmarks import add_points, add_sums, fit_path, no_points


def laplace(one, two):
    """A kernel that is positive definite for any points, of moderate condition."""
    return np.exp(-np.linalg.norm(one[:, None] - two[None], axis=2))


def example(points=60, landmarks=12, outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(points, 3)), rng.normal(size=(points, outputs))
    return laplace(x, x[:landmarks]), y, laplace(x[:landmarks], x[:landmarks])


def summed(kernel, y):
    sums = no_points(kernel.shape[1], y.shape[1])
    add_points(sums, kernel, y)
    return sums


def least_squares(kernel, y, between, ridge):
    """Minimum of ||K a - y||^2 / N + ridge a^T K_ZZ a by a QR decomposition of all rows."""
    root = np.linalg.cholesky(between).T
    rows = np.concatenate([kernel / np.sqrt(len(y)), np.sqrt(ridge) * root])
    right = np.concatenate([y / np.sqrt(len(y)), np.zeros((len(root), y.shape[1]))])
    return np.linalg.lstsq(rows, right, rcond=None)[0]


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 1e-2, 10.0])
def test_coefficients_are_those_of_least_squares(ridge):
    kernel, y, between = example()
    path = fit_path(summed(kernel, y), None, between, [ridge])
    expected = least_squares(kernel, y, between, ridge)
    np.testing.assert_allclose(path.coefficients, expected, rtol=1e-9, atol=1e-11)
    assert path.rank == 12
    assert np.isnan(path.errors).all()


@given(st.integers(1, 59), st.integers(1, 3), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_sums_of_disjoint_points_add(cut, outputs, seed):
    kernel, y, _ = example(outputs=outputs, seed=seed)
    added = summed(kernel[:cut], y[:cut])
    add_sums(added, summed(kernel[cut:], y[cut:]))
    whole = summed(kernel, y)
    for one, two in zip(added, whole, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.tril(whole.gram), np.tril(kernel.T @ kernel), rtol=1e-12)


def test_errors_are_those_on_held_out_points_and_the_best_ridge_is_fitted_to_all():
    kernel, y, between = example()
    y = np.sin(4 * kernel[:, :2]) + 0.1 * y
    ridges = [1e-8, 1e-3, 1e2]
    path = fit_path(summed(kernel[:40], y[:40]), summed(kernel[40:], y[40:]), between, ridges)
    expected = [
        np.mean((kernel[40:] @ least_squares(kernel[:40], y[:40], between, ridge) - y[40:]) ** 2)
        for ridge in ridges
    ]
    np.testing.assert_allclose(path.errors, expected, rtol=1e-9)
    best = ridges[int(np.argmin(expected))]
    assert path.ridge == best
    np.testing.assert_allclose(
        path.coefficients, least_squares(kernel, y, between, best), rtol=1e-8, atol=1e-10
    )


def test_a_landmark_that_occurs_twice_changes_nothing():
    kernel, y, between = example()
    twice = np.concatenate([kernel, kernel[:, :3]], axis=1)
    rows = np.concatenate([between, between[:, :3]], axis=1)
    both = np.concatenate([rows, rows[:3]])
    path = fit_path(summed(twice, y), None, both, [1e-3])
    expected = kernel @ least_squares(kernel, y, between, 1e-3)
    np.testing.assert_allclose(twice @ path.coefficients, expected, rtol=1e-9, atol=1e-11)
    assert path.rank == 12


def test_float32_values_are_summed_in_float64():
    kernel, y, _ = example(points=5000)
    rounded = kernel.astype(np.float32)
    wide = rounded.astype(np.float64)
    np.testing.assert_allclose(np.tril(summed(rounded, y).gram), np.tril(wide.T @ wide), rtol=1e-13)


def test_fewer_points_than_landmarks_need_a_ridge():
    kernel, y, between = example()
    with pytest.raises(ValueError, match=r"ridge: found 0, with which the normal equations"):
        fit_path(summed(kernel[:4], y[:4]), None, between, [0.0])
