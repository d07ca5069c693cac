"""The NTK of a network with several outputs at initialisation (JGH Theorem 1).

Theta^L(theta(0)) -> Theta_inf^L (x) Id: diagonal output blocks tend to the limit, off-diagonal ones
to zero. For one network both distances are of order n^(-1/2), like the error of a mean of n nearly
independent terms; exponents are fitted with a term of the next order. For ReLU at one input the
mean square of both is exact at any widths (`ntkflow.kernels.moments`), and so is the mean, which is
the limit. There values are compared at every width in place of exponents.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.exact import exact_means
from ntkflow.measures.common.laws import exponent, mean, over_theory
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.empirical import initial_kernels
from ntkflow.networks.mlp import seed_keys

PRECISION = "float64"
EXPECTED = -0.5
LIMIT = r"limit $\Theta_\infty(x, x')$"

MOMENT_MARGIN = 0.15
MOMENT_REASON = "another depth or beta, or a factor of two in n, changes it by more"
MEAN_MARGIN = 0.03
MEAN_REASON = "it is exact at any width; limits of another depth or beta differ by more"

ByWidth = Mapping[int, np.ndarray]


def measure(sources: Sources, *, draws: int) -> xr.Dataset:
    """Size of off-diagonal output blocks and distance of diagonal ones from the limit, by width."""
    x = sources.dataset["x"].values
    limit = np.asarray(sources.limiting["ntk"].values, np.float64)
    pairs, points, shown = {}, {}, {}
    for width, architecture in sources.architectures.items():
        keys = seed_keys(sources.seed, width, draws)
        ntk = initial_kernels(keys, x, architecture, dtype=np.float64)
        pairs[width] = block_squares(ntk, limit)
        points[width] = point_squares(ntk, limit)
        shown[width] = ntk[0]
    if sources.limit.activation.name == "relu":
        quantities, off, on = _values(points, sources)
        sizes = "mean square, over $\\Theta_\\infty^2$", "variance, over $\\Theta_\\infty^2$"
        titles = "off-diagonal blocks, one input", "diagonal blocks, one input"
    else:
        across, off = _exponent("blocks across outputs", pairs, 0)
        along, on = _exponent("distance on outputs", pairs, 1)
        quantities = [across, along]
        sizes = "relative size", "relative distance"
        titles = "off-diagonal output blocks", "diagonal output blocks"
    entries, axes = _entries(shown[max(shown)], limit), (LIMIT, r"$\Theta_{1k}(x, x')$")
    return evidence(
        quantities,
        [
            Panel("one network, output 1", *axes, entries),
            Panel(titles[0], "width $n$", sizes[0], off, "log", "log"),
            Panel(titles[1], "width $n$", sizes[1], on, "log", "log"),
        ],
    )


def block_squares(ntk: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Mean squares of the blocks of kernels (seed, N, N, k, k), relative to the limit, (seed, 2).

    Means over pairs k != k' of ||Theta_kk'||^2 / ||Theta_inf||^2, and over k of
    ||Theta_kk - Theta_inf||^2 / ||Theta_inf||^2, per network.
    """
    outputs, scale = ntk.shape[-1], np.sum(limit**2)
    squares = (ntk**2).sum(axis=(1, 2)) / scale
    off = squares.sum(axis=(1, 2)) - np.trace(squares, axis1=1, axis2=2)
    diagonal = np.einsum("snmkk->skmn", ntk) - limit.T
    on = (diagonal**2).sum(axis=(2, 3)) / scale
    return np.stack([off / (outputs * (outputs - 1)), on.mean(axis=1)], axis=1)


def point_squares(ntk: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """The same for entries of one point each, and the mean of Theta_kk / Theta_inf, (seed, 3)."""
    alone = np.einsum("snnkj->snkj", ntk) / np.diagonal(limit)[:, None, None]
    own = np.einsum("snkk->snk", alone)
    outputs = ntk.shape[-1]
    off = (np.sum(alone**2, axis=(2, 3)) - np.sum(own**2, axis=2)) / (outputs * (outputs - 1))
    on = ((own - 1) ** 2).mean(axis=2)
    return np.stack([off.mean(axis=1), on.mean(axis=1), own.mean(axis=(1, 2))], axis=1)


def _exponent(name: str, squares: ByWidth, which: int) -> tuple[Quantity, list[Series]]:
    values = {n: each[:, which] for n, each in squares.items()}
    return exponent(f"exponent of the {name}", values, EXPECTED, power=0.5, next_order=True)


def _values(
    squares: ByWidth, sources: Sources
) -> tuple[list[Quantity], list[Series], list[Series]]:
    """Mean squares at one input over their exact values, for ReLU."""
    x, networks = sources.dataset["x"].values, sources.architectures
    moments = {n: exact_means(networks[n], x, "block_ratio", "ntk_variance") for n in squares}
    found = []
    for which, name in enumerate(("square of off-diagonal blocks", "variance of diagonal blocks")):
        values = {n: each[:, which] for n, each in squares.items()}
        theory = {n: each[which] for n, each in moments.items()}
        found.append(over_theory(name, values, theory, MOMENT_MARGIN, MOMENT_REASON))
    (across, off), (along, on) = found
    widest = max(squares)
    name, means = f"mean of diagonal blocks at n = {widest}, over the limit", squares[widest][:, 2]
    of_limit = mean(name, means, "equals", 1.0, MEAN_MARGIN, MEAN_REASON)
    return [of_limit, *across, *along], off, on


def _entries(ntk: np.ndarray, limit: np.ndarray) -> list[Series]:
    """Entries of the blocks of the first output, against the limit."""
    where = np.triu_indices(len(limit))
    x = limit[where]
    ends = np.array([min(0.0, x.min()), x.max()])
    return [
        Series("$k = 1$", x, ntk[..., 0, 0][where], look="points"),
        Series("$k = 2$", x, ntk[..., 0, 1][where], look="points"),
        Series("limit", ends, ends, look="limit"),
        Series("", ends, 0 * ends, look="limit"),
    ]
