"""Kernels of inputs of equal norm as series in the angle, for any depth and activation.

On a sphere Sigma^L and Theta_inf^L depend only on the angle phi between two inputs. The recursion
evaluates both once, at Chebyshev nodes of a variable t in [-1, 1] to which phi is mapped, and a
series then evaluates them at every pair. With ReLU the kernels are analytic in phi (not in its
cosine) but bend sharply within about 3 pi / L of phi = 0, which the map phi / (phi + stretch)
smooths.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import AnyArray, Float, Inputs, OtherInputs
from ntkflow.kernels.correlation import input_pairs
from ntkflow.kernels.dual import Activation
from ntkflow.kernels.limiting import LimitingKernels, Points, recursion
from ntkflow.kernels.pairs import Pairs, angle

NODES = (64, 256)
"""Numbers of interpolation nodes; the larger one if the series does not end within the smaller."""
STRETCHES = (np.inf, 2.0, 0.6, 0.2, 0.06, 0.02)
SHORT = 32
"""Number of terms that is short enough for no other stretch to be tried."""
ACCURACY = {np.dtype(np.float32): 3e-8, np.dtype(np.float64): 1e-14}
"""Error of the series relative to its largest value."""


class CosineSeries(NamedTuple):
    """Both kernels as functions of the angle.

    Chebyshev coefficients (2, c) in t = 2 y - 1, y = (phi / pi) (pi + stretch) / (phi + stretch).
    """

    coefficients: Float[AnyArray, "2 c"]
    stretch: float


def fit_series(point: Points, activation: Activation, dtype: np.dtype) -> CosineSeries | None:
    """Shortest series that is accurate in `dtype` for points of the norm of `point`, or None.

    `point` is one input in float64. The series is compared with the recursion between its nodes.
    """
    tolerance = ACCURACY[dtype]
    best = _shortest(point, activation, STRETCHES[0], tolerance)
    for stretch in STRETCHES[1:]:
        if best.coefficients.shape[1] > SHORT:
            other = _shortest(point, activation, stretch, tolerance)
            best = min(best, other, key=lambda series: series.coefficients.shape[1])
    angles = np.concatenate([[0.0, np.pi], np.geomspace(1e-6, 1, 97) * np.pi])
    exact = _at_angles(point, activation, angles)
    found = np.stack(evaluate(best, angles))
    error = np.max(np.abs(found - exact) / np.abs(exact).max(axis=1, keepdims=True))
    return best if error <= 10 * tolerance else None


def evaluate(series: CosineSeries, phi: AnyArray) -> LimitingKernels:
    """Both kernels at angles phi, by Clenshaw's recurrence, in the dtype of `phi`."""
    stretch = series.stretch
    position = (
        phi / np.pi if np.isinf(stretch) else phi * ((np.pi + stretch) / np.pi) / (phi + stretch)
    )
    t = 2 * position - 1
    coefficients = series.coefficients.astype(phi.dtype)
    before = last = [0 * t] * 2
    for k in range(coefficients.shape[1] - 1, 0, -1):
        fresh = [coefficients[i, k] + 2 * t * last[i] - before[i] for i in (0, 1)]
        before, last = last, fresh
    return LimitingKernels(*(coefficients[i, 0] + t * last[i] - before[i] for i in (0, 1)))


@partial(jax.jit, static_argnames=("stretch", "diagonal", "dtype"))
def kernels_on_sphere(
    x1: Inputs,
    x2: OtherInputs,
    coefficients: Float[AnyArray, "2 c"],
    *,
    stretch: float,
    dtype: np.dtype,
    diagonal: bool = False,
) -> LimitingKernels:
    """Kernels (n, m) between directions x1 (n, d) and x2 (m, d) of inputs of equal norm."""
    pairs = input_pairs(x1, x2, dtype, diagonal=diagonal)
    return evaluate(CosineSeries(coefficients, stretch), angle(pairs))


def _shortest(
    point: Points, activation: Activation, stretch: float, tolerance: float
) -> CosineSeries:
    """Series for one stretch, within the tolerance if a number of nodes in `NODES` reaches it."""
    for nodes in NODES:
        coefficients = _chopped(_interpolated(point, activation, stretch, nodes), tolerance)
        if coefficients.shape[1] < 0.8 * nodes:
            break
    return CosineSeries(coefficients, stretch)


def _interpolated(
    point: Points, activation: Activation, stretch: float, nodes: int
) -> Float[np.ndarray, "2 c"]:
    """Coefficients (2, c) of the interpolants at Chebyshev points of the first kind."""
    theta = np.pi * (np.arange(nodes) + 0.5) / nodes
    position = (1 + np.cos(theta)) / 2
    if np.isinf(stretch):
        phi = np.pi * position
    else:
        scaled = position * np.pi / (np.pi + stretch)
        phi = stretch * scaled / (1 - scaled)
    basis = np.cos(np.outer(theta, np.arange(nodes)))
    coefficients: np.ndarray = 2 / nodes * _at_angles(point, activation, phi) @ basis
    coefficients[:, 0] /= 2
    return coefficients


def _at_angles(point: Points, activation: Activation, phi: np.ndarray) -> np.ndarray:
    """Both kernels (2, c) between inputs like `point` at angles phi (c,), by the recursion."""
    repeated = np.resize(phi, NODES[-1])  # always as many, so that the program is compiled once
    found = kernels_at_angles(point, repeated[None, :], activation=activation)
    return np.stack(found)[:, 0, : len(phi)]


@partial(jax.jit, static_argnames="activation")
def kernels_at_angles(
    points: Points, phi: Float[AnyArray, "n m"], *, activation: Activation
) -> LimitingKernels:
    """Kernels (n, m) by the recursion, between inputs like `points` at the angles phi."""
    half = phi / 2
    pairs = Pairs(2 * jnp.sin(half) ** 2, 2 * jnp.cos(half) ** 2, jnp.cos(phi))
    return recursion(pairs, points, points, activation)


def _chopped(coefficients: np.ndarray, tolerance: float) -> np.ndarray:
    """Coefficients without the last ones, whose sum is below the tolerance in both kernels."""
    scale = np.abs(coefficients).sum(axis=1, keepdims=True)
    rest = np.cumsum(np.abs(coefficients[:, ::-1]), axis=1)[:, ::-1]
    needed = np.count_nonzero((rest > tolerance * scale).any(axis=0))
    return coefficients[:, : max(needed, 1)]
