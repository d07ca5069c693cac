"""Block by block is what NumPy gives at once, in little memory and with half of the bytes read."""

import tracemalloc

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.analysis import blocks
from tests.analysis import kernels

MEMORY = 1e9
rng = np.random.default_rng(0)


class Watched(np.ndarray):
    """An array that counts the entries read from it."""

    entries = 0

    def __getitem__(self, key):
        block = np.asarray(super().__getitem__(key))
        Watched.entries += block.size
        return block


def smallest(kernel, rows):
    """Memory for blocks of so many rows."""
    return rows**2 * (3 * kernel.dtype.itemsize + 16)


@settings(max_examples=40)
@given(
    points=st.integers(1, 40),
    outputs=st.integers(1, 4),
    rows=st.integers(1, 45),
    single=st.booleans(),
)
def test_products_are_those_of_numpy_whatever_the_blocks(points, outputs, rows, single):
    kernel = kernels.laplace_kernel(kernels.points_on_sphere(points))
    kernel = kernel.astype(np.float32) if single else kernel
    vectors = rng.normal(size=(points, outputs))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "SMALLEST_BLOCK", 1)
        memory = smallest(kernel, rows)
        symmetric = blocks.symmetric_product(kernel, vectors, memory=memory)
        rectangular = blocks.product(kernel[: points // 2], vectors, memory=memory)
        upper = blocks.dense_upper_triangle(kernel, memory=memory)
        chosen = rng.permutation(points)[: points // 2 + 1]
        columns = blocks.symmetric_columns(kernel, chosen, memory=memory)
    double = kernel.astype(np.float64)
    np.testing.assert_allclose(symmetric, double @ vectors, atol=1e-12)
    np.testing.assert_allclose(rectangular, double[: points // 2] @ vectors, atol=1e-12)
    np.testing.assert_array_equal(np.triu(upper), np.triu(double))
    np.testing.assert_array_equal(columns, double[:, chosen])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("memory_of", [70, 10_000])
def test_a_store_gives_what_memory_gives(tmp_path, dtype, memory_of):
    kernel = kernels.laplace_kernel(kernels.points_on_sphere(230)).astype(dtype)
    stored, vectors = kernels.in_store(kernel, tmp_path, chunk=64), rng.normal(size=(230, 3))
    memory = smallest(kernel, memory_of)
    expected = kernel.astype(np.float64) @ vectors
    found = blocks.symmetric_product(stored, vectors, memory=memory)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    part = stored.isel(sample=slice(150, None), sample_prime=slice(150))
    expected = kernel[150:, :150].astype(np.float64) @ vectors[:150]
    np.testing.assert_allclose(
        blocks.product(part, vectors[:150], memory=memory), expected, atol=1e-12
    )


def test_blocks_are_whole_chunks_and_half_of_them(tmp_path):
    kernel = kernels.laplace_kernel(kernels.points_on_sphere(230))
    stored = kernels.in_store(kernel, tmp_path, chunk=64)
    for part in (stored, stored.isel(sample=slice(200), sample_prime=slice(200))):
        read = [
            (rows.start, columns.start)
            for rows, columns, _ in blocks.upper_blocks(part, memory=smallest(kernel, 100))
        ]
        starts = [0, 64, 128, 192]
        assert read == [(i, j) for i in starts for j in starts if i <= j]


def test_half_of_the_bytes_are_read():
    kernel = kernels.laplace_kernel(kernels.points_on_sphere(1024)).view(Watched)
    Watched.entries = 0
    blocks.symmetric_product(kernel, np.ones((1024, 1)), memory=smallest(kernel, 256))
    assert Watched.entries == 10 * 256**2  # 4 x 5 / 2 blocks


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory_is_kept_to(tmp_path, dtype):
    kernel = kernels.laplace_kernel(kernels.points_on_sphere(1200)).astype(dtype)
    stored, vectors = kernels.in_store(kernel, tmp_path, chunk=200), rng.normal(size=(1200, 1))
    blocks.symmetric_product(stored, vectors, memory=MEMORY)  # modules are imported
    memory = smallest(kernel, 400)
    tracemalloc.start()
    blocks.symmetric_product(stored, vectors, memory=memory)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < memory + 5e5
    assert memory < kernel.nbytes


def test_a_kernel_of_single_precision_is_made_symmetric():
    kernel = kernels.laplace_kernel(kernels.points_on_sphere(6)).astype(np.float32)
    kernel[0, 1] = np.nextafter(kernel[0, 1], np.float32(np.inf))
    upper = blocks.dense_upper_triangle(kernel, memory=MEMORY)
    np.testing.assert_array_equal(upper, upper.T)
    assert upper[0, 1] == (float(kernel[0, 1]) + float(kernel[1, 0])) / 2


@pytest.mark.parametrize(
    ("place", "entry", "message"),
    [
        ((0, 0), np.nan, r"found 1 of 65536 entries of a block that are not finite"),
        ((0, 290), np.inf, r"found 1 of 11264 entries of a block that are not finite"),
        ((0, 1), 0.3, "entries that differ from the transpose"),
    ],
)
def test_a_kernel_that_is_none_is_refused(place, entry, message):
    kernel = np.eye(300)
    kernel[place] = entry
    with pytest.raises(ValueError, match=message):
        blocks.symmetric_product(kernel, np.ones((300, 1)), memory=smallest(kernel, 256))


def test_shapes_that_do_not_agree_are_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 4\), expected \(N, N\)"):
        blocks.symmetric_product(np.ones((3, 4)), np.ones((4, 1)), memory=MEMORY)


def test_a_chunk_that_does_not_fit_is_refused_with_what_it_takes(tmp_path):
    stored = kernels.in_store(np.eye(100), tmp_path, chunk=64)
    assert blocks.smallest_memory(stored) == 40 * 64**2
    with pytest.raises(ValueError, match=r"163,839 bytes .* expected 163,840 or more \(64 rows"):
        blocks.symmetric_product(stored, np.ones((100, 1)), memory=163_839)
    assert blocks.smallest_memory(xr.DataArray(np.eye(5))) == 40 * 25
