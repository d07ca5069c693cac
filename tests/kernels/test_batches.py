"""A function mapped over rows, some at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.kernels.batches import map_batches


@pytest.mark.parametrize(
    ("count", "at_once", "length"), [(7, 7, 7), (7, 9, 7), (7, 3, 3), (9, 8, 5), (3, 1, 1)]
)
def test_every_row_in_batches_of_one_length(count, at_once, length):
    """And so the function is traced once."""
    rows = {"x": np.arange(count, dtype=float), "y": np.ones((count, 2))}
    lengths = []

    @jax.custom_batching.custom_vmap
    def square(x):
        return x**2

    @square.def_vmap
    def of_batch(size, batched, x):
        lengths.append(size)
        return x**2, True

    def function(row):
        return square(row["x"]) + jnp.sum(row["y"]), row["y"]

    sums, same = map_batches(function, rows, at_once)
    np.testing.assert_array_equal(sums, rows["x"] ** 2 + 2)
    np.testing.assert_array_equal(same, rows["y"])
    assert lengths == [length]
