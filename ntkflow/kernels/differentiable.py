"""Limiting kernels as functions that can be differentiated in inputs, gains and biases.

The kernel of a fully-connected first layer is the inner product of the vectors
(sigma_w x / sqrt(n_0), beta). Whatever follows is computed as in the modules `limiting` and
`composed`, whose parts have derivative rules where automatic differentiation would divide by zero
or run into rounding errors.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array, Float, Inputs, OtherInputs
from ntkflow.kernels.accuracy import TOLERANCE
from ntkflow.kernels.composed import TRACED, composed_between
from ntkflow.kernels.composed_points import Factors, composed_points
from ntkflow.kernels.composed_tiles import before_activations, unfitted_steps
from ntkflow.kernels.correlation import SMALLEST_NORM, directions, input_pairs
from ntkflow.kernels.dual import Activation, outer
from ntkflow.kernels.layers import Layers
from ntkflow.kernels.limiting import LimitingKernels, hidden_layers, propagated

WIDE = np.dtype(np.float64)


@partial(jax.jit, static_argnames=("activation", "depth"))
def connected_kernels(
    x1: Inputs,
    x2: OtherInputs | None,
    beta: Float[Array, ""],
    weight_gain: Float[Array, ""],
    *,
    activation: Activation,
    depth: int,
) -> LimitingKernels:
    """As `limiting.limiting_kernels`, in float64, of x1 with itself if x2 is None.

    Pairs with a point at which the dual is known to be inaccurate are NaN.
    """
    points = []
    for x in (x1,) if x2 is None else (x1, x2):
        weighted = weight_gain / np.sqrt(x.shape[1]) * x
        bias = jnp.broadcast_to(beta, (len(x), 1))
        deviation, direction = directions(jnp.concatenate([weighted, bias], axis=1), WIDE)
        deviation = jnp.maximum(deviation, SMALLEST_NORM)
        layers, last = hidden_layers(
            deviation, weight_gain, beta, activation=activation, depth=depth
        )
        points.append((direction, layers, last * _one_or_nan(layers.moments.deviation, activation)))
    (first, layers1, last1), (second, layers2, last2) = points[0], points[-1]
    pairs = input_pairs(first, second, WIDE, diagonal=x2 is None)
    nngp, ntk = propagated(pairs, layers1, layers2, activation)
    scale = outer(last1, last2)
    return LimitingKernels(scale * nngp, scale * ntk)


def _one_or_nan(deviation: Float[Array, "p n"], activation: Activation) -> Float[Array, " n"]:
    """1 for each point, or NaN if the dual is inaccurate at one of its deviations."""
    variance = deviation**2
    missed = activation.missed(variance.ravel()).reshape(variance.shape)
    return jnp.where(jnp.all(missed <= TOLERANCE, axis=0), 1.0, jnp.nan)


@partial(jax.jit, static_argnames="layers")
def composed_kernels(
    x1: Array, x2: Array | None, factors: Factors, *, layers: Layers
) -> LimitingKernels:
    """As `connected_kernels`, of inputs (n, *positions, channels) and composed layers.

    `factors` are `beta` and `weight_gain` by the places of the layers whose own are not used.
    """
    shape = x1.shape[1:]
    first, steps = unfitted_steps(layers, shape)
    points = []
    for x in (x1,) if x2 is None else (x1, x2):
        found = composed_points(
            x.reshape(len(x), -1),
            first=first,
            steps=steps,
            shape=shape,
            dtype=WIDE,
            factors=factors,
            smallest=SMALLEST_NORM,
        )
        deviation = found.deviation
        for activation, inner in before_activations(steps, found.steps):
            deviation *= _one_or_nan(inner, activation)
        points.append(found._replace(deviation=deviation))
    one, two = points[0], points[-1]
    same = x2 is None
    return composed_between(one, two, first=first, steps=steps, diagonal=same, programs=TRACED)
