"""Regression with landmarks: coefficients from sums over any number of points.

With m landmarks Z, f(x) = K(x, Z) a minimises (1/N) sum_i ||f(x_i) - y_i||^2 + ridge a^T K_ZZ a,
the cost of `regression` restricted to the span of K(., z_j): Nystroem regression (Williams & Seeger
2001; Rudi, Carratino & Rosasco 2017). Its minimum depends on the points only through the sums of
k k^T and k y^T with k = K(Z, x_i). Sums of disjoint sets of points add, and so the points may be
visited in parts, anywhere. The error on points that were left out follows from their sums, for any
number of ridges.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dpotrf, dpstrf

Matrix = NDArray[np.float64]

TOLERANCE = 1e-9
"""Landmarks are left out if others determine their kernel up to this fraction of its variance: with
them the coefficients would be less accurate."""

COPIES = 4
"""Largest number of matrices m x m besides the sums while coefficients are computed."""


class Sums(NamedTuple):
    """Sums over points: all that a regression needs of them."""

    gram: Matrix
    """Sum of k k^T (m, m), only its lower triangle."""
    cross: Matrix
    """Sum of k y^T (m, outputs)."""
    squares: Matrix
    """Sum of y^2 (outputs,)."""
    points: Matrix
    """Number of points ()."""


class RidgePath(NamedTuple):
    """Regression with the best of several ridges."""

    coefficients: Matrix
    """a (m, outputs), fitted to all points."""
    ridge: float
    """The ridge of the coefficients: that of the smallest error."""
    errors: Matrix
    """Mean of (f - y)^2 over held-out points and outputs, of each ridge."""
    rank: int
    """Number of landmarks in use."""


def no_points(landmarks: int, outputs: int) -> Sums:
    """Sums over no points."""
    shapes = (landmarks, landmarks), (landmarks, outputs), (outputs,), ()
    return Sums(*map(np.zeros, shapes))


def add_points(sums: Sums, kernel: NDArray[np.floating], targets: Matrix) -> None:
    """Add points with kernel values (n, m) and targets (n, outputs) to the sums, in place."""
    k = kernel.astype(np.float64)
    # In Fortran's order of axes this is the upper triangle, and the matrix is updated in place.
    dsyrk(1.0, k.T, beta=1.0, c=sums.gram.T, overwrite_c=True)
    sums.cross[...] += k.T @ targets
    sums.squares[...] += np.einsum("nk,nk->k", targets, targets)
    sums.points[...] += len(targets)


def add_sums(sums: Sums, others: Sums) -> None:
    """Add sums over other points, in place."""
    for total, part in zip(sums, others, strict=True):
        total[...] += part


def fit_path(
    sums: Sums, held_out: Sums | None, kernel: Matrix, ridges: Sequence[float]
) -> RidgePath:
    """Regression on all points with the ridge that is best on held-out ones, given K_ZZ (m, m).

    Without held-out points, the first ridge is taken and errors are NaN.

    Raises
    ------
    ValueError
        If a ridge is too small: the normal equations square the condition of the kernel.
    """
    used, root = _independent(kernel)
    gram, cross = _whitened(sums.gram, used, root), _projected(sums.cross, used, root)
    errors = np.full(len(ridges), np.nan)
    points = float(sums.points)
    if held_out is not None:
        other = _whitened(held_out.gram, used, root), _projected(held_out.cross, used, root)
        for number, ridge in enumerate(ridges):
            a = _solution(gram, cross, points, ridge)
            apart = np.sum(a * (other[0] @ a)) - 2 * np.sum(a * other[1]) + held_out.squares.sum()
            errors[number] = max(apart, 0) / (held_out.points * held_out.squares.size)
        gram, cross = gram + other[0], cross + other[1]
        points += float(held_out.points)
    ridge = ridges[0 if held_out is None else int(np.argmin(errors))]
    coefficients = np.zeros(sums.cross.shape)
    weights = _solution(gram, cross, points, ridge)
    coefficients[used] = solve_triangular(root, weights, lower=True, trans="T")
    return RidgePath(coefficients, float(ridge), errors, len(used))


def _independent(kernel: Matrix) -> tuple[NDArray[np.intp], Matrix]:
    """Landmarks (r,) that others do not determine, and the Cholesky factor (r, r) of their K."""
    largest = float(np.diagonal(kernel).max())
    factor, order, rank, _ = dpstrf(kernel, tol=TOLERANCE * largest, lower=True)
    return order[:rank] - 1, np.tril(factor[:rank, :rank])


def _whitened(gram: Matrix, used: NDArray[np.intp], root: Matrix) -> Matrix:
    """L^-1 G L^-T (r, r) from the lower triangle of G (m, m)."""
    whole = (np.tril(gram) + np.tril(gram, -1).T)[np.ix_(used, used)]
    half = solve_triangular(root, whole, lower=True, overwrite_b=True)
    result: Matrix = solve_triangular(root, half.T, lower=True)
    return result


def _projected(cross: Matrix, used: NDArray[np.intp], root: Matrix) -> Matrix:
    """L^-1 B (r, outputs)."""
    result: Matrix = solve_triangular(root, cross[used], lower=True)
    return result


def _solution(gram: Matrix, cross: Matrix, points: float, ridge: float) -> Matrix:
    """(G + points ridge I)^-1 B for whitened sums G (r, r) and B (r, outputs)."""
    matrix = gram.copy()
    matrix.flat[:: len(matrix) + 1] += points * ridge
    factor, failed = dpotrf(matrix.T, lower=True, overwrite_a=True, clean=False)
    if failed:
        raise ValueError(
            f"ridge: found {ridge:g}, with which the normal equations are not positive definite, "
            "expected a larger one; or use fewer landmarks"
        )
    solution: Matrix = cho_solve((factor, True), cross, check_finite=False)
    return solution
