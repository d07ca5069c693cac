"""Empirical NTK of networks of any kind."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from ntkflow.aliases import Array, Float, Inputs, Key, OtherInputs, OutputGram, SeedKeys
from ntkflow.kernels.batches import map_batches
from ntkflow.kernels.function_ntk import function_ntk
from ntkflow.networks.model import Model, OutputSelection, Parameters


def generic_ntk(
    model: Model,
    parameters: Parameters,
    x1: Inputs,
    x2: OtherInputs,
    *,
    outputs: OutputSelection = "all",
    dtype: DTypeLike | None = None,
) -> OutputGram:
    """`Model.empirical_ntk` for any function f = model.apply.

    Under `vmap` over networks, kernels are computed one after another: the gradients of one network
    at many inputs may fill the memory.
    """
    inputs = (x1,) if x2 is x1 else (x1, x2)
    ntk = partial(function_ntk, model.apply, outputs=outputs, dtype=dtype)
    return jax.custom_batching.sequential_vmap(ntk)(parameters, *inputs)


def initial_kernels(
    keys: SeedKeys,
    x: Inputs,
    model: Model,
    *,
    dtype: DTypeLike = jnp.float32,
    memory: float = 2**23,
) -> Float[np.ndarray, "s N N k k"]:
    """Empirical NTK at theta(0) between all rows of x (N, n_0), one kernel per key (s,).

    `memory` bounds the bytes of parameters in memory at once, but is exceeded if one network is
    larger. On a CPU the size of its cache is fastest: at n = 128 three times as fast as 1 GB.
    """
    footprint = 2 * model.parameter_count(x.shape[1]) * jnp.dtype(dtype).itemsize
    batch = max(1, min(len(keys), int(memory // footprint)))
    return np.asarray(_initial_kernels(keys, np.asarray(x, dtype), model, batch))


@partial(jax.jit, static_argnums=(2, 3))
def _initial_kernels(keys: SeedKeys, x: Inputs, model: Model, batch: int) -> Array:
    def kernel(key: Key[Array, ""]) -> OutputGram:
        return model.empirical_ntk(model.init(key, x.shape[1], x.dtype), x, x)

    return map_batches(kernel, keys, batch)
