"""Quantities of single inputs from which the kernels of composed layers follow; see `composed`."""

from collections.abc import Mapping
from functools import partial
from math import prod
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import AnyArray, Array
from ntkflow.kernels.composed_layers import Activated, State, Weights, added, apply_step
from ntkflow.kernels.correlation import (
    FEW_FEATURES,
    SMALLEST_NORM,
    directions,
    few_channel_pairs,
    input_pairs,
)
from ntkflow.kernels.dual import length, over, square_root
from ntkflow.kernels.layers import (
    Activate,
    AveragePool,
    Convolution,
    Dense,
    Flatten,
    GlobalAveragePool,
    Layer,
    LayerNorm,
    windows,
)
from ntkflow.kernels.pairs import Pairs
from ntkflow.kernels.schedule import Schedule, Step
from ntkflow.kernels.windows import same_positions, window_sums

Factor = tuple[Array, Array] | None
"""`beta` and `weight_gain` of a layer; None for its own."""
Factors = Mapping[str, tuple[Array, Array]]
NO_FACTORS: Factors = MappingProxyType({})


class Summed(NamedTuple):
    """A residual block at n inputs: weights w_k (p, n), and quantities, of branch and shortcut."""

    shares: tuple[Array, Array]
    parts: tuple[tuple[Any, ...], tuple[Any, ...]]


class ComposedPoints(NamedTuple):
    """Quantities of n inputs from which their kernels follow.

    `direction` (p, n, d) of what the first layer reads; `steps`, one of `Weights`, `Activated`,
    `Summed` or () per layer after it; and the `deviation` (n,) of the output.
    """

    direction: Array
    steps: tuple[Any, ...]
    deviation: Array


def composed_points(
    x: AnyArray,
    *,
    first: Step | None,
    steps: Schedule,
    shape: tuple[int, ...],
    dtype: np.dtype,
    factors: Factors = NO_FACTORS,
    smallest: float = 0.0,
) -> ComposedPoints:
    """`ComposedPoints` of inputs (n, positions * channels) of `shape` each.

    `first` and `steps` are those of `schedule.read_first`. Quantities are in `dtype`, except that
    directions of at most `FEW_FEATURES` components stay in float64. `factors`, by the places of
    layers, replace the factors of these layers. `smallest` is that of the deviations that are read.
    """
    own = None if first is None else factors.get(first.place)
    norm, direction, pairs = _first(
        x, own, shape=shape, first=first, everywhere=reads_everywhere(steps)
    )
    quantities, deviation, _ = _trace(steps, jnp.maximum(norm, smallest), pairs, factors)
    if direction.shape[-1] > FEW_FEATURES:
        direction = direction.astype(dtype)
    return ComposedPoints(direction, *_cast(quantities, deviation, dtype=dtype))


def reads_everywhere(steps: Schedule) -> bool:
    """Return True if the steps read entries between different positions."""
    return bool(steps) and steps[0].everywhere


@partial(jax.jit, static_argnames="dtype")
def _cast(quantities: Any, deviation: Array, *, dtype: np.dtype) -> Any:
    return jax.tree.map(lambda array: array.astype(dtype), (quantities, deviation[0]))


@partial(jax.jit, static_argnames=("shape", "first", "everywhere"))
def _first(
    x: Array, factor: Factor, *, shape: tuple[int, ...], first: Step | None, everywhere: bool
) -> tuple[Array, Array, Pairs | None]:
    """Deviations (p, n) and directions (p, n, d) of what is read, and `Pairs` within each input."""
    images = jnp.asarray(x, np.float64).reshape(len(x), prod(shape[:-1]), shape[-1])

    def single(image: Array) -> tuple[Array, Array, Pairs | None]:
        norm, direction = directions(_read(image, first, factor), np.dtype(np.float64))
        pairs = _self_pairs(direction) if everywhere else None
        return norm, direction, pairs

    return jax.vmap(single, out_axes=(1, 1, 0))(images)


def _read(image: Array, first: Step | None, factor: Factor) -> Array:
    """Vectors (p, d) whose inner products are the kernel of an input (p, channels) or first layer.

    A layer adds its bias as one more component.
    """
    if first is None:
        return image / np.sqrt(image.shape[-1])
    layer = first.layer
    assert isinstance(layer, Dense | Convolution)
    if isinstance(layer, Convolution):
        reads = windows(layer, first.positions)
        inside = jnp.asarray(reads >= 0)[:, :, None]
        image = jnp.where(inside, image[reads], 0).reshape(len(reads), -1)
    beta, gain = _of_layer(layer, factor)
    weighted = gain / np.sqrt(image.shape[-1]) * image
    return jnp.concatenate([weighted, jnp.full_like(weighted[:, :1], beta)], axis=1)


def _of_layer(layer: Layer, factor: Factor) -> tuple[Any, Any]:
    """`beta` and `weight_gain` of a layer, 0 and 1 if it has no weights."""
    return factor or (getattr(layer, "beta", 0), getattr(layer, "weight_gain", 1))


FEW_COMPONENTS = {np.dtype(np.float32): 8, np.dtype(np.float64): 16}
"""Largest number of components of directions whose correlations come from differences in float64,
which is faster than a product."""

NO_PARTS = ((), ())


def _self_pairs(direction: Array) -> Pairs:
    """`Pairs` (p, 1, p, 1) between the positions of one input."""
    alone = direction[:, None]
    return between_inputs(alone, alone, dtype=np.dtype(np.float64), everywhere=True, diagonal=True)


def _trace(
    steps: Schedule, deviation: Array, pairs: Pairs | None, factors: Factors
) -> tuple[tuple[Any, ...], Array, Pairs | None]:
    """Quantities of each layer, and deviations (p, n) and `Pairs` (n, p, 1, p, 1) of the end.

    Each layer is compiled separately, so that equal layers share a program.
    """
    quantities = []
    for step in steps:
        pairs = pairs if step.everywhere else None
        if step.parts != NO_PARTS:
            found, deviation, pairs = _summed(step, deviation, pairs, factors)
        else:
            found, deviation, pairs = _advanced(step, deviation, pairs, factors.get(step.place))
        quantities.append(found)
    return tuple(quantities), deviation, pairs


@partial(jax.jit, static_argnames="step")
def _advanced(
    step: Step, deviation: Array, pairs: Pairs | None, factor: Factor
) -> tuple[Any, Array, Pairs | None]:
    """Quantities of a layer, and deviations and `Pairs` of its output."""

    def single(deviation: Array, pairs: Pairs | None) -> tuple[Any, Array, Pairs | None]:
        found, after = _quantities(step, deviation, pairs, factor)
        if not step.after or pairs is None:
            return found, after, None
        alone = jax.tree.map(lambda array: array[:, None], found)
        return found, after, apply_step(step, State(pairs, None), alone, alone, diagonal=True).pairs

    return jax.vmap(single, in_axes=(1, 0), out_axes=(1, 1, 0))(deviation, pairs)


def _quantities(
    step: Step, deviation: Array, pairs: Pairs | None, factor: Factor
) -> tuple[Any, Array]:
    """Quantities of a layer at one input, and the deviations (p,) of its output."""
    layer = step.layer
    if isinstance(layer, Activate):
        moments = layer.activation.moments(deviation**2)
        return Activated(moments, over(deviation, moments.root)), moments.root
    if isinstance(layer, LayerNorm):
        # Those of zero inputs are 0, or about `smallest`.
        return (), jnp.where(deviation > 1e5 * SMALLEST_NORM, jnp.ones_like(deviation), 0)
    if isinstance(layer, AveragePool | GlobalAveragePool):
        return _pooled(step, deviation, pairs)
    return _weights(step, deviation, factor)


def _summed(
    step: Step, deviation: Array, pairs: Pairs | None, factors: Factors
) -> tuple[Summed, Array, Pairs | None]:
    """Quantities of a residual block, and deviations and `Pairs` of its output."""
    traced = [_trace(part, deviation, pairs, factors) for part in step.parts]
    (branch, one, within), (shortcut, two, other) = traced
    after = length(one, two)
    shares = over(one, after), over(two, after)
    quantities = Summed(shares, (branch, shortcut))
    if not step.after or within is None or other is None:
        return quantities, after, None
    return quantities, after, _summed_pairs(step, (within, other), shares)


@partial(jax.jit, static_argnames="step")
def _summed_pairs(step: Step, within: tuple[Pairs, Pairs], shares: tuple[Array, Array]) -> Pairs:
    """`Pairs` (n, p, 1, p, 1) of the sum of a branch and a shortcut from those of both."""

    def single(within: tuple[Pairs, Pairs], shares: tuple[Array, Array]) -> Pairs:
        alone = shares[0][:, None], shares[1][:, None]
        return added(step, [State(pairs, None) for pairs in within], alone, alone).pairs

    return jax.vmap(single, in_axes=(0, 1))(within, shares)


def _weights(step: Step, deviation: Array, factor: Factor) -> tuple[Weights, Array]:
    """`Weights` of a layer at one input, and the deviations of its output."""
    layer = step.layer
    beta, gain = _of_layer(layer, factor)
    if isinstance(layer, Convolution):
        count, reads = prod(layer.filter_shape), windows(layer, step.positions)
        inputs = jnp.where(reads >= 0, deviation[reads], 0)
    else:  # a dense layer reads one position, a flattened input all of them
        count = len(deviation) if isinstance(layer, Flatten) else 1
        inputs = deviation[None, :] if isinstance(layer, Flatten) else deviation[:, None]
    inputs = gain / np.sqrt(count) * inputs
    bias = jnp.full_like(inputs[:, :1], beta)
    after = _lengths(jnp.concatenate([inputs, bias], axis=1))
    shares = over(jnp.concatenate([inputs, bias], axis=1), after[:, None])
    inside = gain / np.sqrt(count) * deviation
    return Weights(inside, over(jnp.ones_like(after), after), shares, 0 * after), after


def _pooled(step: Step, deviation: Array, pairs: Pairs | None) -> tuple[Weights, Array]:
    """`Weights` of a pooling layer at one input from the `Pairs` between its positions."""
    assert pairs is not None
    layer, size = step.layer, deviation.size
    count = size if isinstance(layer, GlobalAveragePool) else prod(getattr(layer, "window", ()))
    inside = deviation / count
    outer = inside[:, None, None, None] * inside[None, None, :, None]

    def variances(part: Array) -> Array:
        sums = window_sums(part, step)
        return same_positions(sums)[:, 0, 0] if sums.ndim == 4 else sums[:, 0, 0]

    after = square_root(jnp.maximum(variances(outer * pairs.correlation), 0))
    total = variances(outer * jnp.ones_like(pairs.minus))
    spread = over(variances(outer * pairs.minus), after**2)
    weights = jnp.stack([over(square_root(total), after), 0 * after], axis=1)
    return Weights(inside, over(jnp.ones_like(after), after), weights, spread), after


@jax.custom_jvp
def _lengths(parts: Array) -> Array:
    """Square roots of the sums of squares of rows, without over- or underflow."""
    largest = jnp.max(jnp.abs(parts), axis=1, keepdims=True)
    scaled = over(parts, largest)
    return largest[:, 0] * jnp.sqrt(jnp.sum(scaled**2, axis=1))


@_lengths.defjvp
def _lengths_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    after = _lengths(*primals)
    return after, jnp.sum(over(primals[0], after[:, None]) * tangents[0], axis=1)


@partial(jax.jit, static_argnames=("dtype", "everywhere", "diagonal"))
def between_inputs(
    one: Array, two: Array, *, dtype: np.dtype, everywhere: bool, diagonal: bool
) -> Pairs:
    """`Pairs` (p, n, m) of directions (p, n, d) and (p, m, d), or (p, n, q, m) if `everywhere`."""
    (p, n, components), (q, m, _) = one.shape, two.shape
    few = components <= FEW_COMPONENTS[dtype]
    product = partial(input_pairs, diagonal=diagonal)
    between = partial(few_channel_pairs if few else product, dtype=dtype)
    if everywhere:
        pairs = between(one.reshape(p * n, components), two.reshape(q * m, components))
        return Pairs(*(part.reshape(p, n, q, m) for part in pairs))
    if few:
        return between(one, two)
    if p == 1:
        return Pairs(*(part[None] for part in between(one[0], two[0])))
    return jax.lax.map(lambda both: between(*both), (one, two))
