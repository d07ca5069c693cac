"""Regression with landmarks: coefficients from sums over any number of points.

With m landmarks Z, f(x) = K(x, Z) a minimises (1/N) sum_i ||f(x_i) - y_i||^2 + ridge a^T K_ZZ a,
the cost of `regression` restricted to the span of K(., z_j): Nystroem regression (Rudi, Carratino
& Rosasco 2017). With K_ZZ = L L^T and features phi(x) = L^-1 K(Z, x) this is
ridge regression on features, f(x) = phi(x)^T w. Its minimiser depends on the points only through
the sums of phi phi^T and phi y^T. Sums of disjoint sets of points add, and so the points may be
visited in parts, anywhere. The error on points that were left out follows from their sums, for
any number of ridges.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dpotrf, dpstrf
from scipy.sparse.linalg import LinearOperator, eigsh

Matrix = NDArray[np.float64]

TOLERANCE = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-6}
"""Pivot tolerance by precision of kernel values: a landmark is left out if its variance given those
in use is at most this fraction of K(z, z). Features have errors of up to a rounding over its
root."""

WELL_CONDITIONED = 1e5
"""Condition of K_ZZ up to which L^-1 may be applied to the sums instead of to each point. That
takes half of the operations, but multiplies rounding errors by the condition."""

RESOLUTION = 64 * float(np.finfo(np.float64).eps)
"""Smallest error on held-out points, relative to the mean of y^2: it is a difference of sums."""

COPIES = 5
"""Largest number of matrices m x m besides the sums while coefficients are computed."""


class Basis(NamedTuple):
    """Landmarks in use, and the triangular matrix that makes features of their kernel."""

    used: NDArray[np.intp]
    """Indices (r,) of landmarks that others do not determine."""
    scale: Matrix
    """1 / sqrt(K(z, z)) (r,)."""
    root: Matrix
    """L (r, r), the Cholesky factor of K_ZZ scaled to a diagonal of 1."""
    early: bool
    """True if L^-1 is applied to each point, False if it is applied to the sums."""


class Sums(NamedTuple):
    """Sums over points: all that a regression needs of them."""

    gram: Matrix
    """Lower triangle of the sum of phi phi^T (r, r). Unless `Basis.early`, phi is the scaled
    K(Z, x), without L^-1."""
    cross: Matrix
    """Sum of phi y^T (r, outputs), likewise."""
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
    """Mean of (f - y)^2 over held-out points and outputs, of each ridge; empty without them."""


def basis(kernel: Matrix, dtype: np.dtype) -> Basis:
    """`Basis` of landmarks with the kernel K_ZZ (m, m), for kernel values in `dtype`.

    ValueError if the kernel is zero.
    """
    deviation = np.sqrt(np.diagonal(kernel))
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    scaled = scale[:, None] * kernel * scale
    if not scale.any():
        raise ValueError(
            f"landmarks: found {len(kernel)} whose kernel is zero, expected one that is not zero "
            "or beta > 0"
        )
    factor, order, rank, _ = dpstrf(scaled, tol=TOLERANCE[dtype], lower=True)
    used, root = order[:rank] - 1, np.tril(factor[:rank, :rank])
    return Basis(used, scale[used], root, _condition(root) > WELL_CONDITIONED)


def _condition(root: Matrix) -> float:
    """Condition of L L^T (r, r), to some digits."""
    if len(root) < 3:
        return float(np.linalg.cond(root)) ** 2
    product = partial(LinearOperator, root.shape, dtype=np.float64)
    matrices = (
        product(matvec=lambda v: root @ (root.T @ v)),
        product(matvec=lambda v: cho_solve((root, True), v, check_finite=False)),
    )
    start = np.random.default_rng(0).normal(size=len(root))
    largest = (eigsh(each, 1, v0=start, tol=0.1, return_eigenvectors=False) for each in matrices)
    return float(np.prod(list(largest)))


def no_points(features: int, outputs: int) -> Sums:
    """Sums over no points."""
    shapes = (features, features), (features, outputs), (outputs,), ()
    return Sums(*map(np.zeros, shapes))


def add_points(sums: Sums, kernel: NDArray[np.floating], targets: Matrix, landmarks: Basis) -> None:
    """Add points with kernel values (n, r) and targets (n, outputs) to the sums, in place."""
    phi = (kernel * landmarks.scale).T  # in Fortran's order of axes, as BLAS takes it
    if landmarks.early:
        phi = solve_triangular(
            landmarks.root, phi, lower=True, overwrite_b=True, check_finite=False
        )
    # The lower triangle is the upper one in Fortran's order; it is updated in place.
    dsyrk(1.0, phi, beta=1.0, c=sums.gram.T, overwrite_c=True)
    sums.cross[...] += phi @ targets
    sums.squares[...] += np.einsum("nk,nk->k", targets, targets)
    sums.points[...] += len(targets)


def add_sums(sums: Sums, others: Sums) -> None:
    """Add sums over other points, in place."""
    for total, part in zip(sums, others, strict=True):
        total[...] += part


def fit_path(
    sums: Sums, held_out: Sums | None, landmarks: Basis, count: int, ridges: Sequence[float]
) -> RidgePath:
    """Regression on all points with the ridge that is best on held-out ones, for m = `count`.

    If errors are equal, the largest ridge is taken. A ridge that is too small has an infinite
    error. Without held-out points, the first ridge is taken and there are no errors.

    Raises
    ------
    ValueError
        If no ridge is large enough for the normal equations to be positive definite.
    """
    gram, cross = _features(sums, landmarks)
    points, errors, best = float(sums.points), np.empty(0), 0
    if held_out is not None:
        other, errors = _features(held_out, landmarks), np.empty(len(ridges))
        for number, ridge in enumerate(ridges):
            w = _solution(gram, cross, points, ridge)
            errors[number] = np.inf if w is None else _error(w, *other, held_out)
        best = min(range(len(ridges)), key=lambda number: (errors[number], -ridges[number]))
        gram, cross, points = gram + other[0], cross + other[1], points + float(held_out.points)
    none_fits = bool(errors.size) and np.isinf(errors[best])
    w = None if none_fits else _solution(gram, cross, points, ridges[best])
    if w is None:
        raise ValueError(
            f"ridge: found {max(ridges):g}, with which the normal equations are not positive "
            "definite, expected a larger one; or use fewer landmarks"
        )
    coefficients = np.zeros((count, cross.shape[1]))
    solved = solve_triangular(landmarks.root, w, lower=True, trans="T")
    coefficients[landmarks.used] = landmarks.scale[:, None] * solved
    return RidgePath(coefficients, float(ridges[best]), errors)


def _features(sums: Sums, landmarks: Basis) -> tuple[Matrix, Matrix]:
    """Sums of phi phi^T (r, r) and phi y^T (r, outputs), with L^-1."""
    gram, cross = np.tril(sums.gram) + np.tril(sums.gram, -1).T, sums.cross
    if landmarks.early:
        return gram, cross
    half = solve_triangular(landmarks.root, gram, lower=True, overwrite_b=True)
    gram = solve_triangular(landmarks.root, half.T, lower=True)
    return gram, solve_triangular(landmarks.root, cross, lower=True)


def _error(w: Matrix, gram: Matrix, cross: Matrix, sums: Sums) -> float:
    """Mean of (f - y)^2 over the points of the sums, and over outputs."""
    squares = float(sums.squares.sum())
    apart = float(np.sum(w * (gram @ w)) - 2 * np.sum(w * cross)) + squares
    mean = max(apart, RESOLUTION * squares) / (float(sums.points) * sums.squares.size)
    return mean if np.isfinite(mean) else np.inf


def _solution(gram: Matrix, cross: Matrix, points: float, ridge: float) -> Matrix | None:
    """(G + points ridge I)^-1 B for sums G (r, r) and B (r, outputs); None if it is singular."""
    matrix = gram.copy()
    matrix.flat[:: len(matrix) + 1] += points * ridge
    factor, failed = dpotrf(matrix.T, lower=True, overwrite_a=True, clean=False)
    if failed:
        return None
    solution: Matrix = cho_solve((factor, True), cross, check_finite=False)
    return solution
