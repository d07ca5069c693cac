"""The NTK of a network with several outputs at initialisation (JGH Theorem 1).

Theta^L(theta(0)) -> Theta_inf^L (x) Id: diagonal output blocks tend to the limit, off-diagonal ones
to zero. For one network both distances are of order n^(-1/2), like the error of a mean of n nearly
independent terms; exponents are fitted with a term of the next order. In two cases the mean square
of both is exact at any width, and so is the mean, which is the limit: for ReLU at one input
(`ntkflow.kernels.moments`), and for smooth activations with one hidden layer at all pairs of inputs
(`ntkflow.kernels.shallow`). There values are compared at every width in place of exponents.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from ntkflow.kernels.shallow import shallow_moments
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.exact import exact_means, has_exact_means
from ntkflow.measures.common.laws import exponent, mean, over_theory
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.empirical import initial_kernels
from ntkflow.networks.mlp import Architecture, seed_keys
from ntkflow.networks.model import Model

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
    where, sizes = (
        "",
        ("mean square, over $\\Theta_\\infty^2$", "variance, over $\\Theta_\\infty^2$"),
    )
    networks = sources.architectures.values()
    if has_exact_means(networks):
        where = ", one input"
        quantities, off, on = _values(points, _at_one_input(sources))
    elif all(_smooth_and_shallow(each) for each in networks):
        quantities, off, on = _values(pairs, _at_pairs(sources, limit))
    else:
        sizes = "relative size", "relative distance"
        across, off = _exponent("blocks across outputs", pairs, 0)
        along, on = _exponent("distance on outputs", pairs, 1)
        quantities = [across, along]
    entries, axes = _entries(shown[max(shown)], limit), (LIMIT, r"$\Theta_{1k}(x, x')$")
    return evidence(
        quantities,
        [
            Panel("one network, output 1", *axes, entries),
            Panel(f"off-diagonal output blocks{where}", "width $n$", sizes[0], off, "log", "log"),
            Panel(f"diagonal output blocks{where}", "width $n$", sizes[1], on, "log", "log"),
        ],
    )


def _smooth_and_shallow(network: Model) -> bool:
    return isinstance(network, Architecture) and network.depth == 2 and network.smooth


def block_squares(ntk: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Mean squares of the blocks of kernels (seed, N, N, k, k), relative to the limit, (seed, 3).

    Means over pairs k != k' of ||Theta_kk'||^2 / ||Theta_inf||^2, over k of
    ||Theta_kk - Theta_inf||^2 / ||Theta_inf||^2, and of <Theta_kk, Theta_inf> / ||Theta_inf||^2,
    per network.
    """
    outputs, scale = ntk.shape[-1], np.sum(limit**2)
    squares = (ntk**2).sum(axis=(1, 2)) / scale
    off = squares.sum(axis=(1, 2)) - np.trace(squares, axis1=1, axis2=2)
    diagonal = np.einsum("snmkk->skmn", ntk) - limit.T
    on = (diagonal**2).sum(axis=(2, 3)) / scale
    mean = 1 + np.einsum("skmn,nm->s", diagonal, limit) / (scale * outputs)
    return np.stack([off / (outputs * (outputs - 1)), on.mean(axis=1), mean], axis=1)


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


def _at_one_input(sources: Sources) -> dict[int, list[float]]:
    """Exact mean squares of `point_squares` by width, for ReLU."""
    x = sources.dataset["x"].values
    return {n: exact_means(e, x, "block_ratio", "ntk_variance") for n, e in sources.theory.items()}


def _at_pairs(sources: Sources, limit: np.ndarray) -> dict[int, list[float]]:
    """Exact mean squares of `block_squares` by width, for one hidden layer."""
    x, found = np.asarray(sources.dataset["x"].values, np.float64), {}
    for n, network in sources.theory.items():
        variances = {"beta": network.beta, "weight_gain": network.weight_gain}
        exact = shallow_moments(x, network.activation, **variances)
        sizes = (np.sum(each) / np.sum(limit**2) for each in (exact.across, exact.variance))
        found[n] = [float(size) / network.hidden_widths[0] for size in sizes]
    return found


def _values(
    squares: ByWidth, exact: Mapping[int, Sequence[float]]
) -> tuple[list[Quantity], list[Series], list[Series]]:
    """Mean squares off and on the diagonal over their exact values, and the mean."""
    found = []
    for which, name in enumerate(("square of off-diagonal blocks", "variance of diagonal blocks")):
        values = {n: each[:, which] for n, each in squares.items()}
        theory = {n: each[which] for n, each in exact.items()}
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
