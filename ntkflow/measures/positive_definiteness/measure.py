"""The spectrum of the limiting NTK on spheres (JGH Proposition 2).

- Non-polynomial activations (that of the network, erf and tanh): the smallest eigenvalue of the
  Gram matrix between points of the sphere, over the rounding error of eigenvalues, N eps lambda_1.
  Above 1 the matrix is certainly positive definite. Eigenvalues of smooth kernels on S^2 fall
  geometrically and reach rounding error at about a hundred points, so erf and tanh are checked only
  for the smallest number of points.
- Polynomial activations: the kernel is a polynomial in the cosine, and its part of degree k in
  Gegenbauer polynomials spans the spherical harmonics of that degree. Its rank is the sum of their
  dimensions over the degrees that occur, which follow from the Hermite coefficients of the
  activation. The rank of the Gram matrix must equal it.
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

SMOOTH = ("erf", "tanh")

POLYNOMIALS = {
    "z² without bias": ((0.0, 0.0, 1.0), 0.0),
    "z + z² with bias": ((0.0, 1.0, 1.0), 0.5),
    "z³ without bias": ((0.0, 0.0, 0.0, 1.0), 0.0),
}
"""Coefficients from the constant upwards, and beta, by name; the depth is 2."""

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

    Size m uses the first m points of the data set, scaled to norm 1. It must have as many points as
    the largest size, and more than each rank.
    """
    x = np.asarray(sources.dataset["x"].values, np.float64)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    definite, curves = _definite(x, sources.limit, sorted(sizes))
    ranks, spectra = _polynomials(x)
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
    x: np.ndarray, limit: Network, sizes: Sequence[int]
) -> tuple[list[Quantity], list[Series]]:
    """Smallest eigenvalues by activation and number of points."""
    given = [replace(limit, depth=depth) for depth in sorted({2, limit.depth})]
    others = [name for name in SMOOTH if name != limit.activation.name]
    smooth = [replace(limit, activation=activation(name), depth=2) for name in others]
    quantities, series = [], []
    for network in given + smooth:
        name = f"{network.activation.name}, L = {network.depth}"
        smallest, floor = _smallest(x, sizes, network)
        count = len(sizes) if network in given else 1
        label = f"{name}, up to {sizes[count - 1]} points: smallest eigenvalue over rounding"
        # An eigenvalue is known to within one unit of rounding.
        least = float(np.min(smallest[:count] / floor[:count]))
        quantities.append(Quantity.exact(label, least, "at least", 1.0, 0.0, ROUNDING_REASON))
        shown = np.maximum(smallest, floor / 10)
        series += [Series(name, sizes, shown), Series("", sizes, shown, look="points")]
    # lambda_1, and with it the rounding error, hardly depends on the activation.
    return quantities, [*series, Series("rounding", sizes, floor, look="guide")]


def _smallest(
    x: np.ndarray, sizes: Sequence[int], network: Network
) -> tuple[np.ndarray, np.ndarray]:
    """Smallest eigenvalue of Theta/N on the first points, and the rounding error, for each size."""
    points = x[: max(sizes)]
    kernel = np.asarray(limiting_kernels(points, points, **vars(network)).ntk)
    found = []
    for size in sizes:
        eigenvalues = np.linalg.eigvalsh(kernel[:size, :size] / size)
        found.append((eigenvalues[0], size * np.finfo(np.float64).eps * eigenvalues[-1]))
    smallest, floor = np.array(found).T
    return smallest, floor


def _polynomials(x: np.ndarray) -> tuple[list[Quantity], list[Series]]:
    """Ranks at depth 2 against their prediction, and spectra."""
    features, quantities, series = x.shape[1], [], []
    for name, (coefficients, beta) in POLYNOMIALS.items():
        degrees = harmonic_degrees(coefficients, beta, features)
        predicted = sum(harmonic_dimension(degree, features) for degree in degrees)
        points = x[: 4 * predicted]
        if len(points) <= predicted:
            raise ValueError(f"the rank {predicted} of {name} needs more than {len(x)} points")
        network = Network(activation("polynomial", coefficients=coefficients), 2, beta)
        kernel = np.asarray(limiting_kernels(points, points, **vars(network)).ntk)
        eigenvalues = np.linalg.eigvalsh(kernel)[::-1]
        share = eigenvalues / eigenvalues[0]
        rank = int((share > ZERO).sum())
        label = f"{name}: rank less its prediction, {predicted}"
        quantities.append(Quantity.exact(label, rank - predicted, "equals", 0.0, 0.0, RANK_REASON))
        shown = np.maximum(share[: predicted + 4], np.finfo(np.float64).eps / 10)
        series.append(Series(name, np.arange(1, len(shown) + 1), shown, look="points"))
    return quantities, series


def harmonic_degrees(coefficients: Sequence[float], beta: float, features: int) -> list[int]:
    """Degrees of the harmonics on S^{features-1} in the NTK of depth 2 of a polynomial activation.

    With q = 1/d + beta^2, sigma(sqrt(q) z) = sum_k h_k He_k(z) and the correlation
    rho = (u/d + beta^2) / q of unit vectors with the cosine u, Mehler's formula makes
    Theta = sum_k (k + 1) k! h_k^2 rho^k + beta^2. No coefficient of u^j in it is negative, and u^j
    has positive parts of the degrees j, j - 2, ... (Daniely, Frostig & Singer 2016). The
    coefficients are those of 1, z, z^2, ...
    """
    variance = 1 / features + beta**2
    scaled = np.asarray(coefficients) * variance ** (np.arange(len(coefficients)) / 2)
    hermite = hermite_e.poly2herme(scaled)
    weights = [(k + 1) * factorial(k) * h**2 for k, h in enumerate(hermite)]
    cosine = Polynomial([beta**2 / variance, 1 / (features * variance)])
    series = Polynomial(weights)(cosine) + beta**2
    powers = np.flatnonzero(np.asarray(series.coef, np.float64) > 0)
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
