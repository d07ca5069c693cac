"""Sums of entries over the windows of convolution, pooling and flattening.

The filter of a convolution moves over both positions of an entry at once, so its sums are sums of
shifted slices, one axis of positions at a time. Pooling sums over each position separately.
"""

from functools import partial
from math import prod

import jax.numpy as jnp
import numpy as np
from jax.lax import optimization_barrier, slice_in_dim

from ntkflow.aliases import Array
from ntkflow.kernels.layers import (
    AveragePool,
    Convolution,
    Flatten,
    GlobalAveragePool,
    padding_before,
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
    for axis in range(axes):
        places = (axis, axes + 1 + axis) if both else (axis,)
        # Otherwise XLA would recompute an entry for each window that contains it, on each axis.
        grid = optimization_barrier(grid)
        if isinstance(layer, Convolution):
            stride = layer.strides[axis] if layer.strides else 1
            slide = partial(_sum_slices, width=layer.filter_shape[axis], stride=stride)
            grid = slide(_padded(grid, places, layer, axis), places)
        else:
            strides = layer.strides or layer.window
            for place in places:
                grid = _sum_slices(grid, (place,), layer.window[axis], strides[axis])
    count = prod(grid.shape[:axes])
    return grid.reshape(count, n, *((count,) if both else ()), rest[-1])


def _padded(grid: Array, places: tuple[int, ...], layer: Convolution, axis: int) -> Array:
    """Entries padded along the axes `places`, with zeros or by wrapping around."""
    stride, size = (layer.strides[axis] if layer.strides else 1), grid.shape[places[0]]
    before, after = padding_before(size, layer.filter_shape[axis], stride, layer.padding)
    if layer.padding == "circular":
        for place in places:
            grid = jnp.take(grid, np.arange(-before, size + after) % size, axis=place)
        return grid
    widths = [(before, after) if place in places else (0, 0) for place in range(grid.ndim)]
    return jnp.pad(grid, widths)


def _sum_slices(grid: Array, places: tuple[int, ...], width: int, stride: int) -> Array:
    """Sum of slices of entries, one per offset in a window, shifted along all `places` at once."""
    count = (grid.shape[places[0]] - width) // stride + 1
    total = None
    for offset in range(width):
        part = grid
        for place in places:
            part = slice_in_dim(part, offset, offset + (count - 1) * stride + 1, stride, place)
        total = part if total is None else total + part
    assert total is not None
    return total
