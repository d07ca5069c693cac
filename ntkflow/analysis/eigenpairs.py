"""Extreme eigenpairs of a kernel that need not fit in memory.

As in JGH Section 5 they are eigenpairs of K / N, with K the kernel (N, N) between N points.
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
    FormedKernel,
    Kernel,
    Operator,
    dense_upper_triangle,
    smallest_memory,
    symmetric_product,
)
from ntkflow.analysis.nystroem import COPIES, affordable_rank, nystroem_preconditioner, precondition
from ntkflow.analysis.spectrum import fix_sign

End = Literal["largest", "smallest"]

GUARD = 16
"""Smallest number of additional vectors that are iterated, so that the requested ones converge
sooner. The smallest eigenvalue of the NTK of 4,000 images of MNIST took 128 iterations alone and 41
with 19 additional vectors."""

ROUNDS = (8, 16, 32, 48, 64, 80)
"""Iterations between checks of the requested eigenpairs, since LOBPCG waits for all vectors."""

VECTOR_COPIES = 16
"""Largest number of arrays of the size of the iterated vectors that LOBPCG allocates."""


class Eigenpairs(NamedTuple):
    """Eigenpairs of K / N, the outermost first, with their residuals."""

    values: NDArray[np.float64]
    """Eigenvalues (count,), descending for the largest, ascending for the smallest."""
    vectors: NDArray[np.float64]
    """Eigenvectors (N, count) of unit norm; the entry of largest magnitude is positive."""
    residuals: NDArray[np.float64]
    """Residuals ||K v / N - lambda v|| (count,); K / N has an eigenvalue that close to lambda."""
    passes: int
    """Number of passes over the kernel."""


def extreme_eigenpairs(
    kernel: Kernel,
    count: int,
    *,
    which: End = "largest",
    memory: float,
    tolerance: float = 1e-6,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Eigenpairs:
    """Largest or smallest `count` eigenvalues of K / N, with eigenvectors and residuals.

    If K fits in memory in float64, it is decomposed densely by LAPACK. Otherwise LOBPCG (Knyazev
    2001) reads K from its store once per iteration. Large eigenvalues slow the convergence to the
    smallest ones; a Nystroem preconditioner, of the largest rank that fits in memory, removes them.

    If K does not fit, `count` is less than N / 10. `memory` is the bytes for all arrays together.
    The tolerance is the largest residual of an eigenpair relative to its eigenvalue, but not below
    rounding error; the dense decomposition is more accurate. The seed draws the starting vectors
    and the preconditioner's columns. `progress` receives a line for each pass over the kernel.
    """
    points = kernel.shape[0]
    if not 1 <= count <= points:
        raise ValueError(f"count: found {count}, expected 1 to {points}, the number of points")
    dense = 8 * points * (points + 4 * count + 64)
    if not isinstance(kernel, Operator) and dense + smallest_memory(kernel) <= memory:
        return _dense(kernel, count, which, memory - dense)
    report = progress or (lambda line: None)
    return _iterative(kernel, count, which, memory, tolerance, seed, report)


def _dense(kernel: FormedKernel, count: int, which: End, memory: float) -> Eigenpairs:
    """Decompose in place by LAPACK; the residuals take a second pass over the kernel."""
    points = kernel.shape[0]
    matrix = dense_upper_triangle(kernel, memory=memory).T
    selected = (0, count - 1) if which == "smallest" else (points - count, points - 1)
    options = {"overwrite_a": True, "check_finite": False}
    vectors = scipy.linalg.eigh(matrix, subset_by_index=selected, **options)[1]
    del matrix
    vectors = vectors if which == "smallest" else vectors[:, ::-1]
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
    progress: Callable[[str], None],
) -> Eigenpairs:
    """Iterate LOBPCG in rounds until the requested eigenpairs have converged."""
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
    options = {"M": partial(precondition, basis), "largest": which == "largest"}
    for iterations in ROUNDS:
        # SciPy warns about any unconverged vector; the requested ones are checked below.
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            vectors = lobpcg(multiply, vectors, tol=target, maxiter=iterations, **options)[1]
        pairs = _assessed(vectors[:, :count], multiply(vectors[:, :count]), passes)
        targets = np.maximum(tolerance * np.abs(pairs.values), rounding)
        if (pairs.residuals <= targets).all():
            return pairs
        target = targets.min()
    raise _not_converged(pairs, targets, which)


def _block_size(kernel: Kernel, count: int, memory: float) -> int:
    """Number of iterated vectors; ValueError if there are too few points or too little memory."""
    points = kernel.shape[0]
    block = min(count + max(count, GUARD), (points - 1) // 5)  # SciPy uses a dense solver for more
    needed = 8 * points * block * VECTOR_COPIES + smallest_memory(kernel)
    if count > block / 2 or needed > memory:
        raise ValueError(
            f"count: found {count} for {points} points and {memory:,.0f} bytes of memory, expected "
            f"at most a tenth of the points and {needed:,} bytes, or a little more than "
            f"{8 * points**2:,} bytes for a dense decomposition"
        )
    return block


def _not_converged(pairs: Eigenpairs, targets: NDArray[np.float64], which: End) -> ValueError:
    worst = int(np.argmax(pairs.residuals / targets))
    return ValueError(
        f"{which} eigenpairs: found no convergence in {pairs.passes} passes over the kernel; "
        f"eigenvalue {worst + 1}, {pairs.values[worst]:.6g}, has the residual "
        f"{pairs.residuals[worst]:.3g}, expected {targets[worst]:.3g} or less; allow more memory "
        "or a larger tolerance"
    )
