"""Regression with landmarks from sums, against least squares without them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.analysis import landmarks
from ntkflow.analysis.landmarks import add_points, add_sums, fit_path, no_points


def laplace(one, two):
    """A kernel that is positive definite for any points, of moderate condition."""
    return np.exp(-np.linalg.norm(one[:, None] - two[None], axis=2))


def example(points=60, landmarks=12, outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(points, 3)), rng.normal(size=(points, outputs))
    return laplace(x, x[:landmarks]), y, laplace(x[:landmarks], x[:landmarks])


def basis(between):
    return landmarks.basis(between, np.dtype(np.float64))


def summed(kernel, y, between):
    z = basis(between)
    sums = no_points(len(z.used), y.shape[1])
    add_points(sums, kernel[:, z.used], y, z)
    return sums


def fitted(kernel, y, between, ridges, held_out=None):
    """Fit to the first points, with the points from `held_out` on left out."""
    parts = [
        summed(kernel[rows], y[rows], between) for rows in (slice(held_out), slice(held_out, None))
    ]
    other = None if held_out is None else parts[1]
    return fit_path(parts[0], other, basis(between), len(between), ridges)


def least_squares(kernel, y, between, ridge):
    """Minimum of ||K a - y||^2 / N + ridge a^T K_ZZ a by a QR decomposition of all rows."""
    root = np.linalg.cholesky(between).T
    rows = np.concatenate([kernel / np.sqrt(len(y)), np.sqrt(ridge) * root])
    right = np.concatenate([y / np.sqrt(len(y)), np.zeros((len(root), y.shape[1]))])
    return np.linalg.lstsq(rows, right, rcond=None)[0]


@pytest.fixture(params=[0.0, 1e6], ids=["early", "late"])
def _whitened(request, monkeypatch):
    """Features of each point, or of the sums."""
    monkeypatch.setattr(landmarks, "WELL_CONDITIONED", request.param)


@pytest.mark.usefixtures("_whitened")
@pytest.mark.parametrize("ridge", [0.0, 1e-6, 1e-2, 10.0])
def test_coefficients_are_those_of_least_squares(ridge):
    kernel, y, between = example()
    path = fitted(kernel, y, between, [ridge])
    expected = least_squares(kernel, y, between, ridge)
    np.testing.assert_allclose(path.coefficients, expected, rtol=1e-9, atol=1e-11)
    assert path.errors.size == 0


@given(st.integers(1, 59), st.integers(1, 3), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_sums_of_disjoint_points_add(cut, outputs, seed):
    kernel, y, between = example(outputs=outputs, seed=seed)
    added = summed(kernel[:cut], y[:cut], between)
    add_sums(added, summed(kernel[cut:], y[cut:], between))
    whole = summed(kernel, y, between)
    for one, two in zip(added, whole, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12)
    order = basis(between).used
    scaled = kernel[:, order]  # the diagonal of this kernel is 1
    np.testing.assert_allclose(np.tril(whole.gram), np.tril(scaled.T @ scaled), rtol=1e-12)


@pytest.mark.usefixtures("_whitened")
def test_errors_are_those_on_held_out_points_and_the_best_ridge_is_fitted_to_all():
    kernel, y, between = example()
    y = np.sin(4 * kernel[:, :2]) + 0.1 * y
    ridges = [1e-8, 1e-3, 1e2]
    path = fitted(kernel, y, between, ridges, held_out=40)
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


def test_a_nearly_singular_kernel_is_solved_as_by_a_decomposition_of_all_rows():
    """A Gaussian kernel of 40 points on a line has 12 eigenvalues above rounding error."""
    x, z = np.linspace(-1, 1, 500)[:, None], np.linspace(-1, 1, 40)[:, None]
    kernel, between = np.exp(-((x - z.T) ** 2)), np.exp(-((z - z.T) ** 2))
    y, ridge = np.sin(3 * x), 1e-12
    found = basis(between)
    assert found.early
    assert len(found.used) < 15
    path = fitted(kernel, y, between, [ridge])
    used, root = found.used, found.root
    phi = np.linalg.solve(root, kernel[:, used].T).T
    rows = np.concatenate([phi / np.sqrt(500), np.sqrt(ridge) * np.eye(len(used))])
    right = np.concatenate([y / np.sqrt(500), np.zeros((len(used), 1))])
    expected = phi @ np.linalg.lstsq(rows, right, rcond=None)[0]
    np.testing.assert_allclose(kernel @ path.coefficients, expected, atol=1e-9)
    np.testing.assert_allclose(expected, y, atol=1e-4)


def test_a_landmark_that_occurs_twice_changes_nothing():
    kernel, y, between = example()
    twice = np.concatenate([kernel, kernel[:, :3]], axis=1)
    rows = np.concatenate([between, between[:, :3]], axis=1)
    both = np.concatenate([rows, rows[:3]])
    path = fitted(twice, y, both, [1e-3])
    expected = kernel @ least_squares(kernel, y, between, 1e-3)
    np.testing.assert_allclose(twice @ path.coefficients, expected, rtol=1e-9, atol=1e-11)
    assert len(basis(both).used) == 12


def test_landmarks_of_small_variance_count_as_much_as_others():
    kernel, y, between = example()
    factors = np.logspace(-8, 8, 12)
    path = fitted(kernel * factors, y, factors[:, None] * between * factors, [1e-3])
    expected = kernel @ least_squares(kernel, y, between, 1e-3)
    np.testing.assert_allclose((kernel * factors) @ path.coefficients, expected, rtol=1e-9)


def test_landmarks_without_variance_are_left_out():
    kernel, y, between = example()
    kernel[:, 3] = between[3] = between[:, 3] = 0
    assert 3 not in basis(between).used
    assert fitted(kernel, y, between, [1e-3]).coefficients[3].tolist() == [0, 0]


def test_a_kernel_of_zeros_is_an_error():
    with pytest.raises(ValueError, match=r"landmarks: found 3 whose kernel is zero, expected one"):
        basis(np.zeros((3, 3)))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_landmarks(count):
    kernel, y, between = example(landmarks=count)
    path = fitted(kernel, y, between, [1e-3])
    expected = least_squares(kernel, y, between, 1e-3)
    np.testing.assert_allclose(path.coefficients, expected, rtol=1e-10)


def test_float32_values_are_summed_in_float64():
    kernel, y, between = example(points=5000)
    rounded = kernel.astype(np.float32)
    wide = rounded.astype(np.float64)[:, basis(between).used]
    found = summed(rounded, y, between).gram
    np.testing.assert_allclose(np.tril(found), np.tril(wide.T @ wide), rtol=1e-13)


def test_fewer_points_than_landmarks_need_a_ridge():
    kernel, y, between = example()
    with pytest.raises(ValueError, match=r"ridge: found 0, with which the normal equations"):
        fitted(kernel[:4], y[:4], between, [0.0])


def test_a_ridge_that_is_too_small_is_not_chosen():
    kernel, y, between = example()
    path = fitted(kernel[:20], y[:20], between, [0.0, 1e-3, 1e-2], held_out=4)
    assert path.errors[0] == np.inf
    assert path.ridge > 0


def test_of_errors_below_the_resolution_the_largest_ridge_is_chosen():
    kernel, _, between = example()
    y = 1e9 * kernel[:, :1]
    path = fitted(kernel, y, between, [1e-15, 1e-13, 1e-14], held_out=40)
    assert len({*path.errors}) == 1
    assert path.errors[0] > 0
    assert path.ridge == 1e-13
