"""The limiting NTK depends only on depth, activation and variances (JGH Theorem 1).

- Mean NTK of a network and of variants with another depth, activation, beta, weight gain or other
  ratios of hidden widths, over initialisations. A fit Theta_inf + c / n removes the next order, and
  is compared with the limiting NTK between all points. Without it the mean of ReLU networks with
  sixteen units differs from the limit by about one per cent.
- Variance of the NTK at one input for ReLU networks with equal and unequal hidden widths, against
  its exact value (`ntkflow.kernels.moments`). At one input the mean is the limit at any widths.
- Order of limits. JGH let n_1, ..., n_{L-1} tend to infinity one after another. By the exact
  moments the variance is sum_l c_l / n_l to leading order: it vanishes in whatever order the widths
  grow, also if they grow together.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ntkflow.aliases import Array, Float, Inputs
from ntkflow.analysis.convergence import squared_bias
from ntkflow.analysis.jackknife import batches, jackknife
from ntkflow.kernels.activations import activation
from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.exact import exact_means
from ntkflow.measures.common.laws import over_theory, weights_of_limit
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.mlp import Architecture, as_layers, empirical_ntk, parameter_count

PRECISION = "float32"

LIMIT_MARGIN = 0.04**2
LIMIT_REASON = "the square of four per cent, half of what another depth, beta or activation changes"
VARIANCE_MARGIN = 0.15
VARIANCE_REASON = "a factor of two in the width of the narrowest layer changes it by more"
ORDER_MARGIN = 0.01
ORDER_REASON = "the next order in 1/n, at most 10 / n"

AT_ONCE = 100  # networks drawn at once, so that their parameters stay in the cache
FINITE, INFINITE = 2**10, 2**40
"""Widths of hidden layers at which the order of limits is checked."""
SHOWN = 24  # pairs of points in a panel

PANELS = {
    "depth and widths": ("depth", "width_ratios"),
    "activation": ("activation",),
    "variances": ("beta", "weight_gain"),
}
"""Panels by title, and the keys of the variants that they show besides the given network."""


@dataclass(frozen=True)
class Variant:
    """A network at every width n."""

    label: str
    changes: Mapping[str, Any]  # of the given network
    ratios: Sequence[float]  # width of each hidden layer over n
    networks: Mapping[int, Architecture]
    limit: np.ndarray  # limiting NTK (N, N)

    @property
    def of_given_limit(self) -> bool:
        """True if its limit is that of the given network."""
        return not {*self.changes} - {"width_ratios"}


def measure(sources: Sources, *, draws: int, variants: Sequence[Mapping[str, Any]]) -> xr.Dataset:
    """Mean NTK of all variants against their limits, and variances for ReLU."""
    x = np.asarray(sources.dataset["x"].values, np.float64)
    distances, variances, entries, spreads = [], [], [], []
    for place, variant in enumerate(_variants(sources, x, variants)):
        kernels = {
            n: initial(np.random.default_rng([sources.seed, n, place]), x, network, draws)
            for n, network in variant.networks.items()
        }
        distance, mean = _distance(kernels, variant, draws)
        distances.append(distance)
        entries.append((variant, mean))
        if sources.limit.activation.name == "relu" and variant.of_given_limit:
            found, shown = _variance(kernels, variant, x)
            variances += found
            spreads += shown
        sources.progress(variant.label)
    panels = list(_kernels(x, entries))
    if variances:
        order, lines = _order(x, sources.architectures)
        variances.append(order)
        axes = "width $n$", r"variance, over $\Theta_\infty^2$"
        panels.append(Panel("ReLU at one input", *axes, lines + spreads, "log", "log"))
    return evidence(distances + variances, panels)


def _variants(
    sources: Sources, x: np.ndarray, variants: Sequence[Mapping[str, Any]]
) -> Iterator[Variant]:
    """Yield the given network and its variants."""
    given, limit = sources.architectures, np.asarray(sources.limiting["ntk"].values, np.float64)
    for written in ({}, *variants):
        changes = {key: value for key, value in written.items() if value is not None}
        new: dict[str, Any] = {
            key: changes[key] for key in ("beta", "weight_gain") if key in changes
        }
        if "activation" in changes:
            new["activation"] = activation(**changes["activation"])
        first = given[min(given)]
        ratios = changes.get("width_ratios") or [1.0] * (changes.get("depth", first.depth) - 1)
        networks = {
            n: replace(_widened(network, network.hidden_widths[0], ratios), outputs=1, **new)
            for n, network in sorted(given.items())
        }
        depth = {"depth": changes["depth"]} if "depth" in changes else {}
        kernel: Any = limit
        if new or depth:
            kernel = limiting_kernels(x, x, **vars(replace(sources.limit, **new, **depth))).ntk
        label = _label(changes) or f"L = {first.depth}, {first.activation.name}"
        yield Variant(label, changes, ratios, networks, np.asarray(kernel, np.float64))


def _widened(network: Architecture, n: int, ratios: Sequence[float]) -> Architecture:
    return replace(network, hidden_widths=tuple(max(1, round(ratio * n)) for ratio in ratios))


def _label(changes: Mapping[str, Any]) -> str:
    """Changes in words, such as L = 4."""
    texts: dict[str, Callable[[Any], str]] = {
        "depth": lambda value: f"L = {value}",
        "activation": lambda value: str(value["name"]),
        "beta": lambda value: f"β = {value:g}",
        "weight_gain": lambda value: f"σ_w = {value:.3g}",
        "width_ratios": lambda value: "widths " + ", ".join(map(_of_width, value)),
    }
    return ", ".join(texts[key](value) for key, value in changes.items())


def _of_width(ratio: float) -> str:
    return "n" if ratio == 1 else f"{ratio:g}n"


def initial(
    random: np.random.Generator, x: Inputs, network: Architecture, draws: int
) -> Float[np.ndarray, "s N N"]:
    """Empirical NTK at theta(0) between all rows of x (N, n_0), of `draws` networks.

    Parameters are drawn by NumPy, because JAX's random numbers take longer to compile for each
    architecture than all else here takes to compute.
    """
    points, found = jnp.asarray(x, jnp.float32), []
    shape = AT_ONCE, parameter_count(x.shape[1], network)
    for start in range(0, draws, AT_ONCE):
        theta = random.standard_normal(shape, np.float32)
        found.append(np.asarray(_kernel(theta, points, network))[: draws - start])
    return np.concatenate(found)


@partial(jax.jit, static_argnums=2)
def _kernel(theta: Array, x: Inputs, network: Architecture) -> Array:
    """Empirical NTK (s, N, N) at each row of theta (s, P)."""

    def kernel(entries: Array) -> Array:
        parameters = as_layers(entries, x.shape[1], network)
        return empirical_ntk(parameters, x, x, network)[..., 0, 0]

    return jax.vmap(kernel)(theta)


def _distance(
    kernels: Mapping[int, np.ndarray], variant: Variant, draws: int
) -> tuple[Quantity, np.ndarray]:
    """Squared relative distance of the extrapolated mean from the limit, and that mean (N, N).

    The draws of all widths are paired, so that pairs are independent units.
    """
    weights = weights_of_limit(sorted(kernels))
    means = [batches(kernels[n]) for n in sorted(kernels)]
    extrapolated = np.einsum("w,w...->...", weights, np.stack(means))
    errors = (extrapolated - variant.limit).reshape(len(extrapolated), -1)
    relative = errors / np.linalg.norm(variant.limit)
    distance = jackknife(lambda groups: squared_bias(groups[0]), [relative])
    name = f"squared distance from the limit, {variant.label}"
    quantity = Quantity(name, distance, "equals", 0.0, LIMIT_MARGIN, LIMIT_REASON, draws)
    return quantity, extrapolated.mean(axis=0)


def _variance(
    kernels: Mapping[int, np.ndarray], variant: Variant, x: np.ndarray
) -> tuple[list[Quantity], list[Series]]:
    """Variance at one input over its exact value, mean over points; curve and measured points."""
    limit = np.diagonal(variant.limit)
    squares = {
        n: np.mean((np.einsum("snn->sn", each) / limit - 1) ** 2, axis=1)
        for n, each in kernels.items()
    }
    network = variant.networks[min(variant.networks)]
    label = variant.label if variant.changes else "equal widths"
    quantities, (_, points) = over_theory(
        f"variance at one input, {label}",
        squares,
        {n: _exact(x, network, n, variant.ratios) for n in kernels},
        VARIANCE_MARGIN,
        VARIANCE_REASON,
    )
    grid = _grid(kernels)
    curve = [_exact(x, network, n, variant.ratios) for n in grid]
    return quantities, [Series("exact", grid, curve, look="limit"), replace(points, label=label)]


def _exact(x: np.ndarray, network: Architecture, n: int, ratios: Sequence[float]) -> float:
    """Exact variance at one input of a ReLU network with hidden widths n x ratios."""
    return exact_means(_widened(network, int(n), ratios), x, "ntk_variance")[0]


def _grid(widths: Iterable[int]) -> np.ndarray:
    """Widths at which exact values are drawn."""
    return np.unique(np.geomspace(min(widths) / 2, 2 * max(widths), 12).round().astype(int))


def _order(x: np.ndarray, networks: Mapping[int, Architecture]) -> tuple[Quantity, list[Series]]:
    """Variance with one finite hidden layer, summed over layers, over that with all of them."""
    network = networks[min(networks)]
    hidden = network.depth - 1
    ratios = [[1 if k == layer else INFINITE for k in range(hidden)] for layer in range(hidden)]
    alone = sum(_exact(x, network, FINITE, each) for each in ratios)
    together = _exact(x, network, FINITE, [1] * hidden)
    name = f"sum of variances with one layer of {FINITE} units, others infinite, over that with all"
    number = Quantity.exact(name, alone / together, "equals", 1.0, ORDER_MARGIN, ORDER_REASON)
    grid = _grid(networks)
    return number, [
        Series(f"only $n_{layer}$ finite", grid, [_exact(x, network, n, each) for n in grid])
        for layer, each in enumerate(ratios, 1)
    ]


def _kernels(x: np.ndarray, found: Sequence[tuple[Variant, np.ndarray]]) -> Iterator[Panel]:
    """Yield panels of limits and extrapolated means against the cosine between inputs."""
    direction = x / np.linalg.norm(x, axis=1, keepdims=True)
    rows, columns = np.triu_indices(len(x))
    cosine = np.sum(direction[rows] * direction[columns], axis=1)
    order = np.argsort(cosine)
    some = order[np.unique(np.linspace(0, len(order) - 1, SHOWN).astype(int))]
    for title, keys in PANELS.items():
        series = []
        for variant, mean in found:
            if {*variant.changes} - {*keys}:
                continue
            line, points = variant.limit[rows, columns], mean[rows, columns]
            series += [
                Series("limit", cosine[order], line[order], look="limit"),
                Series(variant.label, cosine[some], points[some], look="points"),
            ]
        yield Panel(title, "cosine of the inputs", r"NTK $\Theta(x, x')$", series)
