"""Both ways give the eigenpairs of a dense decomposition, within residuals and memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.analysis import eigenpairs
from ntkflow.analysis.eigenpairs import extreme_eigenpairs
from tests.analysis import kernels

POINTS = 800
LITTLE = 4.5e6
"""Bytes: less than the kernel in float64, 5.1e6."""
MUCH = 1e9


@pytest.fixture(scope="module", params=["memory", "store", "store of float32"])
def kernel(request, tmp_path_factory):
    kernel = kernels.laplace_kernel(kernels.points_on_sphere(POINTS))
    if request.param == "memory":
        return kernel
    kernel = kernel.astype(np.float32 if "32" in request.param else np.float64)
    return kernels.in_store(kernel, tmp_path_factory.mktemp("store"), chunk=200)


def exact(kernel, which, count):
    values, vectors = np.linalg.eigh(np.asarray(kernel, np.float64) / len(kernel))
    order = slice(count) if which == "smallest" else slice(-1, -count - 1, -1)
    return values[order], vectors[:, order]


@pytest.mark.parametrize("memory", [LITTLE, MUCH])
@pytest.mark.parametrize("count", [1, 6])
def test_the_largest_are_those_of_a_dense_decomposition(kernel, count, memory):
    assert_as_decomposed(kernel, "largest", count, memory)


@pytest.mark.parametrize("memory", [LITTLE, MUCH])
@pytest.mark.parametrize("kernel", ["store"], indirect=True)  # in a hundred passes
def test_the_smallest_are_those_of_a_dense_decomposition(kernel, memory):
    assert_as_decomposed(kernel, "smallest", 2, memory)


def assert_as_decomposed(kernel, which, count, memory):
    found = extreme_eigenpairs(kernel, count, which=which, memory=memory)
    values, vectors = exact(kernel, which, count)
    assert (found.passes == 2) is (memory == MUCH)
    np.testing.assert_allclose(found.values, values, rtol=1e-10)
    np.testing.assert_array_less(found.residuals, 1e-6 * values)
    np.testing.assert_array_less(np.abs(found.values - values), found.residuals + 1e-16)
    cosines = np.abs(np.einsum("ni,ni->i", found.vectors, vectors))
    np.testing.assert_allclose(cosines, 1, atol=1e-6)
    assert (found.vectors.max(axis=0) >= -found.vectors.min(axis=0)).all()


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 5))
def test_known_eigenvalues_are_found_and_lie_within_the_residuals(seed, count):
    eigenvalues = np.sort(np.random.default_rng(seed).lognormal(sigma=2, size=250))[::-1]
    kernel = kernels.spectral_kernel(eigenvalues, seed)
    memory = 8 * 250**2 - 1  # with the vectors held as they are, blocks get what is left
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eigenpairs, "VECTOR_COPIES", 2)
        patch.setattr("ntkflow.analysis.blocks.SMALLEST_BLOCK", 32)
        found = extreme_eigenpairs(kernel, count, memory=memory, tolerance=1e-4, seed=seed)
    assert found.passes > 2
    distances = np.abs(found.values[:, None] - eigenvalues).min(axis=1)
    np.testing.assert_array_less(distances, found.residuals + 1e-13 * eigenvalues[0])
    np.testing.assert_allclose(found.values, eigenvalues[:count], rtol=1e-4)
    np.testing.assert_array_less(found.residuals, 1e-4 * found.values)


@pytest.mark.parametrize("which", ["largest", "smallest"])
@pytest.mark.parametrize("memory", [LITTLE, 8e6])
def test_memory_is_kept_to(tmp_path, which, memory):
    kernel = kernels.laplace_kernel(kernels.points_on_sphere(POINTS))
    stored = kernels.in_store(kernel, tmp_path, chunk=200)
    extreme_eigenpairs(stored, 2, which=which, memory=memory, tolerance=5.0)  # imports
    tracemalloc.start()
    found = extreme_eigenpairs(stored, 2, which=which, memory=memory, tolerance=2.0)  # a rough one
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.passes == 2) is (memory > LITTLE)
    assert memory / 2 < peak < memory


def test_few_passes_suffice_and_each_is_reported():
    kernel = kernels.laplace_kernel(kernels.points_on_sphere(POINTS))
    lines = []
    found = extreme_eigenpairs(kernel, 6, memory=LITTLE, progress=lines.append)
    assert found.passes == len(lines) <= 13
    assert lines[-1] == f"largest eigenpairs: pass {found.passes} over the kernel"


def test_two_runs_agree_to_the_last_bit():
    kernel = kernels.laplace_kernel(kernels.points_on_sphere(POINTS))
    first, second = (extreme_eigenpairs(kernel, 3, memory=LITTLE, seed=7) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_zero_eigenvalues_are_zero_to_rounding():
    x = kernels.points_on_sphere(POINTS)
    for count, memory in ((6, LITTLE), (6, MUCH)):
        found = extreme_eigenpairs(x @ x.T, count, memory=memory)  # of rank 4
        np.testing.assert_allclose(found.values[:4].sum(), 1)
        np.testing.assert_allclose(found.values[4:], 0, atol=1e-15)


def test_what_was_reached_is_told_where_it_does_not_converge(monkeypatch):
    kernel = kernels.laplace_kernel(kernels.points_on_sphere(POINTS))
    monkeypatch.setattr(eigenpairs, "ROUNDS", (1, 1))
    with pytest.raises(ValueError, match=r"found no convergence in \d+ passes") as refused:
        extreme_eigenpairs(kernel, 6, memory=LITTLE)
    message = str(refused.value)
    assert "has the residual" in message
    assert "or less; allow more memory or a larger tolerance" in message


@pytest.mark.parametrize(
    ("count", "memory", "message"),
    [
        (0, MUCH, "count: found 0, expected 1 to 800"),
        (801, MUCH, "count: found 801, expected 1 to 800"),
        (100, LITTLE, "expected at most a tenth of the points and .* than 5,120,000 bytes"),
        (2, 1e5, "and 100,000 bytes of memory, expected"),
    ],
)
def test_what_cannot_be_had_is_refused(count, memory, message):
    with pytest.raises(ValueError, match=message):
        extreme_eigenpairs(np.eye(POINTS), count, memory=memory)


@pytest.mark.parametrize("memory", [LITTLE, MUCH])
def test_an_asymmetric_kernel_is_refused(memory):
    kernel = np.eye(POINTS)
    kernel[1, 2] = 0.5
    with pytest.raises(ValueError, match="transpose"):
        extreme_eigenpairs(kernel, 2, memory=memory)
