"""Networks that fit the training points, by width (JGH Introduction).

JGH recall that wide networks have few local minima with a cost far above that of the global one.
Networks are trained on least squares, by gradient descent from random initialisations, on points
that the narrowest network cannot fit for any parameters. (With one unit per layer and a monotone
activation, f is a monotone function of one direction.) A network

- reaches the data if its last cost is at most 1 % of that of f = 0;
- stops at a higher cost if it does not, and its cost falls by less than a tenth over the last half
  of the steps. It is then near a critical point: dC/dt = -|grad C|^2. Slow networks are neither.

Numbers: shares that reach the data at the smallest and the largest width, shares that stop at a
higher cost at the largest width and at the smallest width at which some network reaches the data
(so that its global minimum is at most 1 %), and the mean cost at the largest width.
Intervals of shares are those of Clopper & Pearson.
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ntkflow.aliases import AnyArray, Array, Float, Inputs, SeedKeys
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.laws import bars, mean
from ntkflow.measures.common.shares import counted, share
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.costs import LEAST_SQUARES, mean_cost
from ntkflow.networks.mlp import descended, seed_keys
from ntkflow.networks.model import Model, Parameters

PRECISION = "float32"

REACHED = 0.01
"""Largest last cost, over that of f = 0, of a network that reaches the data."""

STOPPED = 0.9
"""Least last cost, over that after half of the steps, of a network that has stopped."""

FEW = 0.05
FEW_REASON = "one network in twenty is few"
NONE_REASON = "such networks cannot fit the points; one in twenty would be a fault"
MANY, MANY_REASON = 0.1, "one network in ten, twice what counts as few"
COST_REASON = "the cost that counts as reaching the data"

RECORDS = 30
SHOWN = 40  # networks of each width in the figure
SMALLEST = 1e-6
"""Smallest cost in the figure."""


class Trained(NamedTuple):
    """Costs of the networks of one width (seed, record), over the cost of f = 0."""

    costs: np.ndarray
    half: np.ndarray  # (seed,), after half of the steps

    @property
    def last(self) -> np.ndarray:
        """Last cost (seed,), infinite if it is not a number."""
        return np.nan_to_num(self.costs[:, -1], nan=np.inf)

    @property
    def reached(self) -> np.ndarray:
        """True for networks that reach the data (seed,)."""
        return self.last <= REACHED

    @property
    def stopped(self) -> np.ndarray:
        """True for networks that stop at a higher cost (seed,)."""
        return ~self.reached & np.isfinite(self.last) & (self.last >= STOPPED * self.half)


def measure(sources: Sources, *, seeds: int, learning_rate: float, steps: int) -> xr.Dataset:
    """Shares of networks that reach the data or stop at a higher cost, by width."""
    samples = sources.samples
    x = jnp.asarray(sources.dataset["x"].values[:samples], jnp.float32)
    y = jnp.asarray(sources.dataset["y"].values[:samples], jnp.float32)
    grid = {*np.geomspace(1, steps, RECORDS).round().astype(int).tolist()}
    marks = np.array(sorted({0, steps // 2, steps, *grid}))
    found = {}
    for width, architecture in sorted(sources.architectures.items()):
        keys = seed_keys(sources.seed, width, seeds)
        costs = trained(keys, x, y, architecture, marks, learning_rate)
        costs /= float(mean_cost(LEAST_SQUARES, jnp.zeros_like(y), y))
        found[width] = Trained(costs, costs[:, list(marks).index(steps // 2)])
    return evidence(_numbers(found), _panels(found, learning_rate * marks))


def trained(
    keys: SeedKeys,
    x: Inputs,
    y: Float[AnyArray, "n k"],
    network: Model,
    marks: np.ndarray,
    rate: float,
) -> np.ndarray:
    """Costs (seed, record) of one network per key at the steps `marks`, which start with 0."""
    theta = jax.jit(jax.vmap(lambda key: network.init(key, x.shape[1], x.dtype)))(keys)
    records = []
    for steps in np.diff(marks, prepend=0):
        theta, costs = _descend(theta, x, y, int(steps), rate, network)
        records.append(costs)
    return np.stack(records, axis=1).astype(np.float64)


@partial(jax.jit, static_argnames="network")
def _descend(
    theta: Parameters, x: Inputs, y: Array, steps: int, rate: float, network: Model
) -> tuple[Parameters, Array]:
    """Parameters and costs (seed,) after `steps` steps of gradient descent, of all networks."""

    def cost(each: Parameters) -> Array:
        return mean_cost(LEAST_SQUARES, network.apply(each, x), y)

    theta = descended(theta, jax.vmap(jax.grad(cost)), jnp.asarray(rate, x.dtype), steps)
    return theta, jax.vmap(cost)(theta)


def _numbers(found: Mapping[int, Trained]) -> list[Quantity]:
    narrow, wide = min(found), max(found)
    fitting = next((n for n in sorted(found) if found[n].reached.any()), wide)
    reach, stop = "share that reaches the data at n =", "share that stops at a higher cost at n ="
    costs = found[wide].last
    return [
        share(f"{reach} {narrow}", found[narrow].reached, "at most", 0.0, FEW, NONE_REASON),
        share(f"{reach} {wide}", found[wide].reached, "at least", 1.0, FEW, FEW_REASON),
        share(
            f"{stop} {fitting}, the narrowest that can fit",
            *(found[fitting].stopped, "at least", MANY, 0.0, MANY_REASON),
        ),
        share(f"{stop} {wide}", found[wide].stopped, "at most", 0.0, FEW, FEW_REASON),
        mean(f"mean last cost at n = {wide}", costs, "at most", 0.0, REACHED, COST_REASON),
    ]


def _panels(found: Mapping[int, Trained], times: np.ndarray) -> list[Panel]:
    widths = np.array(sorted(found))
    falling = [
        Series("", times[1:], np.maximum(np.median(found[n].costs, axis=0)[1:], SMALLEST), width=n)
        for n in widths
    ]
    shares = [
        bars("reach the data", widths, [counted(found[n].reached) for n in widths]),
        bars("stop at a higher cost", widths, [counted(found[n].stopped) for n in widths]),
    ]
    last = [
        Series("", np.full(SHOWN, n)[: len(found[n].last)], _shown(found[n]), look="points")
        for n in widths
    ]
    limit = Series("reaches the data", widths[[0, -1]], [REACHED, REACHED], look="guide")
    cost = "$C / C(f = 0)$"
    return [
        Panel("median cost", "time $t$", cost, falling, "log", "log"),
        Panel("share of networks", "width $n$", "", shares, "log"),
        Panel("last cost", "width $n$", cost, [limit, *last], "log", "log"),
    ]


def _shown(trained: Trained) -> np.ndarray:
    """Last costs of a few networks, NaN if not finite."""
    last = np.where(np.isfinite(trained.last), np.maximum(trained.last, SMALLEST), np.nan)
    return np.asarray(last[:SHOWN])
