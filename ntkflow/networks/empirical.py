"""Empirical NTK of networks of any kind."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from ntkflow.aliases import Array, Float, Inputs, Key, OtherInputs, OutputGram, Outputs, SeedKeys
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
    """`Model.empirical_ntk` of any function f = model.apply.

    Under `vmap` over networks, kernels are computed one after another: the gradients of one network
    at many inputs may fill the memory.
    """
    inputs = (x1,) if x2 is x1 else (x1, x2)
    ntk = partial(function_ntk, model.apply, outputs=outputs, dtype=dtype)
    return jax.custom_batching.sequential_vmap(ntk)(parameters, *inputs)


def function_ntk(
    f: Callable[[Parameters, Inputs], Outputs],
    parameters: Parameters,
    x1: Inputs,
    x2: OtherInputs | None = None,
    *,
    outputs: OutputSelection = "all",
    dtype: DTypeLike | None = None,
) -> OutputGram:
    """Empirical NTK (n, m, k, k) of a function f(parameters, x), by contraction of Jacobians."""

    def jacobian(row: Array) -> Array:
        found = jax.jacrev(lambda theta: f(theta, row[None])[0])(parameters)
        leaves = [leaf.reshape(leaf.shape[0], -1) for leaf in jax.tree.leaves(found)]
        flat = jnp.concatenate(leaves, axis=1).astype(dtype or leaves[0].dtype)
        return flat[outputs][None] if isinstance(outputs, int) else flat

    one = jax.vmap(jacobian)(jnp.asarray(x1))
    two = one if x2 is None else jax.vmap(jacobian)(jnp.asarray(x2))
    if outputs == "trace":
        return jnp.einsum("nkp,mkp->nm", one, two)[:, :, None, None]
    return jnp.einsum("nkp,mlp->nmkl", one, two)


def initial_kernels(
    keys: SeedKeys,
    x: Inputs,
    model: Model,
    *,
    dtype: DTypeLike = jnp.float32,
    memory: float = 2**23,
) -> Float[np.ndarray, "s N N k k"]:
    """Empirical NTK at theta(0) between all rows of x (N, n_0), one kernel per key (s,).

    `memory` bounds the bytes of parameters held at once, except that one network is always held.
    On a CPU the size of its cache is fastest: at n = 128 three times as fast as a gigabyte.
    """
    footprint = 2 * model.parameter_count(x.shape[1]) * jnp.dtype(dtype).itemsize
    batch = max(1, min(len(keys), int(memory // footprint)))
    return np.asarray(_initial_kernels(keys, np.asarray(x, dtype), model, batch))


@partial(jax.jit, static_argnums=(2, 3))
def _initial_kernels(keys: SeedKeys, x: Inputs, model: Model, batch: int) -> Array:
    def kernel(key: Key[Array, ""]) -> OutputGram:
        return model.empirical_ntk(model.init(key, x.shape[1], x.dtype), x, x)

    return jax.lax.map(kernel, keys, batch_size=batch)
