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

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from ntkflow.aliases import Array
from ntkflow.kernels.composed_layers import Held, added, apply_step, held, whole
from ntkflow.kernels.composed_points import (
    NO_PARTS,
    ComposedPoints,
    between_inputs,
    reads_everywhere,
)
from ntkflow.kernels.limiting import LimitingKernels
from ntkflow.kernels.schedule import Schedule, Step
from ntkflow.kernels.tiles import VECTORS


def _single(state: Held, one: Any, two: Any, *, step: Step, diagonal: bool) -> Held:
    before = whole(state, step.everywhere)
    return held(apply_step(step, before, one, two, diagonal=diagonal), step)


def _sum(
    ends: list[Held], one: tuple[Array, Array], two: tuple[Array, Array], *, step: Step
) -> Held:
    return held(added(step, [whole(end, step.after) for end in ends], one, two), step)


class Programs(NamedTuple):
    """Compiled `_single` and `_sum`; `TRACED` for use within `jax.jit`, without its options."""

    single: Callable[..., Held]
    sum: Callable[..., Held]


def _programs(options: dict[str, Any] | None) -> Programs:
    single = jax.jit(_single, static_argnames=("step", "diagonal"), compiler_options=options)
    return Programs(single, jax.jit(_sum, static_argnames="step", compiler_options=options))


COMPILED, TRACED = _programs(VECTORS), _programs(None)


def composed_between(
    one: ComposedPoints,
    two: ComposedPoints,
    *,
    first: Step | None,
    steps: Schedule,
    diagonal: bool = False,
    programs: Programs = COMPILED,
) -> LimitingKernels:
    """Kernels (n, m) of all pairs; `diagonal` asserts that both arguments are the same points."""
    pairs = between_inputs(
        one.direction,
        two.direction,
        dtype=np.dtype(one.deviation.dtype),
        everywhere=reads_everywhere(steps),
        diagonal=diagonal,
    )
    start = Held(pairs, None if first is None else pairs.correlation)
    state = _run(steps, start, (one.steps, two.steps), diagonal, programs)
    return _scaled(state, one.deviation, two.deviation)


@jax.jit
def _scaled(end: Held, one: Array, two: Array) -> LimitingKernels:
    state = whole(end, everywhere=False)
    scale = one[:, None] * two[None, :]
    ntk = state.pairs.correlation if state.ntk is None else state.ntk
    return LimitingKernels(
        scale * state.pairs.correlation.reshape(scale.shape), scale * ntk.reshape(scale.shape)
    )


def _run(
    steps: Schedule, state: Held, points: tuple[Any, Any], diagonal: bool, programs: Programs
) -> Held:
    """State after all steps.

    Each step is compiled separately. Otherwise XLA would fuse a layer into every window that reads
    from it, and compute it several times.
    """
    for step, first, second in zip(steps, *points, strict=True):
        if step.parts == NO_PARTS:
            state = programs.single(state, first, second, step=step, diagonal=diagonal)
            continue
        sides = zip(step.parts, zip(first.parts, second.parts, strict=True), strict=True)
        ends = [_run(part, state, both, diagonal, programs) for part, both in sides]
        state = programs.sum(ends, first.shares, second.shares, step=step)
    return state
