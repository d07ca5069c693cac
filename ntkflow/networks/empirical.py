"""Empirical NTK of a finite network, from its forward and backward sweeps."""

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from ntkflow.aliases import Array, Float, Inputs, Key, OtherInputs, OutputGram, SeedKeys
from ntkflow.kernels.empirical import Sweep, layerwise_ntk, symmetric_ntk
from ntkflow.networks.mlp import (
    Architecture,
    Parameters,
    affine,
    init,
    layer_scale,
    parameter_count,
)

OutputSelection = int | Literal["all", "trace"]
"""Network outputs whose empirical NTK is computed: one, all pairs of them, or the trace."""


def sweep(
    parameters: Parameters, x: Inputs, architecture: Architecture, outputs: OutputSelection = "all"
) -> list[Sweep]:
    """Activations a^l(x) and sensitivities df_k/dz^{l+1}(x) of each layer l = 0..L-1.

    They take one forward and one backward pass over inputs x (n, n_0). If `outputs` is an integer,
    the backward pass is made for that output alone, at the cost of a scalar network's.
    """
    activations, slopes = [x], []
    for layer in parameters[:-1]:
        preactivation = affine(layer, activations[-1], architecture)
        activation, slope = jax.jvp(
            architecture.activation.function, (preactivation,), (jnp.ones_like(preactivation),)
        )
        activations.append(activation)
        slopes.append(slope)
    directions = jnp.eye(architecture.outputs, dtype=x.dtype)
    if isinstance(outputs, int):
        directions = directions[outputs][None]
    sensitivity = jnp.broadcast_to(directions, (len(x), *directions.shape))
    sensitivities = [sensitivity]
    for layer, slope in zip(parameters[:0:-1], slopes[::-1], strict=True):
        pulled = layer_scale(layer, architecture) * (sensitivity @ layer.weight.T)
        sensitivity = pulled * slope[:, None, :]
        sensitivities.append(sensitivity)
    return [Sweep(a, d) for a, d in zip(activations, sensitivities[::-1], strict=True)]


def empirical_ntk(
    parameters: Parameters,
    x1: Inputs,
    x2: OtherInputs,
    architecture: Architecture,
    *,
    outputs: OutputSelection = "all",
    dtype: DTypeLike | None = None,
) -> OutputGram:
    """Theta_{kk'}(x, x') of the network at `parameters`, (n, m, k, k); see `layerwise_ntk`.

    With ``trace`` or the index of an output k is 1. `dtype` is the precision in which products are
    summed. If x2 is x1, the same object, half of the products are left out.
    """
    one = sweep(parameters, x1, architecture, outputs)
    two = None if x2 is x1 else sweep(parameters, x2, architecture, outputs)
    return contract(one, two, architecture, outputs, dtype)


def contract(
    one: list[Sweep],
    two: list[Sweep] | None,
    architecture: Architecture,
    outputs: OutputSelection,
    dtype: DTypeLike | None,
) -> OutputGram:
    """Kernel (n, m, k, k) between the points of two sweeps, or of the first with itself."""
    between = partial(
        layerwise_ntk,
        beta=architecture.beta,
        weight_gain=architecture.weight_gain,
        traced=outputs == "trace",
        dtype=dtype,
    )
    return symmetric_ntk(one, between) if two is None else between(one, two)


def initial_kernels(
    keys: SeedKeys,
    x: Inputs,
    architecture: Architecture,
    *,
    dtype: DTypeLike = jnp.float32,
    memory: float = 2**23,
) -> Float[np.ndarray, "s N N k k"]:
    """Empirical NTK at theta(0) between all rows of x (N, n_0), one kernel per key (s,).

    `memory` bounds the bytes of parameters held at once, except that one network is always held.
    On a CPU the size of its cache is fastest: at n = 128 three times as fast as a gigabyte.
    """
    footprint = 2 * parameter_count(x.shape[1], architecture) * jnp.dtype(dtype).itemsize
    batch = max(1, min(len(keys), int(memory // footprint)))
    return np.asarray(_initial_kernels(keys, np.asarray(x, dtype), architecture, batch))


@partial(jax.jit, static_argnums=(2, 3))
def _initial_kernels(keys: SeedKeys, x: Inputs, architecture: Architecture, batch: int) -> Array:
    def kernel(key: Key[Array, ""]) -> OutputGram:
        return empirical_ntk(init(key, x.shape[1], architecture, x.dtype), x, x, architecture)

    return jax.lax.map(kernel, keys, batch_size=batch)
