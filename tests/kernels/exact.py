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
        sigma, theta = recursion(one, other, name, depth, mpf(float(beta)), mpf(float(gain)))
        return float(sigma), float(theta)


def recursion(
    one: Sequence[mpf], other: Sequence[mpf], name: str, depth: int, beta: mpf, gain: mpf
) -> tuple[mpf, mpf]:
    """As `limiting_kernels`, in the working precision of mpmath."""
    factor, offset = gain**2, beta**2
    pairs = ((one, one), (other, other), (one, other))
    q, q_prime, sigma = (factor * mp.fdot(a, b) / len(a) + offset for a, b in pairs)
    theta = sigma
    for _ in range(depth - 1):
        cross, slope = dual(name, q, q_prime, sigma)
        q = factor * dual(name, q, q, q)[0] + offset
        q_prime = factor * dual(name, q_prime, q_prime, q_prime)[0] + offset
        sigma = factor * cross + offset
        theta = factor * theta * slope + sigma
    return sigma, theta


def derivatives(
    x: Sequence[float],
    x_prime: Sequence[float],
    moves: tuple[Sequence[float], Sequence[float], float, float],
    name: str,
    depth: int,
    beta: float,
    gain: float,
) -> tuple[float, float]:
    """Derivatives of both kernels along `moves` of x, x', beta and the gain."""
    h = mpf(10) ** -40
    with mp.workdps(120):

        def moved(step: mpf) -> tuple[mpf, mpf]:
            points = (
                [
                    mpf(float(entry)) + step * mpf(float(move))
                    for entry, move in zip(*both, strict=True)
                ]
                for both in ((x, moves[0]), (x_prime, moves[1]))
            )
            factors = (
                mpf(float(factor)) + step * mpf(float(move))
                for factor, move in ((beta, moves[2]), (gain, moves[3]))
            )
            return recursion(*points, name, depth, *factors)

        up, down = moved(h), moved(-h)
        return tuple(float((one - other) / (2 * h)) for one, other in zip(up, down, strict=True))


def gram(
    x1: np.ndarray, x2: np.ndarray, name: str, depth: int, beta: float, gain: float
) -> tuple[np.ndarray, np.ndarray]:
    """The same for all pairs, each (n, m)."""
    values = [[limiting_kernels(a, b, name, depth, beta, gain) for b in x2] for a in x1]
    sigma, theta = np.moveaxis(np.array(values), -1, 0)
    return sigma, theta
