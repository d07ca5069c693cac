"""The NNGP kernel and the limiting NTK of a fully-connected network, by recursion over depth.

Quantities of single points (`Points`: their directions, and their variances layer by layer) are
computed once, in float64. For each pair there remain a matrix product for the correlation of the
inputs and, layer by layer, the dual activation and a few products, in normalised quantities:

    rho^1 = <x, x'> / (|x| |x'|) mixed with the bias,     T^1 = rho^1,
    rho^{l+1} = correlation of sigma(u), sigma(v), mixed with the bias,
    T^{l+1} = g g' T^l E[sigma' sigma'] + rho^{l+1},      g = sigma_w s^l / s^{l+1},
    Sigma^L = s s' rho^L,  Theta_inf^L = s s' T^L,        s^l = sqrt(Sigma^l(x, x)).
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import AnyArray, Array, Float, Gram, Inputs, OtherInputs
from ntkflow.kernels.correlation import directions, input_pairs
from ntkflow.kernels.dual import Activation, Moments, length, outer, over
from ntkflow.kernels.pairs import Pairs, from_acute, mixed

UNROLLED_LAYERS = 8
"""Largest number of layers that are unrolled; each one takes seconds to compile."""

Shares = tuple[Float[Array, " n"], Float[Array, " n"]]
"""Weights of a layer (or the input) and of the bias in the pre-activation that follows, normalised
to variance 1."""


class LimitingKernels(NamedTuple):
    """NNGP kernel Sigma^L and limiting NTK Theta_inf^L between two lists of inputs, each (n, m)."""

    nngp: Float[AnyArray, "n m"]
    ntk: Float[AnyArray, "n m"]


class Layer(NamedTuple):
    """Quantities of one hidden layer at n points; `carried` is g of the module's docstring."""

    moments: Moments
    shares: Shares
    carried: Float[Array, " n"]


class Points(NamedTuple):
    """Quantities of n inputs from which their kernels follow.

    Hidden layers are stacked along a leading axis; `deviation` is s^L, that of the output.
    """

    direction: Inputs
    shares: Shares
    layers: Layer
    deviation: Float[Array, " n"]


@partial(jax.jit, static_argnames=("activation", "depth", "features", "dtype"))
def points(
    norm: Float[AnyArray, " n"],
    direction: Inputs,
    *,
    features: int,
    activation: Activation,
    depth: int,
    beta: float,
    weight_gain: float = 1.0,
    dtype: np.dtype,
) -> Points:
    """`Points` in `dtype` of inputs given by `directions`, for a network of depth L.

    `features` is the dimension n_0, by which the first layer divides.
    """
    gain, bias = (jnp.asarray(factor, np.float64) for factor in (weight_gain, beta))
    root = jnp.asarray(norm, np.float64) / np.sqrt(features)
    first = length(gain * root, bias)
    layers, last = hidden_layers(first, gain, bias, activation=activation, depth=depth)
    shares = over(gain * root, first), over(bias, first)
    cast = jax.tree.map(lambda array: array.astype(dtype), (shares, layers, last))
    return Points(direction, *cast)


def hidden_layers(
    first: Float[Array, " n"], gain: Array, bias: Array, *, activation: Activation, depth: int
) -> tuple[Layer, Float[Array, " n"]]:
    """Hidden layers, stacked, and s^L of n points, from the deviations s^1 of their first layer."""

    def layer(deviation: Array, _: None) -> tuple[Array, Layer]:
        moments = activation.moments(deviation**2)
        after = length(gain * moments.root, bias)
        shares = over(gain * moments.root, after), over(bias, after)
        return after, Layer(moments, shares, over(gain * deviation, after))

    if depth > 1:
        last, layers = jax.lax.scan(layer, first, None, length=depth - 1)
        return layers, last
    # A scan of length zero fails if jax.jit is disabled.
    shapes = jax.eval_shape(layer, first, None)[1]
    return jax.tree.map(lambda s: jnp.zeros((0, *s.shape), s.dtype), shapes), first


def recursion(pairs: Pairs, one: Points, two: Points, activation: Activation) -> LimitingKernels:
    """Kernels (n, m) of all pairs of points whose inputs have the correlations `pairs`."""
    pairs = mixed(pairs, one.shares, two.shares)
    scale = outer(one.deviation, two.deviation)
    nngp, ntk = propagated(pairs, one.layers, two.layers, activation)
    return LimitingKernels(scale * nngp, scale * ntk)


def propagated(pairs: Pairs, one: Layer, two: Layer, activation: Activation) -> tuple[Gram, Gram]:
    """rho^L and T^L (n, m) from the correlations rho^1 of pre-activations of the first layer."""
    state = pairs, pairs.correlation

    def step(
        state: tuple[Pairs, Gram], layers: tuple[Layer, Layer], acute: bool
    ) -> tuple[Pairs, Gram]:
        (pairs, ntk), (first, second) = state, layers
        image, slope = activation.dual(pairs, first.moments, second.moments, acute=acute)
        pairs = mixed(image, first.shares, second.shares)
        pairs = from_acute(pairs.minus) if activation.acute else pairs
        return pairs, outer(first.carried, second.carried) * ntk * slope + pairs.correlation

    both = one, two
    hidden = len(one.carried)
    unrolled = hidden if hidden < UNROLLED_LAYERS else 1
    for index in range(unrolled):
        layers = jax.tree.map(lambda array, index=index: array[index], both)
        state = step(state, layers, acute=index > 0 and activation.acute)
    if hidden > unrolled:
        rest = jax.tree.map(lambda array: array[1:], both)
        state, _ = jax.lax.scan(
            lambda state, layers: (step(state, layers, activation.acute), None), state, rest
        )
    pairs, ntk = state
    return pairs.correlation, ntk


@partial(jax.jit, static_argnames=("activation", "diagonal"))
def kernels_between(
    one: Points, two: Points, *, activation: Activation, diagonal: bool = False
) -> LimitingKernels:
    """Kernels (n, m) of all pairs; `diagonal` asserts that both arguments are the same points."""
    pairs = input_pairs(
        one.direction, two.direction, np.dtype(one.deviation.dtype), diagonal=diagonal
    )
    return recursion(pairs, one, two, activation)


@partial(jax.jit, static_argnames="activation")
def kernels_at_points(points: Points, *, activation: Activation) -> LimitingKernels:
    """Kernels (n,) of points with themselves: s^2 and s^2 T, with rho = 1 in all layers."""
    dtype = points.deviation.dtype

    def slope(moments: Moments) -> Array:
        one = jax.tree.map(lambda array: array[None], moments)
        same = Pairs(*(jnp.full((1, 1), value, dtype) for value in (0, 2, 1)))
        return activation.dual(same, one, one)[1][0, 0]

    def step(ntk: Array, layer: Layer) -> tuple[Array, None]:
        return layer.carried**2 * ntk * jax.vmap(slope)(layer.moments) + 1, None

    ntk = jnp.ones_like(points.deviation)
    if len(points.layers.carried):  # a scan of length zero fails if jax.jit is disabled
        ntk, _ = jax.lax.scan(step, ntk, points.layers)
    variance = points.deviation**2
    return LimitingKernels(variance, variance * ntk)


def limiting_kernels(
    x1: Inputs,
    x2: OtherInputs,
    *,
    activation: Activation,
    depth: int,
    beta: float,
    weight_gain: float = 1.0,
) -> LimitingKernels:
    """NNGP kernel Sigma^L(x, x') and limiting NTK Theta_inf^L(x, x'), each (n, m).

    JGH Proposition 1 and Theorem 1, with a gain sigma_w on the weights:
    Sigma^1 = sigma_w^2 x.x'/n_0 + beta^2, Sigma^{l+1} = sigma_w^2 E[sigma sigma] + beta^2,
    Theta^{l+1} = sigma_w^2 Theta^l E[sigma' sigma'] + Sigma^{l+1}. `depth` L counts weight layers.

    All pairs are evaluated at once in the dtype of the inputs x1 (n, d) and x2 (m, d); use `tiles`
    for many inputs. In float64 the error is rounding error at any angle between the inputs, plus
    `Activation.error`.
    """
    dtype, features = np.dtype(x1.dtype), x1.shape[1]
    network = {"activation": activation, "depth": depth, "beta": beta, "weight_gain": weight_gain}
    one, two = (
        points(*directions(x, dtype), features=features, dtype=dtype, **network) for x in (x1, x2)
    )
    return kernels_between(one, two, activation=activation)
