"""The spectrum of the limiting NTK on spheres (JGH Proposition 2).

- Non-polynomial activations (that of the network, erf and tanh), at several depths and dimensions:
  the smallest eigenvalue of the Gram matrix between points of the sphere, over the rounding error
  of eigenvalues, N eps lambda_1. Above 1 the matrix is certainly positive definite. Eigenvalues of
  smooth kernels on S^2 fall geometrically and reach rounding error at about a hundred points, so
  erf and tanh are checked in R^10, where they fall slowly enough.
- Polynomial activations: the kernel is a polynomial in the cosine, of degree d^(L-1) at most for
  the degree d, and its part of degree k in Gegenbauer polynomials spans the spherical harmonics of
  that degree. Its rank is the sum of their dimensions over the degrees that occur, which follow
  from the Hermite coefficients of the activation. The rank of the Gram matrix of more points must
  equal it, so that the kernel is singular at every depth.
- The circle: eigenvalues of the ReLU NTK fall like k^-d, those of its NNGP kernel like k^-(d+2), at
  any depth (Bietti & Mairal 2019; Bietti & Bach 2021); d = 2, and the FFT gives them.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import comb, factorial

import numpy as np
import xarray as xr
from numpy.polynomial import Polynomial, hermite_e

from ntkflow.kernels.activations import activation
from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.kernels.tiles import Network
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.sources import Sources

PRECISION = "float64"

FEATURES = 10
"""Largest dimension of inputs."""

SMOOTH = {"erf": 2, "tanh": 3}
"""Depths of the smooth activations, which are checked in the largest dimension."""

POLYNOMIALS = {
    "z² without bias": ((0.0, 0.0, 1.0), 0.0, ((2, 3), (3, 3), (3, 5))),
    "z + z² with bias": ((0.0, 1.0, 1.0), 0.5, ((2, 3), (3, 3))),
    "z³ without bias": ((0.0, 0.0, 0.0, 1.0), 0.0, ((2, 3),)),
}
"""Coefficients from the constant upwards, beta, and pairs of depth and dimension, by name."""

ROUNDING_REASON = "one unit of rounding, within which an eigenvalue may be zero"
RANK_REASON = "ranks are whole numbers"
DECAY_MARGIN = 0.1
DECAY_REASON = "the next power of 1/k adds less over the upper half of frequencies"

OVERSAMPLING = 64
"""Points of the circle per highest frequency, so that aliasing is below 1e-4."""

ZERO = 1e-9
"""Fraction of the largest eigenvalue that counts as zero in a rank; rounding error is 1e-15."""

SMALLEST, RATIO = r"$\lambda_{min}(\Theta)/N$", r"$\lambda_i / \lambda_1$"
"""Labels of axes."""


def measure(sources: Sources, *, sizes: Sequence[int], frequencies: int) -> xr.Dataset:
    """Evidence from smallest eigenvalues, ranks and the decay of the spectrum.

    Size m uses the first m points of the data set, scaled to norm 1, and in other dimensions the
    first of as many random ones. It must have as many points as the largest size.
    """
    x = np.asarray(sources.dataset["x"].values, np.float64)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    definite, curves = _definite(x, sources, sorted(sizes))
    ranks, spectra = _polynomials(sources.seed)
    decays, modes = _circle(frequencies, sources.limit)
    return evidence(
        [*definite, *ranks, *decays],
        [
            Panel("smallest eigenvalue", "points $N$", SMALLEST, curves, "log", "log"),
            Panel("polynomial activations", "component $i$", RATIO, spectra, "linear", "log"),
            Panel("ReLU on the circle", "frequency $k$", r"$\mu_k / \mu_1$", modes, "log", "log"),
        ],
    )


def _definite(
    x: np.ndarray, sources: Sources, sizes: Sequence[int]
) -> tuple[list[Quantity], list[Series]]:
    """Smallest eigenvalues by network, dimension and number of points."""
    limit, largest = sources.limit, max(sizes)
    points = {d: sphere(sources.seed, largest, d) for d in (2, FEATURES)} | {x.shape[1]: x}
    cases = [(replace(limit, depth=depth), x.shape[1]) for depth in sorted({2, limit.depth})]
    cases += [(limit, features) for features in points if features != x.shape[1]]
    cases += [
        (replace(limit, activation=activation(name), depth=depth), FEATURES)
        for name, depth in SMOOTH.items()
        if name != limit.activation.name
    ]
    quantities, series = [], []
    for network, features in cases:
        name = f"{network.activation.name}, L = {network.depth}, d = {features}"
        smallest, floor = _smallest(points[features], sizes, network)
        label = f"{name}, up to {largest} points: smallest eigenvalue over rounding"
        # An eigenvalue is known to within one unit of rounding.
        least = float(np.min(smallest / floor))
        quantities.append(Quantity.exact(label, least, "at least", 1.0, 0.0, ROUNDING_REASON))
        shown = np.maximum(smallest, floor / 10)
        series += [Series(name, sizes, shown), Series("", sizes, shown, look="points")]
    # lambda_1, and with it the rounding error, hardly depends on the network.
    return quantities, [*series, Series("rounding", sizes, floor, look="guide")]


def sphere(seed: int, count: int, features: int) -> np.ndarray:
    """Uniform points (count, features) of the unit sphere."""
    gaussian = np.random.default_rng([seed, features]).standard_normal((count, features))
    return np.asarray(gaussian / np.linalg.norm(gaussian, axis=1, keepdims=True))


def gram(x: np.ndarray, network: Network) -> np.ndarray:
    """Limiting NTK between points x (N, n_0), compiled once for all n_0 <= 10.

    Kernels depend on x.x' / n_0, which zeros in place of further coordinates do not change if x is
    scaled by the root of the dimensions' ratio.
    """
    features = max(FEATURES, x.shape[1])
    padded = np.pad(x, ((0, 0), (0, features - x.shape[1]))) * np.sqrt(features / x.shape[1])
    return np.asarray(limiting_kernels(padded, padded, **vars(network)).ntk)


def _smallest(
    x: np.ndarray, sizes: Sequence[int], network: Network
) -> tuple[np.ndarray, np.ndarray]:
    """Smallest eigenvalue of Theta/N on the first points, and the rounding error, for each size."""
    kernel = gram(x[: max(sizes)], network)
    found = []
    for size in sizes:
        eigenvalues = np.linalg.eigvalsh(kernel[:size, :size] / size)
        found.append((eigenvalues[0], size * np.finfo(np.float64).eps * eigenvalues[-1]))
    smallest, floor = np.array(found).T
    return smallest, floor


def _polynomials(seed: int) -> tuple[list[Quantity], list[Series]]:
    """Ranks against their prediction, and spectra, between twice as many points."""
    quantities, series = [], []
    for name, (coefficients, beta, cases) in POLYNOMIALS.items():
        sigma = activation("polynomial", coefficients=coefficients)
        predicted = {
            (depth, features): sum(
                harmonic_dimension(degree, features)
                for degree in harmonic_degrees(coefficients, beta, features, depth)
            )
            for depth, features in cases
        }
        for (depth, features), expected in predicted.items():
            # As many points for each dimension, so that kernels are compiled once.
            count = 2 * max(rank for case, rank in predicted.items() if case[0] == depth)
            kernel = gram(sphere(seed, count, features), Network(sigma, depth, beta))
            eigenvalues = np.linalg.eigvalsh(kernel)[::-1]
            share = eigenvalues / eigenvalues[0]
            case = f"{name}, L = {depth}, d = {features}"
            rank = float(np.sum(share > ZERO)) - expected
            label = f"{case}: rank less its prediction, {expected}"
            quantities.append(Quantity.exact(label, rank, "equals", 0.0, 0.0, RANK_REASON))
            shown = np.maximum(share[: expected + 4], np.finfo(np.float64).eps / 10)
            series.append(Series(case, np.arange(1, len(shown) + 1), shown, look="points"))
    return quantities, series


def harmonic_degrees(
    coefficients: Sequence[float], beta: float, features: int, depth: int = 2
) -> list[int]:
    """Degrees of the harmonics on S^{features-1} in the NTK of a polynomial activation.

    At unit vectors with the cosine u, Sigma^1 = u/d + beta^2 is a polynomial in u. With q = Sigma^l
    at u = 1, rho = Sigma^l / q and sigma(sqrt(q) z) = sum_k h_k He_k(z), Mehler's formula gives

        Sigma^{l+1} = sum_k k! h_k^2 rho^k + beta^2,  dSigma^{l+1} = sum_k k k! h_k^2 rho^(k-1) / q,
        Theta^{l+1} = Theta^l dSigma^{l+1} + Sigma^{l+1}.

    All are polynomials without negative coefficients, and u^j has positive parts of the degrees j,
    j - 2, ... (Daniely, Frostig & Singer 2016). The coefficients are those of 1, z, z^2, ...
    """
    bias = beta**2
    sigma = ntk = Polynomial([bias, 1 / features])
    for _ in range(depth - 1):
        variance = float(sigma(1.0))
        scaled = np.asarray(coefficients) * variance ** (np.arange(len(coefficients)) / 2)
        weights = [factorial(k) * h**2 for k, h in enumerate(hermite_e.poly2herme(scaled))]
        dual = Polynomial(weights)
        rho = sigma / variance
        sigma = dual(rho) + bias
        ntk = ntk * dual.deriv()(rho) / variance + sigma
    powers = np.flatnonzero(np.asarray(ntk.coef, np.float64) > 0)
    return sorted({degree for power in powers for degree in range(int(power), -1, -2)})


def harmonic_dimension(degree: int, features: int) -> int:
    """Dimension of the spherical harmonics of a degree on S^{features-1}."""
    lower = comb(degree + features - 3, features - 1) if degree >= 2 else 0
    return comb(degree + features - 1, features - 1) - lower


def _circle(frequencies: int, limit: Network) -> tuple[list[Quantity], list[Series]]:
    """Decay of the Fourier modes of ReLU kernels on the circle.

    Even and odd modes have different constants, so the logarithms of neighbours are averaged in
    pairs. With beta > 0 both occur; without, most odd modes vanish at depth 2.
    """
    angle = 2 * np.pi * np.arange(2 * OVERSAMPLING * frequencies) / (2 * OVERSAMPLING * frequencies)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    network = replace(limit, activation=activation("relu"), beta=limit.beta or 0.1)
    first = limiting_kernels(circle[:1], circle, **vars(network))
    modes = np.arange(1, frequencies + 1)
    quantities, series = [], []
    for name, kernel, expected in (("NTK", first.ntk, -2.0), ("NNGP kernel", first.nngp, -4.0)):
        mu = np.abs(np.fft.rfft(np.asarray(kernel)[0]).real)[1 : frequencies + 1]
        slope = _decay(modes, mu)
        label = f"ReLU {name} on the circle: exponent of its eigenvalues"
        number = Quantity.exact(label, slope, "equals", expected, DECAY_MARGIN, DECAY_REASON)
        quantities.append(number)
        series.append(Series(name, modes, mu / mu[0], look="points"))
        ends = np.array([max(1, frequencies // 8), frequencies])
        guide = mu[ends[-1] - 1] / mu[0] * (ends / ends[-1]) ** expected
        series.append(Series(f"slope −{-expected:g}", ends, guide, look="guide"))
    return quantities, series


def _decay(modes: np.ndarray, mu: np.ndarray) -> float:
    """Slope of log mu against log k over the upper half, neighbours averaged."""
    pairs = len(modes) // 2 * 2
    k = np.log(modes[:pairs]).reshape(-1, 2).mean(axis=1)
    values = np.log(mu[:pairs]).reshape(-1, 2).mean(axis=1)
    upper = len(k) // 2
    return float(np.polyfit(k[upper:], values[upper:], 1)[0])
