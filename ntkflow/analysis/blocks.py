"""Products with a kernel in memory or read block by block from a Zarr store.

A kernel is an array in memory or an `xr.DataArray` that reads on demand, as `open_store` returns
it, in float32 or float64. Arithmetic is in float64 in both cases. Only the blocks of a symmetric
kernel on and above the diagonal are read, which is half of the bytes. An operator is a kernel that
is never formed.
"""

import math
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import xarray as xr
from numpy.typing import NDArray


@runtime_checkable
class Operator(Protocol):
    """A symmetric kernel (N, N) that is never formed, but multiplies vectors."""

    @property
    def shape(self) -> tuple[int, int]:
        """(N, N)."""

    def multiply(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """K V (N, c) for V (N, c)."""

    def columns(self, selected: NDArray[np.intp]) -> NDArray[np.float64]:
        """Selected columns (N, selected)."""


FormedKernel = NDArray[np.floating] | xr.DataArray
Kernel = FormedKernel | Operator

LARGEST_BLOCK = 2048
"""Largest number of rows of a block, unless a chunk has more; larger blocks are not faster."""

SMALLEST_BLOCK = 128
"""Smallest number of rows of a block of a kernel in memory, which has no chunks."""


def symmetric_product(
    kernel: Kernel, vectors: NDArray[np.float64], *, memory: float
) -> NDArray[np.float64]:
    """K V for a symmetric kernel K (N, N) and V (N, k), in one pass over half of K.

    Neither V nor the result counts towards `memory`, the bytes for the blocks.
    """
    if isinstance(kernel, Operator):
        return kernel.multiply(vectors)
    result = np.zeros_like(vectors)
    for rows, columns, block in upper_blocks(kernel, memory=memory):
        result[rows] += block @ vectors[columns]
        if rows != columns:
            result[columns] += block.T @ vectors[rows]
    return result


def product(
    kernel: FormedKernel, vectors: NDArray[np.float64], *, memory: float
) -> NDArray[np.float64]:
    """K V for a kernel K (M, N) between two sets of points, and V (N, k); `memory` is in bytes."""
    result = np.zeros((kernel.shape[0], vectors.shape[1]))
    size = _block_rows(kernel, memory)
    for rows in _slices(kernel.shape[0], size):
        for columns in _slices(kernel.shape[1], size):
            result[rows] += _read(kernel, rows, columns) @ vectors[columns]
    return result


def symmetric_columns(
    kernel: Kernel, selected: NDArray[np.intp], *, memory: float
) -> NDArray[np.float64]:
    """Selected columns (N, selected) of a symmetric kernel (N, N), in one pass over half of it.

    Scattered columns lie in all chunks of a store, so reading them alone would read all of it.
    """
    if isinstance(kernel, Operator):
        return kernel.columns(selected)
    result = np.empty((kernel.shape[0], len(selected)))
    for rows, columns, block in upper_blocks(kernel, memory=memory):
        within = np.flatnonzero((selected >= columns.start) & (selected < columns.stop))
        result[rows, within] = block[:, selected[within] - columns.start]
        within = np.flatnonzero((selected >= rows.start) & (selected < rows.stop))
        result[columns, within] = block[selected[within] - rows.start].T
    return result


def dense_upper_triangle(kernel: FormedKernel, *, memory: float) -> NDArray[np.float64]:
    """Symmetric kernel (N, N) in memory and in float64, zero in most of its lower triangle.

    LAPACK reads one triangle. It works in place on the transpose, which is in Fortran order.
    `memory` is the bytes for the blocks, without the result.
    """
    points = kernel.shape[0]
    result = np.zeros((points, points))
    for rows, columns, block in upper_blocks(kernel, memory=memory):
        result[rows, columns] = block
    return result


def dense(kernel: FormedKernel, *, memory: float) -> NDArray[np.float64]:
    """Symmetric kernel (N, N) in memory, in float64; `memory` is the bytes for the blocks."""
    result = dense_upper_triangle(kernel, memory=memory)
    for start in range(0, len(result), LARGEST_BLOCK):
        rows = slice(start, start + LARGEST_BLOCK)
        below = np.tril(result[rows, rows].T, -1)
        result[rows, rows] = np.triu(result[rows, rows]) + below
        result[rows.stop :, rows] = result[rows, rows.stop :].T
    return result


def equal_points(kernel: FormedKernel, *, memory: float) -> list[tuple[int, int]]:
    """Pairs i < j of points that a kernel (N, N) does not distinguish: K_ii + K_jj - 2 K_ij = 0.

    Equality is to rounding error of the kernel's precision; `memory` is the bytes for the blocks.
    """
    rounding = 64 * float(np.finfo(kernel.dtype).eps)
    diagonal, pairs = np.empty(kernel.shape[0]), []
    for rows, columns, block in upper_blocks(kernel, memory=memory):
        if rows == columns:
            diagonal[rows] = np.diagonal(block)
    for rows, columns, block in upper_blocks(kernel, memory=memory):
        sums = diagonal[rows, None] + diagonal[columns]
        first, second = np.nonzero(sums - 2 * block <= rounding * sums)
        found = zip((first + rows.start).tolist(), (second + columns.start).tolist(), strict=True)
        pairs += [(i, j) for i, j in found if i < j]
    return pairs


def upper_blocks(
    kernel: FormedKernel, *, memory: float
) -> Iterator[tuple[slice, slice, NDArray[np.float64]]]:
    """Yield rows, columns and float64 entries of a symmetric kernel's blocks of the upper triangle.

    Blocks on the diagonal are included and bitwise symmetric. Blocks may be views of the kernel.
    Raises ValueError if the kernel is not square, not finite, or not symmetric in a block on the
    diagonal; or `memory`, in bytes, is too little for a block of one chunk.
    """
    if len(kernel.shape) != 2 or kernel.shape[0] != kernel.shape[1]:
        raise ValueError(f"kernel: found the shape {kernel.shape}, expected (N, N)")
    slices = list(_slices(kernel.shape[0], _block_rows(kernel, memory)))
    for i, rows in enumerate(slices):
        yield rows, rows, symmetric_part(_stored(kernel, rows, rows))
        for columns in slices[i + 1 :]:
            yield rows, columns, _read(kernel, rows, columns)


def symmetric_part(kernel: NDArray[np.floating]) -> NDArray[np.float64]:
    """Bitwise symmetric part (K + K^T) / 2 of a kernel (N, N), in float64.

    Raises ValueError if it is empty, not finite, or differs from K^T by more than rounding.
    """
    if kernel.size == 0:
        raise ValueError("kernel: found an empty array, expected at least one training point")
    _check_finite(kernel)
    asymmetry = np.abs(kernel - kernel.T).max()
    tolerance = np.sqrt(np.finfo(kernel.dtype).eps) * np.abs(kernel).max()
    if asymmetry > tolerance:
        raise ValueError(
            f"kernel: found entries that differ from the transpose by {asymmetry:.3g}, expected at "
            f"most {tolerance:.3g}; rows and columns must be the same points in the same order"
        )
    double = kernel.astype(np.float64, copy=False)
    symmetric = double + double.T
    symmetric /= 2
    return symmetric


def _read(kernel: FormedKernel, rows: slice, columns: slice) -> NDArray[np.float64]:
    block = _stored(kernel, rows, columns)
    _check_finite(block)
    return block.astype(np.float64, copy=False)


def _stored(kernel: FormedKernel, rows: slice, columns: slice) -> NDArray[np.floating]:
    """Block in the precision of the store."""
    # The variable has no coordinates, which every `isel` of a DataArray would index too.
    array = kernel.variable if isinstance(kernel, xr.DataArray) else kernel
    block: NDArray[np.floating] = np.asarray(array[rows, columns])
    return block


def all_finite(block: NDArray[np.floating]) -> bool:
    """Return True if all entries are finite; a mask is allocated only if their sum is not."""
    return bool(np.isfinite(block.sum(dtype=np.float64)) or np.isfinite(block).all())


def _check_finite(block: NDArray[np.floating]) -> None:
    if not all_finite(block):
        raise ValueError(
            f"kernel: found {np.count_nonzero(~np.isfinite(block))} of {block.size} entries of a "
            "block that are not finite, expected finite ones; check the inputs and the activation"
        )


def _slices(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def smallest_memory(kernel: Kernel) -> int:
    """Smallest number of bytes that blocks of this kernel take; an operator has none."""
    if isinstance(kernel, Operator):
        return 0
    return _entry_bytes(kernel) * min(_chunk(kernel), max(kernel.shape)) ** 2


def _block_rows(kernel: FormedKernel, memory: float) -> int:
    """Number of rows and columns of a block: as many whole chunks as `memory` allows."""
    chunk, needed = _chunk(kernel), smallest_memory(kernel)
    if memory < needed:
        raise ValueError(
            f"memory: found {max(memory, 0):,.0f} bytes left for blocks of the kernel, expected "
            f"{needed:,} or more ({chunk} rows and columns, as in its store); allow more memory, "
            "or write the kernel in smaller chunks"
        )
    affordable = math.isqrt(int(memory / _entry_bytes(kernel)))
    return max(min(affordable, LARGEST_BLOCK) // chunk, 1) * chunk


def _entry_bytes(kernel: FormedKernel) -> int:
    """Largest number of bytes that an entry of a block takes.

    While it is read, an entry takes its stored size three times: in the compressed chunk, the
    decompressed chunk and the array of the block. The float64 block and its transpose add 16 bytes.
    """
    return 3 * int(kernel.dtype.itemsize) + 2 * 8


def _chunk(kernel: FormedKernel) -> int:
    """Larger of the numbers of rows and columns of a chunk of the store."""
    stored = kernel.encoding.get("chunks") if isinstance(kernel, xr.DataArray) else None
    return max(stored) if stored else SMALLEST_BLOCK
