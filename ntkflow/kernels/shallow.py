"""Variance of the empirical NTK of networks with one hidden layer, exact at any width.

For two weight layers the NTK is a mean of n independent terms,

    Theta_ij(x, x') = delta_ij beta^2 + (sigma_w^2 / n) sum_m
        [delta_ij sigma(u_m) sigma(v_m) + a_im a_jm sigma'(u_m) sigma'(v_m) Sigma^1(x, x')],

with u_m, v_m the pre-activations of unit m at x and x', and a_im its standard Gaussian weight to
output i. So E Theta_ii is the limit, and the second moments are 1/n times those of one term: here
by quadrature, for any smooth activation and pair of inputs (derived here; tests compare them with
Monte Carlo).
"""

from typing import NamedTuple

import numpy as np

from ntkflow.aliases import Float
from ntkflow.kernels.dual import Activation

NODES = np.linspace(-9, 9, 181)
"""Nodes of the trapezoidal rule, which converges exponentially for analytic functions."""


class Shallow(NamedTuple):
    """Moments of the NTK between all pairs of inputs; i and j are different outputs."""

    ntk: Float[np.ndarray, "p p"]  # E Theta_ii
    variance: Float[np.ndarray, "p p"]  # n Var Theta_ii
    across: Float[np.ndarray, "p p"]  # n E Theta_ij^2


def shallow_moments(
    x: Float[np.ndarray, "p d"],
    activation: Activation,
    *,
    beta: float = 0.0,
    weight_gain: float = 1.0,
) -> Shallow:
    """Moments of a network with one hidden layer of n units and a smooth activation.

    Raises ValueError if a derivative of the activation jumps.
    """
    if not activation.smooth:
        raise ValueError(f"{activation.name}: found a kink, expected a smooth activation")
    first = weight_gain**2 * x @ x.T / x.shape[1] + beta**2
    rows = zip(first, np.diagonal(first), strict=True)
    found = [_row(row, own, np.diagonal(first), activation, weight_gain**2) for row, own in rows]
    ntk, variance, across = map(np.array, zip(*found, strict=True))
    return Shallow(beta**2 + ntk, variance, across)


def _row(
    pair: Float[np.ndarray, " p"],
    own: float,
    others: Float[np.ndarray, " p"],
    activation: Activation,
    gain: float,
) -> Shallow:
    """Moments without the last bias between one input and all, from Sigma^1 of pairs and inputs."""
    sigma, slope = activation.both
    weights = np.exp(-(NODES**2) / 2)
    weights /= weights.sum()
    u = np.sqrt(own) * NODES
    rest = np.sqrt(np.maximum(others - pair**2 / own, 0))
    v = (pair / own)[:, None, None] * u[:, None] + rest[:, None, None] * NODES
    through = np.asarray(sigma(u))[:, None] * np.asarray(sigma(v))
    back = pair[:, None, None] * np.asarray(slope(u))[:, None] * np.asarray(slope(v))

    def expected(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.einsum("pab,a,b->p", values, weights, weights))

    mean, squared = expected(through) + expected(back), expected(back**2)
    # E a^2 = 1 and E a^4 = 3.
    square = expected(through**2) + 2 * expected(through * back) + 3 * squared
    return Shallow(gain * mean, gain**2 * (square - mean**2), gain**2 * squared)
