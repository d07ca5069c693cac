"""Kernels of many untrained networks."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from ntkflow.aliases import Array, Float, Inputs, Key, OutputGram, SeedKeys
from ntkflow.networks.mlp import Architecture, empirical_ntk, init, parameter_count

__all__ = ["initial_kernels"]


def initial_kernels(
    keys: SeedKeys,
    x: Inputs,
    architecture: Architecture,
    *,
    dtype: DTypeLike = jnp.float32,
    memory: float = 2**23,
) -> Float[np.ndarray, "s N N k k"]:
    """Empirical NTK at theta(0) between all rows of x, one a key.

    `memory` bounds the bytes of parameters held at once, in at most one network's steps. A cache's
    worth is fastest on a CPU: at n = 128 three times as fast as a gigabyte.
    """
    footprint = 2 * parameter_count(x.shape[1], architecture) * jnp.dtype(dtype).itemsize
    batch = max(1, min(len(keys), int(memory // footprint)))
    return np.asarray(_initial_kernels(keys, jnp.asarray(x, dtype), architecture, batch))


@partial(jax.jit, static_argnums=(2, 3))
def _initial_kernels(keys: SeedKeys, x: Inputs, architecture: Architecture, batch: int) -> Array:
    def kernel(key: Key[Array, ""]) -> OutputGram:
        return empirical_ntk(init(key, x.shape[1], architecture, x.dtype), x, x, architecture)

    return jax.lax.map(kernel, keys, batch_size=batch)
