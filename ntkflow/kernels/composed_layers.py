"""Recursion for the kernels between two lists of inputs, layer by layer; see `composed`."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from ntkflow.aliases import Array
from ntkflow.kernels.dual import Moments
from ntkflow.kernels.layers import (
    Activate,
    AveragePool,
    Convolution,
    Dense,
    GlobalAveragePool,
    LayerNorm,
)
from ntkflow.kernels.pairs import Pairs, bounded, from_acute, from_both, mixture
from ntkflow.kernels.schedule import Step, stays_acute
from ntkflow.kernels.windows import same_positions, window_sums

Entries: TypeAlias = Any
"""Array (p, n, q, m), or (p, n, m) of entries at the same position of both inputs."""


class Weights(NamedTuple):
    """An averaging layer at n inputs: factors before and after sums over its windows.

    `contributions` (p, n, k) are the weights w_k, or g for pooling, with that of the bias last.
    `spread` (p, n) is M for pooling and 0 for other layers.
    """

    inside: Array
    outside: Array
    contributions: Array
    spread: Array


class Activated(NamedTuple):
    """An activation at n inputs; `carried` (p, n) is the ratio of deviations before and after."""

    moments: Moments
    carried: Array


class State(NamedTuple):
    """Entries between two lists of inputs; `ntk` is None before the first weights."""

    pairs: Pairs
    ntk: Entries | None


class Held(NamedTuple):
    """`State` between two programs; `pairs` is 1 - rho alone if no correlation is negative."""

    pairs: Pairs | Entries
    ntk: Entries | None


def whole(kept: Held, everywhere: bool) -> State:
    """`State` from `Held`, without entries between different positions unless they are needed."""
    pairs, ntk = kept
    state = State(pairs if isinstance(pairs, Pairs) else from_acute(pairs), ntk)
    return restricted(state, everywhere)


def restricted(state: State, everywhere: bool) -> State:
    """State without entries between different positions, unless they are needed."""
    if everywhere or state.pairs.minus.ndim == 3:
        return state
    return jax.tree.map(same_positions, state)


def held(state: State, step: Step) -> Held:
    """`Held` from the output of a step: the arrays that the next step reads."""
    state = restricted(state, step.after)
    return Held(state.pairs.minus if stays_acute(step) else state.pairs, state.ntk)


def apply_step(step: Step, state: State, one: Any, two: Any, *, diagonal: bool) -> State:
    """Entries of the output of a layer from those of its input."""
    layer = step.layer
    if isinstance(layer, Activate):
        return _activated(step, state, one, two)
    if isinstance(layer, LayerNorm):  # `State` is divided by both deviations already
        return state
    return _averaged(step, state, one, two, diagonal)


def _cross(
    combine: Callable[[Array, Array], Array], one: Array, two: Array, everywhere: bool
) -> Entries:
    """Values of `combine` at entries of two lists of inputs, (p, n) and (q, m)."""
    if everywhere:
        return combine(one[:, :, None, None], two[None, None, :, :])
    return combine(one[:, :, None], two[:, None, :])


_product = partial(_cross, jnp.multiply)


def _averaged(step: Step, state: State, one: Weights, two: Weights, diagonal: bool) -> State:
    before, after = step.everywhere, step.after

    def average(part: Entries) -> Entries:
        sums = window_sums(_product(one.inside, two.inside, before) * part, step)
        sums = sums if after or sums.ndim == 3 else same_positions(sums)
        return _product(one.outside, two.outside, after) * sums

    turn = _turn(one, two, after)
    bias = _product(one.contributions[..., -1], two.contributions[..., -1], after)
    pairs = mixture(state.pairs, average, turn, bias)
    if isinstance(step.layer, AveragePool | GlobalAveragePool):
        pairs = _clipped(pairs, after, diagonal)
    if step.acute:
        pairs = from_acute(pairs.minus)
    elif isinstance(step.layer, Convolution):  # cheaper than sums of correlations too
        pairs = from_both(pairs.minus, pairs.plus)
    ntk = None if state.ntk is None else average(state.ntk)
    if isinstance(step.layer, Dense | Convolution):
        ntk = pairs.correlation if ntk is None else ntk + pairs.correlation
    return State(pairs, ntk)


def _turn(one: Weights, two: Weights, after: bool) -> Entries:
    """(1/2) (sum_k (w_k - w'_k)^2 - M - M'), with M = 0 except for pooling; see `composed`."""
    squares = partial(_cross, lambda first, second: (first - second) ** 2)
    contributions = range(one.contributions.shape[-1])
    turns = (
        squares(one.contributions[..., k], two.contributions[..., k], after) for k in contributions
    )
    return (sum(turns) - _cross(jnp.add, one.spread, two.spread, after)) / 2


def _clipped(pairs: Pairs, everywhere: bool, diagonal: bool) -> Pairs:
    """`Pairs` clipped to their range; if `diagonal`, 1 - rho of a value with itself is 0."""
    minus, plus = (jnp.maximum(part, 0) for part in (pairs.minus, pairs.plus))
    if diagonal:
        (p, n), shape = minus.shape[:2], minus.shape
        same = jnp.eye(n, dtype=bool)[None, :, :]
        if everywhere:
            same = jnp.eye(p * n, dtype=bool).reshape(shape)
        minus = jnp.where(same, 0, minus)
    return Pairs(minus, plus, bounded(pairs.correlation))


def _activated(step: Step, state: State, one: Activated, two: Activated) -> State:
    assert isinstance(step.layer, Activate)
    dual = partial(step.layer.activation.dual, acute=step.acute)
    shape = state.pairs.minus.shape
    if len(shape) == 4:
        p, n, q, m = shape
        matrices = Pairs(*(part.reshape(p * n, q * m) for part in state.pairs))
        flat = (
            jax.tree.map(lambda array: array.reshape(-1, *array.shape[2:]), points.moments)
            for points in (one, two)
        )
        pairs, slope = dual(matrices, *flat)
        pairs, slope = jax.tree.map(lambda array: array.reshape(shape), (pairs, slope))
    else:
        pairs, slope = jax.vmap(dual)(state.pairs, one.moments, two.moments)
    if state.ntk is None:
        return State(pairs, None)
    return State(pairs, _product(one.carried, two.carried, len(shape) == 4) * state.ntk * slope)


def added(
    step: Step, ends: list[State], one: tuple[Array, Array], two: tuple[Array, Array]
) -> State:
    """Entries of the sum of a branch and a shortcut."""
    everywhere = step.after
    shares = [_product(a, b, everywhere) for a, b in zip(one, two, strict=True)]
    squares = partial(_cross, lambda first, second: (first - second) ** 2)
    turn = (squares(one[0], two[0], everywhere) + squares(one[1], two[1], everywhere)) / 2

    def total(parts: list[Any]) -> Any:
        found = [s * part for s, part in zip(shares, parts, strict=True) if part is not None]
        return sum(found[1:], found[0]) if found else None

    columns = zip(*(end.pairs for end in ends), strict=True)
    minus, plus, correlation = (total(list(parts)) for parts in columns)
    pairs = Pairs(minus + turn, plus + turn, correlation)
    if stays_acute(step):
        pairs = from_acute(pairs.minus)
    return State(pairs, total([end.ntk for end in ends]))
