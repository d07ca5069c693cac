"""Linear models of random functions (JGH Section 3.1).

f_1..f_P are independent with uncentred covariance K, F_lin(theta) = P^(-1/2) sum_p theta_p f_p. For
each distribution of f_p:

- Gradient descent on theta moves F exactly as kernel gradient descent with the kernel
  Ktilde = (1/P) sum_p f_p (x) f_p, also at points outside the training set (docs/questions.md).
- Ktilde -> K: with rho = (tr K)^2 / ||K||^2 and m eigenfunctions, E ||Ktilde - K||^2 / ||K||^2 is
  (rho + 1)/P for Gaussian functions, (rho - 1)/P for random signs and (m - 1)/P for random
  eigenfunctions, exactly, at every P.
- F follows the flow with K. From F = 0 on least squares, F_t = g_t(Ktilde) and the limit is
  g_t(K), where g_t(K)(x) = K(x, X)/N phi_t(K(X, X)/N) f* and phi_t(l) = (1 - exp(-l t)) / l. The
  mean square of their difference is of order 1/P. Its leading term is
  E |g_t'[f f^T - K]|^2 / P, with g_t' the derivative of g_t at K, which follows from the fourth
  moments of one function f. The measured value has a next order in 1/P.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple, Protocol

import numpy as np
import scipy.linalg
import scipy.optimize
import xarray as xr

from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.laws import exponent, over_theory
from ntkflow.measures.common.linear_models import descent_error
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.costs import LEAST_SQUARES

PRECISION = "float64"

ROUNDING = 1e-11
ROUNDING_REASON = "rounding of ten steps, each a sum over up to thousands of functions"
VALUE_MARGIN = 0.1
VALUE_REASON = "a tenth: half of what a kernel larger by a tenth, or a P off by a fifth, changes"
FLOW_MARGIN = 0.2
FLOW_REASON = "the next order in 1/P; a P off by a factor of two changes it by more"

STEPS = 10
TIMES = 8  # equally spaced, up to the time at which the flow with K has halved the cost
AT_ONCE = 2**18  # functions
DIFFERENCE = 1e-4  # of K relative to K, for derivatives


class Law(Protocol):
    """Distribution of a random function whose uncentred covariance is K."""

    def __call__(self, root: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Functions (count, point); root^T root = K, one eigenfunction per row."""


LAWS: Mapping[str, Law] = {
    "Gaussian": lambda root, count, rng: rng.standard_normal((count, len(root))) @ root,
    "random signs": lambda root, count, rng: (
        (2.0 * rng.integers(0, 2, (count, len(root)), np.int8) - 1) @ root
    ),
    "random eigenfunction": lambda root, count, rng: (
        np.sqrt(len(root)) * root[rng.integers(len(root), size=count)]
    ),
}


class Task(NamedTuple):
    """Least squares by the flow with a kernel, observed at some times."""

    samples: int  # N, the first points
    target: np.ndarray  # (N,)
    times: np.ndarray  # (t,)


def measure(sources: Sources, *, functions: Sequence[int], draws: int) -> xr.Dataset:
    """Evidence for each of `LAWS` from draws of P functions, with the limiting NTK as K."""
    kernel = np.asarray(sources.limiting["ntk"].values, np.float64)
    target = np.asarray(sources.dataset["y"].values[: sources.samples, 0], np.float64)
    eigenvalues, vectors = scipy.linalg.eigh(kernel)
    root = (vectors * np.sqrt(np.maximum(eigenvalues, 0))).T
    task = halving(kernel, target)
    kernel_axes = "functions $P$", r"mean of $\|\tilde K - K\|^2 / \|K\|^2$"
    flow_axes = "functions $P$", r"rms of $F_t - F_{\infty, t}$, relative"
    quantities: list[Quantity] = []
    kernels: list[Series] = []
    flows: list[Series] = []
    for place, (name, law) in enumerate(LAWS.items()):
        random = np.random.default_rng([sources.seed, place])
        f = law(root, min(functions), random)
        error = descent_error(LEAST_SQUARES, f[..., None], target[:, None], STEPS)
        same = f"{name}: F against its kernel gradient descent"
        squares = {
            count: distances(law, root, count, draws, random, task) for count in sorted(functions)
        }
        theory = {count: expected_square(name, kernel) / count for count in squares}
        of_kernel = {count: found[:, 0] for count, found in squares.items()}
        values, shown = over_theory(
            f"{name}: squared distance of the kernel",
            *(of_kernel, theory, VALUE_MARGIN, VALUE_REASON),
            where="P",
        )
        follows, curves = _flow(name, squares, response(name, kernel, root, task))
        quantities += [Quantity.check(same, error, ROUNDING, ROUNDING_REASON), *values, *follows]
        kernels += _named(name, shown)
        flows += _named(name, curves)
    return evidence(
        quantities,
        [
            Panel("kernel of P random functions", *kernel_axes, kernels, "log", "log"),
            Panel("flow of their linear model", *flow_axes, flows, "log", "log"),
        ],
    )


def _named(name: str, shown: Sequence[Series]) -> list[Series]:
    line, points = shown
    return [line, dataclasses.replace(points, label=name)]


def halving(kernel: np.ndarray, target: np.ndarray) -> Task:
    """Times up to that at which kernel gradient descent with K has halved the cost."""
    samples = len(target)
    rates, vectors = scipy.linalg.eigh(kernel[:samples, :samples] / samples)
    parts = (vectors.T @ target) ** 2 / np.sum(target**2)

    def excess(log_time: float) -> float:
        return float(parts @ np.exp(-2 * rates * np.exp(log_time))) - 0.5

    slow, fast = np.log(1e-2 / rates[-1]), np.log(1e2 / rates[0])
    end = np.exp(scipy.optimize.brentq(excess, slow, fast))
    return Task(samples, target, end * np.arange(1, TIMES + 1) / TIMES)


def flow(kernels: np.ndarray, task: Task) -> np.ndarray:
    """F_t (..., t, m) of kernels (..., m, m), from F_0 = 0."""
    data = kernels[..., : task.samples] / task.samples
    rates, vectors = np.linalg.eigh(data[..., : task.samples, :])
    # phi_t(0) = t: rates of kernels without full rank are zero to rounding error.
    safe = np.where(np.abs(rates) > 1e-14 * rates[..., -1:], rates, 1.0)[..., None, :]
    times = task.times[:, None]
    phi = np.where(safe == rates[..., None, :], -np.expm1(-safe * times) / safe, times)
    parts = phi * np.einsum("...ni,n->...i", vectors, task.target)[..., None, :]
    return np.asarray(np.einsum("...mi,...ti->...tm", data @ vectors, parts))


def distances(
    law: Law, root: np.ndarray, count: int, draws: int, rng: np.random.Generator, task: Task
) -> np.ndarray:
    """Squared distances of Ktilde from K and of its flow from that of K, relative, (draw, 2).

    The second is the mean square over times and points, over that of the target.
    """
    kernel = root.T @ root
    limit, scale = flow(kernel, task), np.mean(task.target**2)
    found = []
    for size in _chunks(draws, max(1, AT_ONCE // count)):
        f = law(root, size * count, rng).reshape(size, count, -1)
        kernels = f.swapaxes(1, 2) @ f / count
        apart = np.mean((flow(kernels, task) - limit) ** 2, axis=(1, 2)) / scale
        square = np.sum((kernels - kernel) ** 2, axis=(1, 2)) / np.sum(kernel**2)
        found.append(np.stack([square, apart], axis=1))
    return np.concatenate(found)


def _chunks(total: int, size: int) -> Iterator[int]:
    for first in range(0, total, size):
        yield min(size, total - first)


def expected_square(name: str, kernel: np.ndarray) -> float:
    """P E ||Ktilde - K||^2 / ||K||^2 of a distribution of `LAWS`."""
    rho = float(np.trace(kernel) ** 2 / np.sum(kernel**2))
    terms = {
        "Gaussian": rho + 1,
        "random signs": rho - 1,
        "random eigenfunction": len(kernel) - 1.0,
    }
    return terms[name]


def response(name: str, kernel: np.ndarray, root: np.ndarray, task: Task) -> float:
    """P times the mean square of F_t - F_inf,t over times and points, over |f*|^2, to order 1/P.

    With L_kl the derivative of the flow at K in the direction r_k r_l^T, symmetrised, r_k the rows
    of `root`: for Gaussian functions sum_kl 2 |L_kl|^2, for random signs the same without k = l,
    and for m eigenfunctions m sum_k |L_kk|^2 - |sum_k L_kk|^2.
    """
    size = len(root)
    directions = np.array([np.outer(root[k], root[j]) for k, j in product(range(size), repeat=2)])
    directions = (directions + directions.swapaxes(1, 2)) / 2
    ends = [flow(kernel + sign * DIFFERENCE * directions, task) for sign in (1, -1)]
    slopes = (ends[0] - ends[1]).reshape(size, size, -1) / (2 * DIFFERENCE)
    squares = np.mean(slopes**2, axis=2)
    own = np.trace(squares)
    terms = {
        "Gaussian": 2 * squares.sum(),
        "random signs": 2 * (squares.sum() - own),
        "random eigenfunction": size * own - np.mean(np.einsum("kki->i", slopes) ** 2),
    }
    return float(terms[name] / np.mean(task.target**2))


def _flow(
    name: str, squares: Mapping[int, np.ndarray], leading: float
) -> tuple[list[Quantity], list[Series]]:
    """Distance of the flow: over its leading term at the largest P, and its exponent in P."""
    apart = {count: found[:, 1] for count, found in squares.items()}
    most = max(apart)
    label = f"{name}: squared distance of the flow"
    (value,), _ = over_theory(
        label, {most: apart[most]}, {most: leading / most}, FLOW_MARGIN, FLOW_REASON, where="P"
    )
    slope, shown = exponent(
        f"{name}: exponent in P of the distance of the flow",
        *(apart, -0.5),
        power=0.5,
        next_order=len(apart) > 2,
    )
    counts = np.array([min(apart), most])
    line = Series("leading order", counts, np.sqrt(leading / counts), look="limit")
    return [value, slope], [line, shown[-1]]
