"""Some extreme eigenpairs of a kernel that need not fit in memory.

As in JGH Section 5 they are those of K / N, K the kernel (N, N) between N points.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.sparse.linalg import lobpcg

from ntkflow.analysis.blocks import (
    Kernel,
    dense_upper_triangle,
    smallest_memory,
    symmetric_product,
)
from ntkflow.analysis.nystroem import (
    COPIES,
    affordable_rank,
    nystroem_preconditioner,
    precondition,
)
from ntkflow.analysis.spectrum import fix_sign

__all__ = ["Eigenpairs", "extreme_eigenpairs"]

End = Literal["largest", "smallest"]
Progress = Callable[[str], None]
Map = Callable[[NDArray[np.float64]], NDArray[np.float64]]

GUARD = 16
"""Further vectors that are iterated, at least; those wanted then converge sooner. The smallest
eigenvalue of the NTK of 4,000 images of MNIST took 128 iterations alone, 41 with 19 others."""

ROUNDS = (8, 16, 32, 48, 64, 80)
"""Iterations between looks at the eigenpairs wanted: LOBPCG itself waits for the others too."""

VECTOR_COPIES = 16
"""Arrays of the size of the iterated vectors that LOBPCG holds at most."""


class Eigenpairs(NamedTuple):
    """Eigenpairs of K / N, the outermost first."""

    values: NDArray[np.float64]
    """Eigenvalues (count,): descending for the largest, ascending for the smallest."""
    vectors: NDArray[np.float64]
    """Eigenvectors (N, count) of unit norm; the entry of largest magnitude is positive."""
    residuals: NDArray[np.float64]
    """||K v / N - lambda v|| (count,): within that distance of lambda is an eigenvalue of K / N."""
    passes: int
    """Passes over the kernel that it took."""


def extreme_eigenpairs(
    kernel: Kernel,
    count: int,
    *,
    which: End = "largest",
    memory: float,
    tolerance: float = 1e-6,
    seed: int = 0,
    progress: Progress | None = None,
) -> Eigenpairs:
    """The `count` largest or smallest eigenvalues of K / N, with their eigenvectors.

    A dense decomposition where K fits in memory in float64. LOBPCG (Knyazev 2001) otherwise: K
    remains where it lies, and is read once for each iteration. To the smallest eigenvalues the
    large ones are in the way; a Nystroem preconditioner of as high a rank as fits takes them out.

    Parameters
    ----------
    kernel
        K (N, N), symmetric, in memory or in a store.
    count
        How many; less than N / 10 where K does not fit in memory.
    memory
        Bytes that all arrays may take together.
    tolerance
        Largest residual of an eigenpair relative to its eigenvalue, down to rounding. The dense
        decomposition does better.
    seed
        Of the first vectors, and of the preconditioner.
    progress
        Called with a line for each pass.

    Raises
    ------
    ValueError
        If the kernel is not square, finite and symmetric, there are not so many eigenpairs,
        `memory` is too little, or the iteration does not converge.
    """
    points = kernel.shape[0]
    if not 1 <= count <= points:
        raise ValueError(f"count: found {count}, expected 1 to {points}, the number of points")
    held = 8 * points * (points + 4 * count + 64)
    if held + smallest_memory(kernel) <= memory:
        return _dense(kernel, count, which, memory - held)
    return _iterative(kernel, count, which, memory, tolerance, seed, progress or _silent)


def _silent(line: str) -> None:
    """No progress."""


def _dense(kernel: Kernel, count: int, which: End, memory: float) -> Eigenpairs:
    """By LAPACK, in place; the residuals take a second pass over the kernel."""
    points = kernel.shape[0]
    matrix = dense_upper_triangle(kernel, memory=memory).T
    wanted = (0, count - 1) if which == "smallest" else (points - count, points - 1)
    vectors = scipy.linalg.eigh(
        matrix, subset_by_index=wanted, overwrite_a=True, check_finite=False
    )[1]
    del matrix
    order = slice(None) if which == "smallest" else slice(None, None, -1)
    vectors = vectors[:, order]
    return _assessed(vectors, symmetric_product(kernel, vectors, memory=memory) / points, passes=2)


def _assessed(
    vectors: NDArray[np.float64], products: NDArray[np.float64], passes: int
) -> Eigenpairs:
    """Rayleigh quotients and residuals of unit vectors (N, count), from K V / N (N, count)."""
    values = np.einsum("ni,ni->i", vectors, products)
    residuals = np.linalg.norm(products - vectors * values, axis=0)
    return Eigenpairs(values, fix_sign(vectors), residuals, passes)


def _iterative(
    kernel: Kernel,
    count: int,
    which: End,
    memory: float,
    tolerance: float,
    seed: int,
    progress: Progress,
) -> Eigenpairs:
    """By LOBPCG, in rounds of more and more iterations."""
    points = kernel.shape[0]
    block = _block_size(kernel, count, memory)
    left = memory - 8 * points * block * VECTOR_COPIES
    rank = affordable_rank(kernel, left) if which == "smallest" else 0
    left -= 8 * points * rank * COPIES
    basis = nystroem_preconditioner(kernel, rank, ridge=0.0, seed=seed, memory=left)
    passes = int(rank > 0)

    def multiply(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        nonlocal passes
        passes += 1
        progress(f"{which} eigenpairs: pass {passes} over the kernel")
        return symmetric_product(kernel, vectors, memory=left) / points

    vectors = np.random.default_rng(seed).standard_normal((points, block))
    spectral_mean = float(np.linalg.norm(multiply(vectors)) / np.linalg.norm(vectors))
    rounding = points * np.finfo(np.float64).eps * spectral_mean
    target = tolerance * spectral_mean
    for iterations in ROUNDS:
        vectors = _lobpcg(
            multiply, partial(precondition, basis), vectors, which, target, iterations
        )
        pairs = _assessed(vectors[:, :count], multiply(vectors[:, :count]), passes)
        targets = np.maximum(tolerance * np.abs(pairs.values), rounding)
        if (pairs.residuals <= targets).all():
            return pairs
        target = targets.min()
    raise _not_converged(pairs, targets, which)


def _block_size(kernel: Kernel, count: int, memory: float) -> int:
    """How many vectors are iterated."""
    points = kernel.shape[0]
    block = min(count + max(count, GUARD), (points - 1) // 5)  # SciPy is dense beyond
    needed = 8 * points * block * VECTOR_COPIES + smallest_memory(kernel)
    if count > block / 2 or needed > memory:
        raise ValueError(
            f"count: found {count} eigenpairs of a kernel on {points} points with {memory:,.0f} "
            f"bytes of memory, expected at most a tenth of the points and {needed:,} bytes, or a "
            f"little more than {8 * points**2:,} bytes for a dense decomposition"
        )
    return block


def _lobpcg(
    multiply: Map,
    preconditioner: Map,
    start: NDArray[np.float64],
    which: End,
    target: float,
    iterations: int,
) -> NDArray[np.float64]:
    """So many iterations from `start` (N, block): unit vectors (N, block), the outermost first."""
    with warnings.catch_warnings():
        # That not all vectors have converged; those wanted are looked at by the caller.
        warnings.simplefilter("ignore", UserWarning)
        return lobpcg(
            multiply,
            start,
            M=preconditioner,
            tol=target,
            maxiter=iterations,
            largest=which == "largest",
        )[1]


def _not_converged(pairs: Eigenpairs, targets: NDArray[np.float64], which: End) -> ValueError:
    worst = int(np.argmax(pairs.residuals / targets))
    return ValueError(
        f"the {which} eigenpairs have not converged in {pairs.passes} passes over the kernel: "
        f"number {worst + 1} is {pairs.values[worst]:.6g} with a residual of "
        f"{pairs.residuals[worst]:.3g}, expected {targets[worst]:.3g} or less; allow more memory "
        "or a larger tolerance"
    )
