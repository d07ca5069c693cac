"""Map a function over a leading axis, some rows at a time."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def map_batches(function: Callable[[Any], Any], rows: Any, at_once: int) -> Any:
    """Values of `function` for each row of the arrays `rows`, at most `at_once` at a time.

    Batches are equally long, the last filled up with first rows whose values are dropped:
    `jax.lax.map` would compile the function once more for a shorter batch.
    """
    count = len(jax.tree.leaves(rows)[0])
    if count <= at_once:
        return jax.vmap(function)(rows)
    batches = -(-count // at_once)
    size = -(-count // batches)
    missing = size * batches - count
    full = jax.tree.map(lambda array: jnp.concatenate([array, array[:missing]]), rows)
    values = jax.lax.map(function, full, batch_size=size)
    return jax.tree.map(lambda array: array[:count], values)
