"""Sums of entries over the windows of convolution, pooling and flattening.

The filter of a convolution moves over both positions of an entry at once, so its sums are sums of
shifted slices, one axis of positions at a time. Pooling sums over each position separately.
"""

from math import prod
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.lax import slice_in_dim

from ntkflow.aliases import Array
from ntkflow.kernels.layers import (
    AveragePool,
    Convolution,
    Flatten,
    GlobalAveragePool,
    axis_windows,
)
from ntkflow.kernels.schedule import Step


def same_positions(entries: Array) -> Array:
    """Entries (p, n, m) between equal positions, from entries (p, n, p, m) between all."""
    return jnp.moveaxis(jnp.diagonal(entries, axis1=0, axis2=2), -1, 0)


def window_sums(entries: Array, step: Step) -> Array:
    """Sums of entries (p, n, q, m), or (p, n, m) of equal positions, over a layer's windows."""
    layer, axes = step.layer, len(step.positions)
    if isinstance(layer, Flatten):
        return jnp.sum(entries, axis=0, keepdims=True)
    if isinstance(layer, GlobalAveragePool):
        return jnp.sum(entries, axis=(0, 2), keepdims=True)
    if not isinstance(layer, Convolution | AveragePool):
        return entries
    n, *rest = entries.shape[1:]
    both = len(rest) == 2
    grid = entries.reshape(*step.positions, n, *(step.positions if both else ()), rest[-1])
    for axis, reads in enumerate(axis_windows(layer, step.positions)):
        places = (axis, axes + 1 + axis) if both else (axis,)
        if isinstance(layer, Convolution):
            grid = _summed(grid, places, _runs(reads))
        else:
            for place in places:
                grid = _summed(grid, (place,), _runs(reads))
    count = prod(grid.shape[:axes])
    return grid.reshape(count, n, *((count,) if both else ()), rest[-1])


class Run(NamedTuple):
    """Consecutive windows that lie within an axis, or one that does not or wraps around."""

    first: list[int]
    """Positions that the first one reads; -1 is outside."""
    length: int
    stride: int

    def slice_of(self, entries: Array, offset: int, axis: int) -> Array:
        """Entries along an axis that the windows read at this offset."""
        start = self.first[offset]
        stop = start + (self.length - 1) * self.stride + 1
        return slice_in_dim(entries, start, stop, self.stride, axis)


def _runs(reads: np.ndarray) -> list[Run]:
    """Windows of an axis, from the positions (out, width) that they read."""
    inside = (reads >= 0).all(axis=1) & (np.diff(reads, axis=1) == 1).all(axis=1)
    runs: list[Run] = []
    for index, row in enumerate(reads):
        if index and inside[index - 1] and inside[index]:
            stride = int(row[0] - reads[index - 1, 0])
            runs[-1] = Run(runs[-1].first, runs[-1].length + 1, stride)
        else:
            runs.append(Run(row.tolist(), 1, stride=1))
    return runs


def _summed(grid: Array, places: tuple[int, ...], runs: list[Run]) -> Array:
    """Sums over windows along all `places` at once, which read at the same offset of theirs.

    Slices without padding, run by run: with padding XLA takes up to twice as long.
    """
    place, *others = places
    if not others:
        return jnp.concatenate([_of_runs(grid, places, (run,)) for run in runs], place)
    rows = (
        jnp.concatenate([_of_runs(grid, places, (run, other)) for other in runs], others[0])
        for run in runs
    )
    return jnp.concatenate(list(rows), place)


def _of_runs(grid: Array, places: tuple[int, ...], runs: tuple[Run, ...]) -> Array:
    parts = []
    for offset in range(len(runs[0].first)):
        if all(run.first[offset] >= 0 for run in runs):
            part = grid
            for place, run in zip(places, runs, strict=True):
                part = run.slice_of(part, offset, place)
            parts.append(part)
    if parts:
        return sum(parts[1:], parts[0])
    counts = {place: run.length for place, run in zip(places, runs, strict=True)}
    return jnp.zeros([counts.get(i, size) for i, size in enumerate(grid.shape)], grid.dtype)
