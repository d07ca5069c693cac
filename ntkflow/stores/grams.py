"""Gram matrices block by block, as Dask arrays."""

from collections.abc import Callable, Sequence

import dask.array as da
import numpy as np
from numpy.typing import ArrayLike

__all__ = ["lift"]

BlockKernel = Callable[[np.ndarray, np.ndarray], Sequence[ArrayLike]]


def lift(
    kernel: BlockKernel, x1: np.ndarray, x2: np.ndarray, *, kernels: int, block: int
) -> da.Array:
    """Evaluate `kernel` on all pairs of rows of x1 (n, d) and x2 (m, d), lazily, block by block.

    Parameters
    ----------
    kernel
        Maps (a, d) and (b, d) arrays to (a, b) arrays, several kernels in one pass.
    kernels
        How many it returns.
    block
        Rows and columns of a block; also the chunks of the result.

    Returns
    -------
    (kernels, n, m) Dask array. It equals the kernel of whole x1 and x2 up to rounding.
    """
    rows = da.from_array(x1, chunks=(block, -1))
    columns = da.from_array(x2, chunks=(block, -1))
    return da.blockwise(
        lambda a, b: np.stack([np.asarray(gram) for gram in kernel(a, b)]),
        "kij",
        rows,
        "id",
        columns,
        "jd",
        new_axes={"k": kernels},
        concatenate=True,
        align_arrays=False,  # all pairs of blocks are wanted: no cause for Dask to warn of so many
        dtype=np.result_type(x1, x2),
        meta=np.empty((0, 0, 0), np.result_type(x1, x2)),
    )
