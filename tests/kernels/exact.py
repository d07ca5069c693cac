"""Kernels of piecewise-linear activations in 50 digits, from the formulas as they are printed."""

from collections.abc import Sequence

import numpy as np
from mpmath import mp, mpf

SLOPES = {"relu": (0.0, 1.0), "leaky_relu": (0.1, 1.0), "abs": (-1.0, 1.0)}
PARAMETERS = {"relu": {}, "leaky_relu": {"slope": 0.1}, "abs": {}}


def dual(name: str, q: mpf, q_prime: mpf, c: mpf) -> tuple[mpf, mpf]:
    """E[sigma sigma] and E[sigma' sigma'], sigma = a relu(z) + b relu(-z) with slopes (-b, a).

    From the arc-cosine kernels (Cho & Saul 2009) of the four pairs of half-lines, those of
    relu(u) relu(-v) at the supplementary angle.
    """
    below, above = map(mpf, SLOPES[name])
    scale = mp.sqrt(q * q_prime)
    if not scale:
        return mpf(0), (above**2 + below**2) / 2
    # Rounding of 50 digits may leave a cosine beyond 1.
    phi = mp.acos(max(min(c / scale, mpf(1)), mpf(-1)))
    like, unlike = (
        (scale * (mp.sin(a) + (mp.pi - a) * mp.cos(a)) / (2 * mp.pi), (mp.pi - a) / (2 * mp.pi))
        for a in (phi, mp.pi - phi)
    )
    kernel = (above**2 + below**2) * like[0] - 2 * above * below * unlike[0]
    return kernel, (above**2 + below**2) * like[1] + 2 * above * below * unlike[1]


def limiting_kernels(
    x: Sequence[float], x_prime: Sequence[float], name: str, depth: int, beta: float, gain: float
) -> tuple[float, float]:
    """Sigma^L and Theta_inf^L of one pair of inputs, by the recursion of JGH."""
    with mp.workdps(50):
        one, other = ([mpf(float(entry)) for entry in point] for point in (x, x_prime))
        factor, offset = mpf(float(gain)) ** 2, mpf(float(beta)) ** 2
        pairs = ((one, one), (other, other), (one, other))
        q, q_prime, sigma = (factor * mp.fdot(a, b) / len(a) + offset for a, b in pairs)
        theta = sigma
        for _ in range(depth - 1):
            cross, slope = dual(name, q, q_prime, sigma)
            q = factor * dual(name, q, q, q)[0] + offset
            q_prime = factor * dual(name, q_prime, q_prime, q_prime)[0] + offset
            sigma = factor * cross + offset
            theta = factor * theta * slope + sigma
        return float(sigma), float(theta)


def gram(
    x1: np.ndarray, x2: np.ndarray, name: str, depth: int, beta: float, gain: float
) -> tuple[np.ndarray, np.ndarray]:
    """The same for all pairs, each (n, m)."""
    values = [[limiting_kernels(a, b, name, depth, beta, gain) for b in x2] for a in x1]
    sigma, theta = np.moveaxis(np.array(values), -1, 0)
    return sigma, theta
