import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.stores.grams import lift


def dense(x1, x2):
    """Two kernels between all pairs of rows: x.x' and exp(-|x - x'|^2)."""
    squared = np.sum((x1[:, None] - x2[None]) ** 2, axis=-1)
    return x1 @ x2.T, np.exp(-squared)


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 12),
    columns=st.integers(1, 12),
    block=st.integers(1, 15),
    features=st.integers(1, 3),
)
def test_any_block_size_gives_the_dense_kernels(rows, columns, block, features):
    rng = np.random.default_rng(0)
    x1, x2 = rng.normal(size=(rows, features)), rng.normal(size=(columns, features))
    seen = []

    def kernel(a, b):
        seen.append((len(a), len(b)))
        return dense(a, b)

    gram = lift(kernel, x1, x2, kernels=2, block=block)
    assert not seen  # lazy
    assert gram.shape == (2, rows, columns)
    assert gram.dtype == x1.dtype
    with dask.config.set(scheduler="synchronous"):
        found = gram.compute()
    np.testing.assert_allclose(found, np.stack(dense(x1, x2)), rtol=1e-13, atol=1e-15)
    assert len(seen) == -(-rows // block) * -(-columns // block)
    assert max(max(shape) for shape in seen) <= block


def test_chunks_are_the_blocks():
    x = np.zeros((10, 2), np.float32)
    gram = lift(dense, x, x[:7], kernels=2, block=4)
    assert gram.chunks == ((2,), (4, 4, 2), (4, 3))
    assert gram.dtype == np.float32


def test_both_kernels_of_a_block_are_computed_in_one_pass():
    calls = []

    def kernel(a, b):
        calls.append(1)
        return dense(a, b)

    x = np.random.default_rng(1).normal(size=(6, 2))
    first, second = lift(kernel, x, x, kernels=2, block=3)
    with dask.config.set(scheduler="synchronous"):
        found = dask.compute(first, second)
    assert len(calls) == 4
    for one, two in zip(found, dense(x, x), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-13)


def test_a_kernel_that_fails_is_not_hidden():
    def kernel(a, b):
        raise ArithmeticError("no kernel")

    gram = lift(kernel, np.zeros((2, 1)), np.zeros((2, 1)), kernels=1, block=1)
    with pytest.raises(ArithmeticError, match="no kernel"):
        gram.compute(scheduler="synchronous")
