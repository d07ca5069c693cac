"""Products with a kernel that stays where it lies: in a Zarr store, read block by block.

A kernel is an array in memory or an `xr.DataArray` that reads on demand, as `open_store` gives it;
either precision. Arithmetic is in float64 whatever the kernel is stored in. Of a symmetric kernel
only the blocks on and above the diagonal are read, each for both triangles: half of the bytes.
"""

import math
from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

__all__ = [
    "Kernel",
    "all_finite",
    "dense_upper_triangle",
    "product",
    "smallest_memory",
    "symmetric_columns",
    "symmetric_part",
    "symmetric_product",
    "upper_blocks",
]

Kernel = NDArray[np.floating] | xr.DataArray

LARGEST_BLOCK = 2048
"""Rows of a block at most, unless a chunk has more: larger ones are no faster to multiply with."""

SMALLEST_BLOCK = 128
"""Rows of a block, at least, of a kernel in memory, which has no chunks."""


def symmetric_product(
    kernel: Kernel, vectors: NDArray[np.float64], *, memory: float
) -> NDArray[np.float64]:
    """K V for a symmetric kernel K (N, N) and V (N, k), in one pass over half of K.

    Parameters
    ----------
    kernel
        The kernel. Below the diagonal it is taken to be what it is above.
    vectors
        V, in memory, as is the result; neither counts towards `memory`.
    memory
        Bytes for the blocks.

    Raises
    ------
    ValueError
        If the kernel is not square, finite and symmetric, V has another number of rows, or
        `memory` is too little for a block of one chunk.
    """
    _check_rows(kernel, vectors)
    result = np.zeros_like(vectors)
    for rows, columns, block in upper_blocks(kernel, memory=memory):
        result[rows] += block @ vectors[columns]
        if rows != columns:
            result[columns] += block.T @ vectors[rows]
    return result


def product(kernel: Kernel, vectors: NDArray[np.float64], *, memory: float) -> NDArray[np.float64]:
    """K V for a kernel K (M, N) between other points, and V (N, k); otherwise as above.

    Raises
    ------
    ValueError
        If the kernel is not finite, V has another number of rows, or `memory` is too little.
    """
    _check_rows(kernel, vectors)
    result = np.zeros((kernel.shape[0], vectors.shape[1]))
    size = _block_rows(kernel, memory)
    for rows in _slices(kernel.shape[0], size):
        for columns in _slices(kernel.shape[1], size):
            result[rows] += _read(kernel, rows, columns) @ vectors[columns]
    return result


def symmetric_columns(
    kernel: Kernel, chosen: NDArray[np.intp], *, memory: float
) -> NDArray[np.float64]:
    """Some columns (N, chosen) of a symmetric kernel (N, N), in one pass over half of it.

    Columns all over a store are in all of its chunks: read by themselves they would cost the whole.
    """
    result = np.empty((kernel.shape[0], len(chosen)))
    for rows, columns, block in upper_blocks(kernel, memory=memory):
        within = np.flatnonzero((chosen >= columns.start) & (chosen < columns.stop))
        result[rows, within] = block[:, chosen[within] - columns.start]
        within = np.flatnonzero((chosen >= rows.start) & (chosen < rows.stop))
        result[columns, within] = block[chosen[within] - rows.start].T
    return result


def dense_upper_triangle(kernel: Kernel, *, memory: float) -> NDArray[np.float64]:
    """A symmetric kernel (N, N) in memory and in float64, zero in most of its lower triangle.

    LAPACK reads one triangle. It works in place on the transpose, which is in Fortran's order.
    `memory` is for the blocks, without the result.
    """
    points = kernel.shape[0]
    result = np.zeros((points, points))
    for rows, columns, block in upper_blocks(kernel, memory=memory):
        result[rows, columns] = block
    return result


def upper_blocks(
    kernel: Kernel, *, memory: float
) -> Iterator[tuple[slice, slice, NDArray[np.float64]]]:
    """Blocks of a symmetric kernel on and above the diagonal: rows, columns, entries in float64.

    Blocks on the diagonal are symmetric to the last bit. Blocks may be views of the kernel.

    Raises
    ------
    ValueError
        If the kernel is not square, not finite, or not symmetric in a block on the diagonal; or
        `memory`, in bytes, is too little for a block of one chunk.
    """
    if len(kernel.shape) != 2 or kernel.shape[0] != kernel.shape[1]:
        raise ValueError(f"the kernel has the shape {kernel.shape}, expected (N, N)")
    slices = list(_slices(kernel.shape[0], _block_rows(kernel, memory)))
    for i, rows in enumerate(slices):
        yield rows, rows, symmetric_part(_stored(kernel, rows, rows))
        for columns in slices[i + 1 :]:
            yield rows, columns, _read(kernel, rows, columns)


def symmetric_part(kernel: NDArray[np.floating]) -> NDArray[np.float64]:
    """The kernel in float64, symmetric to the last bit.

    Raises
    ------
    ValueError
        If the kernel is empty, not finite, or further from its transpose than rounding explains.
    """
    if kernel.size == 0:
        raise ValueError("the kernel is empty; expected at least one training point")
    _check_finite(kernel)
    asymmetry = np.abs(kernel - kernel.T).max()
    tolerance = np.sqrt(np.finfo(kernel.dtype).eps) * np.abs(kernel).max()
    if asymmetry > tolerance:
        raise ValueError(
            f"the kernel differs from its transpose by {asymmetry:.3g}, expected at most "
            f"{tolerance:.3g}; rows and columns must be the same points in the same order"
        )
    double = kernel.astype(np.float64, copy=False)
    symmetric = double + double.T
    symmetric /= 2
    return symmetric


def _read(kernel: Kernel, rows: slice, columns: slice) -> NDArray[np.float64]:
    block = _stored(kernel, rows, columns)
    _check_finite(block)
    return block.astype(np.float64, copy=False)


def _stored(kernel: Kernel, rows: slice, columns: slice) -> NDArray[np.floating]:
    """A block in the precision of the store."""
    # Without the coordinates, which every `isel` of a DataArray would cut too.
    array = kernel.variable if isinstance(kernel, xr.DataArray) else kernel
    block: NDArray[np.floating] = np.asarray(array[rows, columns])
    return block


def all_finite(block: NDArray[np.floating]) -> bool:
    """Return True if all entries are finite, without as many booleans unless the sum overflows."""
    return bool(np.isfinite(block.sum(dtype=np.float64)) or np.isfinite(block).all())


def _check_finite(block: NDArray[np.floating]) -> None:
    if not all_finite(block):
        raise ValueError(
            f"{np.count_nonzero(~np.isfinite(block))} of {block.size} kernel entries are not "
            "finite; look at the inputs and at the activation"
        )


def _check_rows(kernel: Kernel, vectors: NDArray[np.float64]) -> None:
    if kernel.shape[1] != vectors.shape[0]:
        raise ValueError(
            f"a kernel of shape {kernel.shape} and {vectors.shape[0]} rows to multiply with; "
            f"expected one for each of the {kernel.shape[1]} points"
        )


def _slices(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def smallest_memory(kernel: Kernel) -> int:
    """Bytes that blocks of this kernel take at least."""
    return _entry_bytes(kernel) * min(_chunk(kernel), max(kernel.shape)) ** 2


def _block_rows(kernel: Kernel, memory: float) -> int:
    """Rows and columns of a block: whole chunks, as many as the memory allows."""
    chunk, needed = _chunk(kernel), smallest_memory(kernel)
    if memory < needed:
        raise ValueError(
            f"{max(memory, 0):,.0f} bytes of memory are left for blocks of the kernel, which take "
            f"{needed:,} or more ({chunk} rows and columns, as in its store): allow more memory, "
            "or write the kernel in smaller chunks"
        )
    affordable = math.isqrt(int(memory / _entry_bytes(kernel)))
    return max(min(affordable, LARGEST_BLOCK) // chunk, 1) * chunk


def _entry_bytes(kernel: Kernel) -> int:
    """Bytes an entry of a block takes at most.

    As stored, twice more while it is read (decompressed chunks, the array they are put into), and
    in float64 with its transpose.
    """
    return 3 * int(kernel.dtype.itemsize) + 2 * 8


def _chunk(kernel: Kernel) -> int:
    """Rows of a chunk of the store, or columns where they are more."""
    stored = kernel.encoding.get("chunks") if isinstance(kernel, xr.DataArray) else None
    return max(stored) if stored else SMALLEST_BLOCK
