"""Both solvers agree with NumPy and with scikit-learn, within the memory they are given."""

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern
from sklearn.kernel_ridge import KernelRidge

from ntkflow.analysis import nystroem, regression
from ntkflow.analysis.blocks import product
from ntkflow.analysis.regression import fit_kernel_regression
from tests.analysis import kernels

POINTS = 600
LITTLE = 2.6e6
"""Bytes: less than the kernel in float64, 2.9e6."""
MUCH = 1e9
METHODS = {LITTLE: "conjugate gradients", MUCH: "cholesky"}

X, X_TEST = np.split(kernels.points_on_sphere(POINTS + 50), [POINTS])
Y = np.stack([X[:, 0] * X[:, 1], np.sin(3 * X[:, 2]), np.sign(X[:, 3])], axis=1)
KERNEL = kernels.laplace_kernel(X)
CROSS_KERNEL = kernels.laplace_kernel(X_TEST, X)
both = pytest.mark.parametrize("memory", [LITTLE, MUCH], ids=METHODS.values())


@pytest.fixture(scope="module", params=["memory", "store", "store of float32"])
def kernel(request, tmp_path_factory):
    if request.param == "memory":
        return KERNEL
    stored = KERNEL.astype(np.float32 if "32" in request.param else np.float64)
    return kernels.in_store(stored, tmp_path_factory.mktemp("store"), chunk=100)


@both
@pytest.mark.parametrize("ridge", [0.0, 1e-4])
def test_coefficients_solve_the_system(kernel, memory, ridge):
    found = fit_kernel_regression(kernel, Y, ridge=ridge, memory=memory)
    system = np.asarray(kernel, np.float64) + POINTS * ridge * np.eye(POINTS)
    exact = np.linalg.solve(system, Y)
    assert found.method == METHODS[memory]
    assert (found.iterations > 0) is (memory == LITTLE)
    np.testing.assert_allclose(found.coefficients, exact, atol=1e-6 * np.abs(exact).max())
    residual = np.linalg.norm(system @ found.coefficients - Y) / np.linalg.norm(Y)
    assert found.residual == pytest.approx(residual, rel=0.01, abs=1e-14)
    assert found.residual <= 1e-8


@both
@pytest.mark.parametrize("ridge", [1e-6, 1e-2])
def test_predictions_are_those_of_kernel_ridge_regression(memory, ridge):
    sklearn = KernelRidge(alpha=POINTS * ridge, kernel="precomputed").fit(KERNEL, Y)
    found = fit_kernel_regression(KERNEL, Y, ridge=ridge, memory=memory)
    predicted = product(CROSS_KERNEL, found.coefficients, memory=memory)
    np.testing.assert_allclose(predicted, sklearn.predict(CROSS_KERNEL), atol=1e-6)


@both
def test_predictions_are_the_posterior_mean_of_a_gaussian_process(memory):
    process = GaussianProcessRegressor(Matern(nu=0.5), alpha=1e-3, optimizer=None).fit(X, Y)
    found = fit_kernel_regression(KERNEL, Y, ridge=1e-3 / POINTS, memory=memory)
    predicted = product(CROSS_KERNEL, found.coefficients, memory=memory)
    np.testing.assert_allclose(predicted, process.predict(X_TEST), atol=1e-6)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    points=st.integers(3, 60),
    outputs=st.integers(1, 3),
    rank=st.integers(0, 7),
    ridge=st.sampled_from([0.0, 1e-3, 1.0]),
)
def test_both_methods_solve_any_positive_definite_system(seed, points, outputs, rank, ridge):
    random = np.random.default_rng(seed)
    kernel = kernels.spectral_kernel(random.lognormal(sigma=2, size=points), seed)
    y = random.normal(size=(points, outputs))
    system = kernel + points * ridge * np.eye(points)
    dense = fit_kernel_regression(kernel, y, ridge=ridge, memory=MUCH)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ntkflow.analysis.blocks.SMALLEST_BLOCK", 1)
        patch.setattr(regression, "VECTOR_COPIES", 0)
        patch.setattr(regression, "COPIES", 0)
        iterative = fit_kernel_regression(
            kernel, y, ridge=ridge, memory=8 * points**2, rank=min(rank, points), seed=seed
        )
    assert (dense.method, iterative.method) == ("cholesky", "conjugate gradients")
    for found in (dense, iterative):
        np.testing.assert_allclose(system @ found.coefficients, y, atol=1e-7 * np.linalg.norm(y))


@both
def test_without_a_ridge_the_training_points_are_interpolated(memory):
    found = fit_kernel_regression(KERNEL, Y, memory=memory)
    np.testing.assert_allclose(product(KERNEL, found.coefficients, memory=memory), Y, atol=1e-6)


@pytest.mark.parametrize("memory", [LITTLE, 5e6])
def test_memory_is_kept_to(tmp_path, memory):
    stored = kernels.in_store(KERNEL, tmp_path, chunk=100)
    fit_kernel_regression(stored, Y, memory=memory, ridge=1e-2)  # imports
    tracemalloc.start()
    found = fit_kernel_regression(stored, Y, memory=memory, ridge=1e-2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.method == "cholesky") is (memory > LITTLE)
    assert peak < memory


def test_the_preconditioner_saves_iterations_and_a_ridge_more():
    plain, preconditioned, ridged = (
        fit_kernel_regression(KERNEL, Y, memory=LITTLE, rank=rank, ridge=ridge).iterations
        for rank, ridge in ((0, 0.0), (40, 0.0), (40, 1e-4))
    )
    assert ridged < preconditioned < 0.6 * plain


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), rank=st.integers(1, 20), ridge=st.floats(0, 1))
def test_preconditioner_is_the_inverse_of_the_nystroem_approximation(seed, rank, ridge):
    kernel = kernels.laplace_kernel(kernels.points_on_sphere(40, seed=seed % 97))
    found = nystroem.nystroem_preconditioner(kernel, rank, ridge=ridge, seed=seed, memory=MUCH)
    chosen = np.random.default_rng(seed).choice(40, rank, replace=False)
    columns = kernel[:, chosen]
    approximation = columns @ np.linalg.inv(kernel[np.ix_(chosen, chosen)]) @ columns.T
    values, vectors = np.linalg.eigh(approximation)
    basis, values = vectors[:, -rank:], values[-rank:]
    # Frangella, Tropp & Udell (2023), equation 1.3
    scaled = basis / (values + ridge) @ basis.T * (values[0] + ridge)
    expected = scaled + np.eye(40) - basis @ basis.T
    np.testing.assert_allclose(nystroem.precondition(found, np.eye(40)), expected, atol=1e-9)


def test_a_kernel_of_low_rank_has_a_preconditioner_of_low_rank():
    kernel = X @ X.T  # of rank 4
    found = nystroem.nystroem_preconditioner(kernel, 30, ridge=1.0, seed=0, memory=MUCH)
    values = np.linalg.eigvalsh(kernel)[-4:]
    np.testing.assert_allclose(found.scale, (values[0] + 1) / (values + 1) - 1, atol=1e-12)


def test_every_iteration_is_reported():
    lines = []
    found = fit_kernel_regression(KERNEL, Y, memory=LITTLE, progress=lines.append)
    assert len(lines) == found.iterations
    assert lines[0] == "conjugate gradients: relative residual 1 after 0 iterations"


def test_two_runs_agree_to_the_last_bit():
    first, second = (fit_kernel_regression(KERNEL, Y, memory=LITTLE, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.coefficients, second.coefficients)


def test_targets_of_zero_have_coefficients_of_zero():
    for memory in METHODS:
        found = fit_kernel_regression(KERNEL, 0 * Y, memory=memory)
        np.testing.assert_array_equal(found.coefficients, 0)
        assert found.residual == 0


def indefinite() -> np.ndarray:
    """Eigenvalues of K / N from -0.01 to 1."""
    return kernels.spectral_kernel(np.linspace(-0.01, 1, POINTS))


def test_an_indefinite_kernel_is_refused_by_its_pivot():
    kernel = indefinite()
    with pytest.raises(ValueError, match=r"not positive definite \(pivot") as refused:
        fit_kernel_regression(kernel, Y, memory=MUCH)
    stated = re.search(r"pivot (\d+) of \d+ of Cholesky is (\S+)\)", str(refused.value))
    failed, pivot = int(stated[1]), float(stated[2])
    minors = [np.linalg.slogdet(kernel[:n, :n]) for n in (failed - 1, failed)]
    assert [sign for sign, _ in minors] == [1, -1]
    assert pivot == pytest.approx(-np.exp(minors[1].logabsdet - minors[0].logabsdet), rel=0.01)


def test_an_indefinite_kernel_is_refused_by_a_negative_curvature():
    with pytest.raises(
        ValueError, match=r"its smallest eigenvalue is -[\d.e-]+ or less\), .* raise"
    ):
        fit_kernel_regression(indefinite(), Y, memory=LITTLE)


@both
@pytest.mark.parametrize("largest", [-0.01, 0.0])
def test_a_kernel_without_positive_eigenvalues_is_refused(memory, largest):
    kernel = kernels.spectral_kernel(largest * np.linspace(0.5, 1, POINTS))
    with pytest.raises(ValueError, match="it is not positive definite"):
        fit_kernel_regression(kernel, Y, memory=memory)
    assert fit_kernel_regression(kernel, Y, ridge=0.02, memory=memory).residual < 1e-8


@both
def test_a_ridge_makes_an_indefinite_kernel_definite(memory):
    assert fit_kernel_regression(indefinite(), Y, ridge=0.02, memory=memory).residual < 1e-8


@both
def test_a_point_that_occurs_twice_with_two_targets_is_refused(memory):
    x = X.copy()
    x[1] = x[0]
    with pytest.raises(ValueError, match="raise the ridge"):
        fit_kernel_regression(kernels.laplace_kernel(x), Y, memory=memory)


def test_what_was_reached_is_told_where_it_does_not_converge(monkeypatch):
    monkeypatch.setattr(regression, "MOST_ITERATIONS", 5)
    message = r"found a relative residual of 0\.\d+ in 5 iterations, expected 1e-08 or less"
    with pytest.raises(ValueError, match=message):
        fit_kernel_regression(KERNEL, Y, memory=LITTLE)


@pytest.mark.parametrize(
    ("kernel", "targets", "options", "message"),
    [
        (KERNEL, Y[:-1], {}, r"shape \(599, 3\), expected \(600, outputs\)"),
        (KERNEL, Y[:, 0], {}, r"shape \(600,\), expected \(600, outputs\)"),
        (KERNEL, np.where(Y > 0, np.nan, Y), {}, "not finite, expected finite targets"),
        (KERNEL, Y, {"ridge": -1.0}, "ridge: found -1.0, expected 0 or more"),
        (KERNEL, Y, {"ridge": np.nan}, "ridge: found nan, expected 0 or more"),
        (KERNEL, Y, {"memory": 1e5}, "found 0 bytes left for blocks of the kernel"),
        (KERNEL, Y, {"memory": LITTLE, "rank": 300}, "allow more memory"),
        (CROSS_KERNEL, Y[:50], {}, r"kernel: found the shape \(50, 600\), expected \(N, N\)"),
        (KERNEL + np.triu(KERNEL, 1), Y, {}, "transpose"),
    ],
)
def test_what_is_no_regression_is_refused(kernel, targets, options, message):
    with pytest.raises(ValueError, match=message):
        fit_kernel_regression(kernel, targets, **{"memory": MUCH, **options})
