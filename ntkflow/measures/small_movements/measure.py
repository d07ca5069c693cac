"""Movement of weights, of single units and of f in training (JGH Section 4.2).

Activations of single hidden units move by n^(-1/2), and yet lower layers learn, because units move
together: the first summand of the recursion of Theta is their part of the movement of f.

Gradient descent on least squares from theta(0) to time T; each number is the limit n -> infinity of
a mean square over its value to leading order (module `theory`), from a fit with the next order in
1/n. The theory starts from f_0 of the same networks. Orders in n, relative to the size at t = 0:

- weights of the first and of the last layer, n^(-1/2); weights between hidden layers, 1/n;
- pre-activations of single units of each hidden layer, n^(-1/2), root mean square over units;
- f, O(1), and its movement by the hidden layers alone, with the weights of the last layer at their
  initial values: the regression coefficient on what the theory gives.

The theory needs a bounded second derivative, as that of the paper.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ntkflow.aliases import Array, Inputs, Outputs, SeedKeys
from ntkflow.analysis.jackknife import Estimate, batches, jackknife
from ntkflow.kernels.batches import map_batches
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.laws import bars, weights_of_limit
from ntkflow.measures.common.sources import Sources
from ntkflow.measures.small_movements.theory import Theory, theory
from ntkflow.networks.mlp import Architecture, Parameters, affine, apply, descended, init, seed_keys

PRECISION = "float32"

MARGIN = 0.1
REASON = "a tenth: another depth or activation, or a factor of two in n, changes it by more"
AT_ONCE = 10  # networks at once, so that their parameters stay in the cache

Movements = dict[str, np.ndarray]
"""Squares, measured and expected (seed, 2), by what moves."""


def measure(sources: Sources, *, seeds: int, learning_rate: float, steps: int) -> xr.Dataset:
    """Movements at each width over their leading order, and both against n."""
    if not sources.limit.activation.smooth:
        name = sources.limit.activation.name
        raise ValueError(f"network: found the activation {name!r}, expected one without kinks")
    x = np.asarray(sources.dataset["x"].values, np.float32)
    y = np.asarray(sources.dataset["y"].values[: sources.samples, 0], np.float64)
    expected = theory(x.astype(np.float64), sources.samples, sources.limit, sources.seed % 2**32)
    found: dict[int, Movements] = {}
    for width, network in sorted(sources.architectures.items()):
        keys = seed_keys(sources.seed, width, seeds)
        rate = np.float32(learning_rate)
        moved = trained(keys, x, y[:, None].astype(np.float32), rate, steps, network)
        moved = [np.asarray(each, np.float64) for each in moved]
        rho = expected.residual(moved[2][:, : len(y)], y, learning_rate, steps)
        widths = (x.shape[1], *sources.theory[width].hidden_widths, 1)
        found[width] = compared(moved, rho, expected, widths)
        sources.progress(f"n = {width}")
    names = list(next(iter(found.values())))
    quantities = [
        Quantity(
            f"movement of {name} over its leading order, n to infinity",
            _limit({n: each[name] for n, each in found.items()}),
            *("equals", 1.0, MARGIN, REASON, seeds),
        )
        for name in names
    ]
    panels = [("weights", "W"), ("pre-activations of single units", "z"), ("functions", "f")]
    return evidence(quantities, [_panel(title, key, found) for title, key in panels])


@partial(jax.jit, static_argnames=("network",))
def trained(
    keys: SeedKeys, x: Inputs, y: Outputs, rate: Array, steps: int, network: Architecture
) -> tuple[Array, Array, Array, Array, Array]:
    """Movements of one network per key, trained on the first n points of x (m, n_0).

    ||Delta W^l||^2 / ||W^l||^2 (s, L), the mean square over units and points of Delta z^l
    (s, L - 1), f_0 (s, m), f_T - f_0 (s, m), and f with the last layer of t = 0 minus f_0 (s, m).
    """

    def follow(key: Array) -> tuple[Array, ...]:
        start = init(key, x.shape[1], network, x.dtype)

        def cost(theta: Parameters) -> Array:
            return jnp.sum((apply(theta, x[: len(y)], network) - y) ** 2) / (2 * len(y))

        end = descended(start, jax.grad(cost), rate, steps)
        before, after = _layers(start, x, network), _layers(end, x, network)
        weights = [
            jnp.sum((new.weight - old.weight) ** 2) / jnp.sum(old.weight**2)
            for old, new in zip(start, end, strict=True)
        ]
        units = [
            jnp.mean((new - old) ** 2) for old, new in zip(before[:-1], after[:-1], strict=True)
        ]
        hidden = network.activation.function(after[-2])
        frozen = affine(start[-1], hidden, network)
        f = before[-1][:, 0]
        return (
            *(jnp.stack(weights), jnp.stack(units)),
            *(f, after[-1][:, 0] - f, frozen[:, 0] - f),
        )

    return map_batches(follow, keys, AT_ONCE)


def _layers(theta: Parameters, x: Inputs, network: Architecture) -> list[Array]:
    """Pre-activations z^1..z^L at x."""
    found = [affine(theta[0], x, network)]
    for layer in theta[1:]:
        found.append(affine(layer, network.activation.function(found[-1]), network))
    return found


def compared(
    moved: list[np.ndarray], rho: np.ndarray, expected: Theory, widths: tuple[int, ...]
) -> Movements:
    """Measured and expected squares (seed, 2) of all that moves; widths are n_0..n_L."""
    weights, units, _, f, frozen = moved
    found = {}
    for layer, form in enumerate(expected.weights):
        size = widths[layer] * widths[layer + 1]
        theory = np.einsum("sj,jk,sk->s", rho, form, rho) / size
        found[f"W^{layer}"] = np.stack([weights[:, layer], theory], axis=1)
    for layer, form in enumerate(expected.units):
        scale = expected.variance[layer]
        theory = np.einsum("sj,jk,sk->s", rho, form, rho) / widths[layer + 1]
        found[f"z^{layer + 1}"] = np.stack([units[:, layer], theory], axis=1) / scale
    for name, function, kernel in (
        ("f", f, expected.ntk),
        ("f by hidden layers", frozen, expected.through),
    ):
        theory = -rho @ kernel.T
        found[name] = np.stack([(function * theory).mean(axis=1), (theory**2).mean(axis=1)], axis=1)
    return found


def _limit(squares: Mapping[int, np.ndarray]) -> Estimate:
    """Measured over expected mean square at n = infinity, from a fit with a term in 1/n."""
    weights = weights_of_limit([*squares])

    def intercept(groups: Sequence[np.ndarray]) -> float:
        return float(weights @ [np.divide(*group.mean(axis=0)) for group in groups])

    return jackknife(intercept, [batches(each) for each in squares.values()])


def _panel(title: str, key: str, found: Mapping[int, Movements]) -> Panel:
    """Root mean squares of what starts with `key`, against n, with their leading order."""
    widths, series = sorted(found), []
    for name in next(iter(found.values())):
        if not name.startswith(key):
            continue
        samples = [batches(found[n][name]) for n in widths]
        points = [
            jackknife(lambda groups: float(np.sqrt(groups[0][:, 0].mean())), [each], log=True)
            for each in samples
        ]
        line = [float(np.sqrt(each[:, 1].mean())) for each in samples]
        label = f"${name}$" if name != "f by hidden layers" else name
        series += [
            Series("", widths, line, look="limit"),
            bars(label, widths, points),
        ]
    size = "movement of $f$" if key == "f" else "relative movement"
    return Panel(title, "width $n$", size, series, "log", "log")
