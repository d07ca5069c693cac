"""Kernel ridge regression with a kernel that need not fit in memory.

The function minimises (1/2N) sum_i ||f(x_i) - y_i||^2 + (ridge/2) ||f||_K^2 over the reproducing
kernel Hilbert space of K. By the representer theorem f(x) = sum_j K(x, x_j) a_j with
(K + N ridge I) a = y; the factor N is there because the cost is averaged over the N points. Without
a ridge and with K the NTK, f is the mean over initialisations of the limiting network at infinite
time (JGH Section 5). With K the NNGP kernel, f is the posterior mean of a network of which only the
last layer is trained to convergence.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

from ntkflow.analysis.blocks import (
    FormedKernel,
    Kernel,
    Operator,
    dense_upper_triangle,
    equal_points,
    smallest_memory,
    symmetric_product,
)
from ntkflow.analysis.nystroem import COPIES, affordable_rank, nystroem_preconditioner, precondition

MOST_ITERATIONS = 1000

VECTOR_COPIES = 12
"""Largest number of arrays of the size of the targets that a solver allocates."""


class Regression(NamedTuple):
    """The solution of (K + N ridge I) a = y."""

    coefficients: NDArray[np.float64]
    """Coefficients a (N, k)."""
    method: Literal["cholesky", "conjugate gradients"]
    """Solver that computed the coefficients."""
    iterations: int
    """Conjugate-gradient iterations; 0 for a Cholesky solve."""
    residual: float
    """Relative residual ||(K + N ridge I) a - y|| / ||y||, recomputed from the coefficients."""


def fit_kernel_regression(
    kernel: Kernel,
    targets: NDArray[np.floating],
    *,
    ridge: float = 0.0,
    memory: float,
    tolerance: float = 1e-8,
    rank: int | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Regression:
    """Solve (K + N ridge I) a = y for several outputs at once.

    If K fits in memory in float64, the solver is an in-place Cholesky decomposition. Otherwise
    conjugate gradients with a Nystroem preconditioner read K from its store once per iteration, for
    all outputs together.

    `memory` is the bytes for all arrays together, `tolerance` the largest relative residual of both
    methods. A preconditioner of the default rank takes at most half of the memory; the seed draws
    its columns. `progress` receives a line of text for each iteration.
    """
    y = _checked_targets(kernel, targets, ridge)
    points, outputs = y.shape
    report = progress or (lambda line: None)
    vectors = 8 * points * outputs * VECTOR_COPIES
    dense = 8 * points**2 + vectors
    if not isinstance(kernel, Operator) and dense + smallest_memory(kernel) <= memory:
        left = memory - dense
        found = _by_cholesky(kernel, y, ridge, left)
    else:
        rank = affordable_rank(kernel, memory - vectors) if rank is None else rank
        left = memory - vectors - 8 * points * rank * COPIES
        found = _by_conjugate_gradients(kernel, y, ridge, left, tolerance, rank, seed, report)
    error = symmetric_product(kernel, found.coefficients, memory=left)
    error += points * ridge * found.coefficients - y
    residual = float(np.linalg.norm(error) / (np.linalg.norm(y) or 1))
    if not residual <= tolerance:
        equal = [] if isinstance(kernel, Operator) else equal_points(kernel, memory=left)
        raise _inaccurate(found._replace(residual=residual), tolerance, ridge, equal)
    return found._replace(residual=residual)


def _checked_targets(
    kernel: Kernel, targets: NDArray[np.floating], ridge: float
) -> NDArray[np.float64]:
    if targets.ndim != 2 or len(targets) != kernel.shape[0]:
        raise ValueError(
            f"targets: found the shape {targets.shape}, expected ({kernel.shape[0]}, outputs): one "
            "row per point of the kernel"
        )
    if not np.isfinite(targets).all():
        raise ValueError(
            f"targets: found {np.count_nonzero(~np.isfinite(targets))} of {targets.size} that are "
            "not finite, expected finite targets at all training points"
        )
    if not ridge >= 0:
        raise ValueError(f"ridge: found {ridge}, expected 0 or more")
    return targets.astype(np.float64, copy=False)


def _by_cholesky(
    kernel: FormedKernel, targets: NDArray[np.float64], ridge: float, memory: float
) -> Regression:
    points = len(targets)
    matrix = dense_upper_triangle(kernel, memory=memory)
    matrix.flat[:: points + 1] += points * ridge
    # LAPACK's dpotrf leaves the pivot at which it fails, which SciPy's wrappers do not return.
    factor, failed = scipy.linalg.lapack.dpotrf(matrix.T, lower=True, overwrite_a=True, clean=False)
    if failed > 0:
        pivot = factor[failed - 1, failed - 1]
        found = f"pivot {failed} of {points} of Cholesky is {pivot:.3g}"
        raise indefinite(found, ridge, equal_points(kernel, memory=memory))
    coefficients = scipy.linalg.cho_solve((factor, True), targets, check_finite=False)
    return Regression(coefficients, "cholesky", 0, np.nan)


def _by_conjugate_gradients(
    kernel: Kernel,
    targets: NDArray[np.float64],
    ridge: float,
    memory: float,
    tolerance: float,
    rank: int,
    seed: int,
    progress: Callable[[str], None],
) -> Regression:
    """Solve for all outputs stacked, a block-diagonal system with equal blocks."""
    points, shape = len(targets), targets.shape
    basis = nystroem_preconditioner(kernel, rank, ridge=points * ridge, seed=seed, memory=memory)
    iterations = 0

    def multiply(stacked: NDArray[np.float64]) -> NDArray[np.float64]:
        nonlocal iterations
        iterations += 1
        direction = stacked.reshape(shape)
        result = symmetric_product(kernel, direction, memory=memory)
        result += points * ridge * direction
        _check_curvature(direction, result, ridge)
        return result.ravel()

    def improve(stacked: NDArray[np.float64]) -> NDArray[np.float64]:
        left = np.linalg.norm(stacked) / np.linalg.norm(targets)
        progress(f"conjugate gradients: relative residual {left:.2g} after {iterations} iterations")
        return precondition(basis, stacked.reshape(shape)).ravel()

    operator = partial(LinearOperator, 2 * (targets.size,), dtype=np.float64)
    # Half the tolerance, because the recurrence for the residual accumulates rounding errors.
    solution, _ = cg(
        operator(matvec=multiply),
        targets.ravel(),
        M=operator(matvec=improve),
        rtol=tolerance / 2,
        maxiter=MOST_ITERATIONS,
    )
    return Regression(solution.reshape(shape), "conjugate gradients", iterations, np.nan)


def _check_curvature(
    direction: NDArray[np.float64], result: NDArray[np.float64], ridge: float
) -> None:
    """Raise ValueError if p^T A p <= 0 for a column p of `direction` (N, k); `result` is A p."""
    curvature = np.einsum("nk,nk->k", direction, result)
    squares = np.einsum("nk,nk->k", direction, direction)
    if (curvature[squares > 0] <= 0).any():
        quotient = (curvature[squares > 0] / squares[squares > 0]).min()
        raise indefinite(f"its smallest eigenvalue is {quotient:.3g} or less", ridge)


def indefinite(
    found: str, ridge: float, equal: Sequence[tuple[int, int]] = (), name: str = "kernel"
) -> ValueError:
    """ValueError for a kernel that is not positive definite; `equal` are pairs of equal points."""
    return ValueError(
        f"{name}: found that with a ridge of {ridge:g} it is not positive definite ({found}"
        f"{equal_pairs(equal)}), expected a positive definite matrix; raise the ridge, compute the "
        "kernel in float64, or leave out points that occur twice"
    )


def equal_pairs(pairs: Sequence[tuple[int, int]]) -> str:
    """Part of a message that names the first pairs of equal points, counted from 0."""
    if not pairs:
        return ""
    named = ", ".join(f"{i} and {j}" for i, j in pairs[:3])
    rest = f" and {len(pairs) - 3} more pairs" if len(pairs) > 3 else ""
    return f"; points {named}{rest}, counted from 0, are equal"


def _inaccurate(
    found: Regression, tolerance: float, ridge: float, equal: Sequence[tuple[int, int]]
) -> ValueError:
    iterations = f" in {found.iterations} iterations" if found.iterations else ""
    return ValueError(
        f"{found.method}: found a relative residual of {found.residual:.3g}{iterations}, expected "
        f"{tolerance:.3g} or less: the kernel with a ridge of {ridge:g} is nearly singular"
        f"{equal_pairs(equal)}; raise "
        "the ridge, allow more memory or a larger tolerance, or compute the kernel in float64"
    )
