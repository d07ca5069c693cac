r"""Learning curves of kernel regression against their theory (JGH Section 5).

Without a ridge, regression with the limiting NTK is the mean of wide networks at infinite time. Its
error on average over training sets is known from the eigenvalues lambda_i and eigenfunctions phi_i
of the kernel over the population, and the coefficients v_i of the target (Bordelon, Canatar &
Pehlevan 2020; Canatar, Bordelon & Pehlevan 2021; in the form of Simon, Dickens, Karkada & DeWeese
2023, "The Eigenlearning Framework", Section 4). With n samples, kappa solves

    sum_i L_i = n,   L_i = lambda_i / (lambda_i + kappa),
    E ||f - f*||^2 = n / (n - sum_i L_i^2) sum_i (1 - L_i)^2 v_i^2.

L_i is the learnability of phi_i: the mean of <phi_i, f> if phi_i is the target.

The population is the M training points of the data set, with equal weights, and a training set is a
random subset of n of them. The formulas hold for such subsets as well, with norms over all M
points, if the eigenvectors are in generic position: with Q the projection on the points that are
left out, f - f* = -t Q (K + t Q)^(-1) f* as t -> infinity, and the subordination of K + t Q for
free K and Q gives the same kappa and the same prefactor (derived here; tests compare it with
matrices whose eigenvectors are random). It is not a proof for given data: on 8x8 digits the error
exceeds the theory by 3 % at n = 100 and by 8 % at n = 400. Test errors are over the points left
out, M / (M - n) times those over all.

- Error over theory at each n.
- Learnability over theory, mean over groups of eigenfunctions, at the middle one of the sizes.
- Check: for a training set the learnabilities of all eigenfunctions sum to n exactly, because
  f = K_MD K_DD^(-1) f*_D is a projection of rank n (Simon et al., conservation law).

Multiplying the kernel by a constant changes nothing without a ridge, and any kernel satisfies its
own theory. The claim is about the theory and about the regression, not about the NTK.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.optimize
import xarray as xr

from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.laws import over_theory
from ntkflow.measures.common.sources import Sources

MARGIN = 0.1
REASON = "a tenth: a training set larger or smaller by a quarter changes the error by as much"
ROUNDING = 1e-7
ROUNDING_REASON = "rounding of solves with condition numbers up to 1e7"


LEARNT = 40
"""Training sets whose learnabilities are measured, which takes longer than the regression."""


class Theory(NamedTuple):
    """Learnabilities (component,) and the mean square error over all points, test and training."""

    learnabilities: np.ndarray
    error: float


class Spectrum(NamedTuple):
    """Eigenvalues (component,) of K / M, descending, and eigenfunctions (point, component)."""

    values: np.ndarray
    functions: np.ndarray  # mean square 1


def measure(
    sources: Sources, *, sizes: Sequence[int], training_sets: int, modes: int
) -> xr.Dataset:
    """Test errors by training-set size, learnabilities at the middle size, and their theory."""
    train = sources.dataset["is_train"].values
    kernel = np.asarray(sources.limiting["ntk"].values, np.float64)[np.ix_(train, train)]
    y = np.asarray(sources.dataset["y"].values, np.float64)[train]
    spectrum, points = decompose(kernel), len(kernel)
    squares = np.sum((spectrum.functions.T @ y / points) ** 2, axis=1)
    random, middle = np.random.default_rng(sources.seed), sorted(sizes)[len(sizes) // 2]
    errors, theory, learnt, sums = {}, {}, np.empty(0), []
    for size in sorted(sizes):
        rest = points / (points - size)
        theory[size] = rest * eigenlearning(spectrum.values, squares, size).error
        found, diagonals = [], []
        for number in range(training_sets):
            error, fit = regression(kernel, y, random.choice(points, size, replace=False))
            found.append(rest * error)
            if number < (LEARNT if size == middle else 1):
                diagonals.append(learnabilities(spectrum, fit))
        errors[size], each = np.array(found), np.array(diagonals)
        sums.append(np.abs(each.sum(axis=1) / size - 1).max())
        learnt = each if size == middle else learnt
        sources.progress(f"{size} training points: error {errors[size].mean():.4g}")
    numbers, drawn = over_theory("test error", errors, theory, MARGIN, REASON)
    exact = eigenlearning(spectrum.values, squares, middle).learnabilities
    modal, curve = _modes(learnt, exact, middle, modes)
    name = "sum of learnabilities over n, minus 1"
    return evidence(
        [*numbers, *modal, Quantity.check(name, max(sums), ROUNDING, ROUNDING_REASON)],
        [
            Panel("test error", "training-set size $n$", "mean square", drawn, "log", "log"),
            Panel(
                f"learnability at $n = {middle}$",
                "eigenfunctions, in groups",
                "learnability",
                curve,
                "log",
            ),
        ],
    )


def decompose(kernel: np.ndarray) -> Spectrum:
    """Spectrum of a kernel (M, M) over its points."""
    points = len(kernel)
    values, vectors = scipy.linalg.eigh(kernel / points)
    # Rounding error may make the smallest eigenvalues negative.
    return Spectrum(np.maximum(values[::-1], 0), np.sqrt(points) * vectors[:, ::-1])


def eigenlearning(values: np.ndarray, squares: np.ndarray, size: int) -> Theory:
    """Theory for eigenvalues (component,), squared coefficients v_i^2 and n = `size` samples."""

    def excess(log_kappa: float) -> float:
        return float(np.sum(values / (values + np.exp(log_kappa))) - size)

    ends = np.log(values.sum()) + np.array([-80.0, 5.0])
    kappa = np.exp(scipy.optimize.brentq(excess, *ends, xtol=1e-13))
    learnt = values / (values + kappa)
    prefactor = size / (size - np.sum(learnt**2))
    return Theory(learnt, float(prefactor * np.sum((1 - learnt) ** 2 * squares)))


def regression(
    kernel: np.ndarray, y: np.ndarray, subset: np.ndarray
) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
    """Mean square error over all points, summed over outputs, of regression on a subset.

    Also the subset, and K_MD K_DD^(-1) (point, sample), whose product with targets is f.
    """
    factor = scipy.linalg.cho_factor(kernel[np.ix_(subset, subset)], lower=True)
    hat = scipy.linalg.cho_solve(factor, kernel[subset]).T
    error = float(np.sum((hat @ y[subset] - y) ** 2) / len(y))
    return error, (subset, hat)


def learnabilities(spectrum: Spectrum, fit: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """<phi_i, f> for the target phi_i, for each eigenfunction (component,)."""
    (subset, hat), functions = fit, spectrum.functions
    return np.einsum("dc,dc->c", hat.T @ functions, functions[subset]) / len(functions)


def _modes(
    learnt: np.ndarray, exact: np.ndarray, size: int, modes: int
) -> tuple[list[Quantity], list[Series]]:
    """Learnabilities (set, component) over theory, mean over groups of eigenfunctions.

    The groups are 1 to n/4^(modes-1), and so on in factors of 4 up to n.
    """
    ends = np.unique(np.maximum(1, size // 4 ** np.arange(modes)[::-1]))
    groups = [*zip([0, *ends[:-1]], ends, strict=True)]
    by_group = {int(stop): learnt[:, start:stop].mean(axis=1) for start, stop in groups}
    theory = {int(stop): float(exact[start:stop].mean()) for start, stop in groups}
    found, (line, points) = over_theory("learnability", by_group, theory, MARGIN, REASON)
    numbers = [
        replace(each, name=f"learnability of eigenfunctions {start + 1} to {stop} over theory")
        for each, (start, stop) in zip(found, groups, strict=True)
    ]
    centre = [np.sqrt((start + 1) * stop) for start, stop in groups]
    shown = Series("training sets", centre, points.y, points.low, points.high, "points")
    return numbers, [Series("theory", centre, line.y, look="limit"), shown]
