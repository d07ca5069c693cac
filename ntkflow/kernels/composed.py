"""NNGP kernel and limiting NTK of networks composed of layers, between lists of inputs.

In the limit a layer with weights mixes covariances. A pre-activation at position p is a sum of
contributions k with variances s_k^2 for x and s_k'^2 for x', and correlations rho_k, so that with
S^2 = sum_k s_k^2 and w_k = s_k / S (`pairs.mixture`)

    1 - rho = sum_k w_k w'_k (1 - rho_k) + (1/2) sum_k (w_k - w'_k)^2,    T = sum_k w_k w'_k T_k,

without cancellation; T is the NTK divided by S S'. Contributions are the positions of a filter or
of a flattened input, the two summands of a residual block, and the bias, whose correlation is 1.
Values at the positions of a pooling window are dependent. With g = sum_k w_k and M, the sum over
pairs of positions k, l of one input of w_k w_l (1 - rho_kl), so that g^2 - M = 1,

    1 - rho = sum_kl w_k w'_l (1 - rho_kl) + (1/2) (g - g')^2 - (1/2) (M + M'),

which is accurate to rounding error of M, the spread of values within the window.

A first layer that reads few numbers at each position needs no contributions: its kernel is that of
the vectors it reads, with the bias as one more component (`schedule.read_first`).

Quantities of single inputs (`ComposedPoints`) are computed once, in float64. Arrays of entries are
(positions, n, positions, m) if entries between different positions are needed (see `schedule`),
otherwise (positions, n, m).
"""

from functools import partial
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import AnyArray, Array
from ntkflow.kernels.composed_layers import (
    Activated,
    Held,
    State,
    Weights,
    added,
    apply_step,
    held,
    whole,
)
from ntkflow.kernels.correlation import (
    FEW_FEATURES,
    directions,
    few_channel_pairs,
    input_pairs,
)
from ntkflow.kernels.layers import (
    Activate,
    AveragePool,
    Convolution,
    Dense,
    Flatten,
    GlobalAveragePool,
    LayerNorm,
    windows,
)
from ntkflow.kernels.limiting import LimitingKernels
from ntkflow.kernels.pairs import Pairs
from ntkflow.kernels.schedule import Schedule, Step
from ntkflow.kernels.tiles import VECTORS
from ntkflow.kernels.windows import same_positions, window_sums


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
    x: AnyArray, *, first: Step | None, steps: Schedule, shape: tuple[int, ...], dtype: np.dtype
) -> ComposedPoints:
    """`ComposedPoints` of inputs (n, positions * channels) of `shape` each.

    `first` and `steps` are those of `schedule.read_first`. Quantities are in `dtype`, except that
    directions of at most `FEW_FEATURES` components stay in float64.
    """
    norm, direction, pairs = _first(x, shape=shape, first=first, everywhere=_everywhere(steps))
    quantities, deviation, _ = _trace(steps, norm, pairs)
    if direction.shape[-1] > FEW_FEATURES:
        direction = direction.astype(dtype)
    return ComposedPoints(direction, *_cast(quantities, deviation, dtype=dtype))


def _everywhere(steps: Schedule) -> bool:
    """Return True if the steps read entries between different positions."""
    return bool(steps) and steps[0].everywhere


@partial(jax.jit, static_argnames="dtype")
def _cast(quantities: Any, deviation: Array, *, dtype: np.dtype) -> Any:
    return jax.tree.map(lambda array: array.astype(dtype), (quantities, deviation[0]))


@partial(jax.jit, static_argnames=("shape", "first", "everywhere"))
def _first(
    x: Array, *, shape: tuple[int, ...], first: Step | None, everywhere: bool
) -> tuple[Array, Array, Pairs | None]:
    """Deviations (p, n) and directions (p, n, d) of what is read, and `Pairs` within each input."""
    images = jnp.asarray(x, np.float64).reshape(len(x), prod(shape[:-1]), shape[-1])

    def single(image: Array) -> tuple[Array, Array, Pairs | None]:
        norm, direction = directions(_read(image, first), np.dtype(np.float64))
        pairs = _self_pairs(direction) if everywhere else None
        return norm, direction, pairs

    return jax.vmap(single, out_axes=(1, 1, 0))(images)


def _read(image: Array, first: Step | None) -> Array:
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
    weighted = layer.weight_gain / np.sqrt(image.shape[-1]) * image
    return jnp.concatenate([weighted, jnp.full_like(weighted[:, :1], layer.beta)], axis=1)


FEW_COMPONENTS = {np.dtype(np.float32): 8, np.dtype(np.float64): 16}
"""Largest number of components of directions whose correlations come from differences in float64,
which is faster than a product."""

NO_PARTS = ((), ())


def _self_pairs(direction: Array) -> Pairs:
    """`Pairs` (p, 1, p, 1) between the positions of one input."""
    alone = direction[:, None]
    return _between_inputs(alone, alone, dtype=np.dtype(np.float64), everywhere=True, diagonal=True)


def _trace(
    steps: Schedule, deviation: Array, pairs: Pairs | None
) -> tuple[tuple[Any, ...], Array, Pairs | None]:
    """Quantities of each layer, and deviations (p, n) and `Pairs` (n, p, 1, p, 1) of the end.

    Each layer is compiled separately, so that equal layers share a program.
    """
    quantities = []
    for step in steps:
        pairs = pairs if step.everywhere else None
        advance = _summed if step.parts != NO_PARTS else _advanced
        found, deviation, pairs = advance(step, deviation, pairs)
        quantities.append(found)
    return tuple(quantities), deviation, pairs


@partial(jax.jit, static_argnames="step")
def _advanced(step: Step, deviation: Array, pairs: Pairs | None) -> tuple[Any, Array, Pairs | None]:
    """Quantities of a layer, and deviations and `Pairs` of its output."""

    def single(deviation: Array, pairs: Pairs | None) -> tuple[Any, Array, Pairs | None]:
        found, after = _quantities(step, deviation, pairs)
        if not step.after or pairs is None:
            return found, after, None
        alone = jax.tree.map(lambda array: array[:, None], found)
        return found, after, apply_step(step, State(pairs, None), alone, alone, diagonal=True).pairs

    return jax.vmap(single, in_axes=(1, 0), out_axes=(1, 1, 0))(deviation, pairs)


def _quantities(step: Step, deviation: Array, pairs: Pairs | None) -> tuple[Any, Array]:
    """Quantities of a layer at one input, and the deviations (p,) of its output."""
    layer = step.layer
    if isinstance(layer, Activate):
        moments = layer.activation.moments(deviation**2)
        return Activated(moments, _over(deviation, moments.root)), moments.root
    if isinstance(layer, LayerNorm):
        return (), jnp.where(deviation > 0, jnp.ones_like(deviation), 0)
    return _weights(step, deviation, pairs)


def _summed(
    step: Step, deviation: Array, pairs: Pairs | None
) -> tuple[Summed, Array, Pairs | None]:
    """Quantities of a residual block, and deviations and `Pairs` of its output."""
    traced = [_trace(part, deviation, pairs) for part in step.parts]
    (branch, one, within), (shortcut, two, other) = traced
    after = jnp.hypot(one, two)
    shares = _over(one, after), _over(two, after)
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


def _weights(step: Step, deviation: Array, pairs: Pairs | None) -> tuple[Weights, Array]:
    """`Weights` of a layer at one input, and the deviations of its output."""
    layer = step.layer
    gain, beta = (getattr(layer, name, value) for name, value in (("weight_gain", 1), ("beta", 0)))
    if isinstance(layer, AveragePool | GlobalAveragePool):
        return _pooled(step, deviation, pairs)
    if isinstance(layer, Convolution):
        count, reads = prod(layer.filter_shape), windows(layer, step.positions)
        inputs = jnp.where(reads >= 0, deviation[reads], 0)
    else:  # a dense layer reads one position, a flattened input all of them
        count = len(deviation) if isinstance(layer, Flatten) else 1
        inputs = deviation[None, :] if isinstance(layer, Flatten) else deviation[:, None]
    inputs = gain / np.sqrt(count) * inputs
    bias = jnp.full_like(inputs[:, :1], beta)
    after = _length(jnp.concatenate([inputs, bias], axis=1))
    shares = _over(jnp.concatenate([inputs, bias], axis=1), after[:, None])
    inside = gain / np.sqrt(count) * deviation
    return Weights(inside, _over(jnp.ones_like(after), after), shares, 0 * after), after


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

    after = jnp.sqrt(jnp.maximum(variances(outer * pairs.correlation), 0))
    total = variances(outer * jnp.ones_like(pairs.minus))
    spread = _over(variances(outer * pairs.minus), after**2)
    weights = jnp.stack([_over(jnp.sqrt(total), after), 0 * after], axis=1)
    return Weights(inside, _over(jnp.ones_like(after), after), weights, spread), after


def _over(part: Array, whole: Array) -> Array:
    """part / whole, or 0 if `whole` is 0."""
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1), 0)


def _length(parts: Array) -> Array:
    """Square roots of the sums of squares of rows, without over- or underflow."""
    largest = jnp.max(jnp.abs(parts), axis=1, keepdims=True)
    scaled = _over(parts, largest)
    return largest[:, 0] * jnp.sqrt(jnp.sum(scaled**2, axis=1))


def composed_between(
    one: ComposedPoints,
    two: ComposedPoints,
    *,
    first: Step | None,
    steps: Schedule,
    diagonal: bool = False,
) -> LimitingKernels:
    """Kernels (n, m) of all pairs; `diagonal` asserts that both arguments are the same points."""
    pairs = _between_inputs(
        one.direction,
        two.direction,
        dtype=np.dtype(one.deviation.dtype),
        everywhere=_everywhere(steps),
        diagonal=diagonal,
    )
    start = Held(pairs, None if first is None else pairs.correlation)
    state = _run(steps, start, one.steps, two.steps, diagonal)
    return _scaled(state, one.deviation, two.deviation)


@jax.jit
def _scaled(end: Held, one: Array, two: Array) -> LimitingKernels:
    state = whole(end, everywhere=False)
    scale = one[:, None] * two[None, :]
    ntk = state.pairs.correlation if state.ntk is None else state.ntk
    return LimitingKernels(
        scale * state.pairs.correlation.reshape(scale.shape), scale * ntk.reshape(scale.shape)
    )


@partial(jax.jit, static_argnames=("dtype", "everywhere", "diagonal"))
def _between_inputs(
    one: Array, two: Array, *, dtype: np.dtype, everywhere: bool, diagonal: bool
) -> Pairs:
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


def _run(steps: Schedule, state: Held, one: Any, two: Any, diagonal: bool) -> Held:
    """State after all steps.

    Each step is compiled separately. Otherwise XLA would fuse a layer into every window that reads
    from it, and compute it several times.
    """
    for step, first, second in zip(steps, one, two, strict=True):
        if step.parts == NO_PARTS:
            state = _single(state, first, second, step=step, diagonal=diagonal)
            continue
        sides = zip(step.parts, first.parts, second.parts, strict=True)
        ends = [_run(part, state, first, second, diagonal) for part, first, second in sides]
        state = _sum(ends, first.shares, second.shares, step=step)
    return state


@partial(jax.jit, static_argnames=("step", "diagonal"), compiler_options=VECTORS)
def _single(state: Held, one: Any, two: Any, *, step: Step, diagonal: bool) -> Held:
    before = whole(state, step.everywhere)
    return held(apply_step(step, before, one, two, diagonal=diagonal), step)


@partial(jax.jit, static_argnames="step", compiler_options=VECTORS)
def _sum(
    ends: list[Held], one: tuple[Array, Array], two: tuple[Array, Array], *, step: Step
) -> Held:
    return held(added(step, [whole(end, step.after) for end in ends], one, two), step)
