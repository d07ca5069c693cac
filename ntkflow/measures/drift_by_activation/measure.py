"""Drift of the NTK in training for several activations and depths (JGH Theorem 2).

The drift is the largest record of ||Theta(t) - Theta(0)|| / ||Theta(0)|| between training points.
Networks descend on least squares towards f_0 + g, with the same g for all of them, so that the
length of the way does not vary over initialisations. g is small, because the leading order in n
needs a drift far below 1. Time is in units of N / ||Theta(0)||, at most 1 / lambda_1.

What theorems assume, and the exponent that is expected:

- JGH prove a bound of n^(-1/2) (with the rate of Lee et al. 2019) for Lipschitz activations with a
  bounded second derivative. ReLU and |z| have none, so it is tested for them without a proof.
- Huang & Yau (2019, Corollary 2.4) and Dyer & Gur-Ari (2020) derive n^(-1) for smooth activations.
  Both assume smoothness, the second also a conjecture on correlation functions.
- For activations with a kink n^(-3/4) is a heuristic, not a theorem. Pre-activations move by
  n^(-1/2), so about sqrt(n) units cross the kink. Each changes Theta by +-1/n at random: together
  sqrt(n)^(1/2) / n = n^(-3/4). Smooth contributions of order n^(-1) come on top of it; they add in
  squares, and are small if g is.

The root mean square over networks is used: it has the stated order even if few units cross a kink.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ntkflow.aliases import Array, Float, Inputs, Outputs, SeedKeys
from ntkflow.analysis.power_law import DRIFT_BOUND
from ntkflow.kernels.activations import activation
from ntkflow.kernels.batches import map_batches
from ntkflow.kernels.dual import Activation
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.laws import exponent
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.mlp import (
    Architecture,
    Parameters,
    apply,
    descended,
    empirical_ntk,
    init,
    seed_keys,
)

PRECISION = "float32"

SMOOTH, KINKED = -1.0, -0.75
MARGIN = 0.125
REASON = "half of the distance between the orders n^(-3/4) and n^(-1)"
HEURISTIC = f"{REASON}; the order is a heuristic"
BOUNDED = "a bound, proved for a bounded second derivative, which this activation does not have"

RATE = 0.5
"""Learning rate in units of time, at most a quarter of the largest stable one."""
RECORDS = 3
AT_ONCE = 10  # networks at once, so that their parameters stay in the cache
State = tuple[Parameters, Array]
"""Parameters and learning rate, which is zero before the first record."""

DRIFT = r"$\sup_t \|\Theta(t) - \Theta(0)\| / \|\Theta(0)\|$"


def measure(
    sources: Sources,
    *,
    activations: Sequence[Mapping[str, Any]],
    depths: Sequence[int],
    seeds: int,
    time: float,
    amplitude: float,
) -> xr.Dataset:
    """Exponents of the drift for each depth and activation."""
    x = np.asarray(sources.dataset["x"].values[: sources.samples], np.float32)
    y = np.asarray(sources.dataset["y"].values[: sources.samples], np.float64)
    goal = np.asarray(amplitude * y / np.sqrt(np.mean(y**2)), np.float32)
    choices = tuple(activation(**each) for each in activations)
    marks = np.unique(np.geomspace(1, max(1, time / RATE), RECORDS).round().astype(int))
    counts = np.diff([0, 0, *marks])  # the first record is at t = 0, and gives the unit of time
    quantities, panels = [], []
    for depth in depths:
        drift: dict[str, dict[int, np.ndarray]] = {sigma.name: {} for sigma in choices}
        for width, given in sorted(sources.architectures.items()):
            hidden = given.hidden_widths[:1] * (depth - 1)
            network = dataclasses.replace(given, hidden_widths=hidden)
            keys = seed_keys(sources.seed, width, seeds)
            for place, sigma in enumerate(choices):
                found = drifts(keys, x, goal, place, counts, network, choices)
                drift[sigma.name][width] = np.asarray(found, np.float64) ** 2
            sources.progress(f"L = {depth}, n = {width}")
        numbers, series = _laws(drift, depth, choices)
        quantities += numbers
        title = f"drift in training and slopes, $L = {depth}$"
        panels.append(Panel(title, "width $n$", DRIFT, series, "log", "log"))
    return evidence(quantities, panels)


def _laws(
    squares: Mapping[str, Mapping[int, np.ndarray]], depth: int, choices: Sequence[Activation]
) -> tuple[list[Quantity], list[Series]]:
    """Exponent of each activation, with fitted lines, measured points and two slopes."""
    quantities, series = [], []
    for sigma in choices:
        name = f"L = {depth}, {sigma.name}: exponent of the drift"
        expected, reason = (SMOOTH, REASON) if sigma.smooth else (KINKED, HEURISTIC)
        found, (guide, line, points) = exponent(
            name, squares[sigma.name], expected, margin=MARGIN, reason=reason, power=0.5
        )
        quantities.append(found)
        if not sigma.smooth:
            bounded = Quantity(
                f"{name}, bound", found.estimate, "at most", DRIFT_BOUND, 0.0, BOUNDED, found.seeds
            )
            quantities.append(bounded)
        label = f"{sigma.name}: {found.estimate.value:.2f}".replace("-", "−")
        drawn = dataclasses.replace(guide, label="")
        series += [drawn, dataclasses.replace(line, label=label), points]
    return quantities, series


@partial(jax.jit, static_argnames=("network", "choices"))
def drifts(
    keys: SeedKeys,
    x: Inputs,
    goal: Outputs,
    chosen: Array,
    counts: Float[Array, " r"],
    network: Architecture,
    choices: tuple[Activation, ...],
) -> Float[Array, " s"]:
    """Largest drift of one network per key, trained towards f_0 + goal (n, k).

    The activation is number `chosen` of `choices`, so that one program serves all of them. Records
    are `counts` steps apart, the first at t = 0. Of several outputs, the NTK is that of the first.
    """
    functions = [each.function for each in choices]
    sigma = Activation("chosen", lambda z: jax.lax.switch(chosen, functions, z))
    here = dataclasses.replace(network, activation=sigma)

    def follow(key: Array) -> Array:
        start = init(key, x.shape[1], here, x.dtype)
        target = apply(start, x, here) + goal

        def cost(theta: Parameters) -> Array:
            return jnp.sum((apply(theta, x, here) - target) ** 2) / (2 * len(x))

        def record(state: State, count: Array) -> tuple[State, Array]:
            theta, rate = state
            theta = descended(theta, jax.grad(cost), rate, count)
            kernel = empirical_ntk(theta, x, x, here, outputs=0).ravel()
            first = RATE * len(x) / jnp.linalg.norm(kernel)
            return (theta, jnp.where(rate > 0, rate, first)), kernel

        _, kernels = jax.lax.scan(record, (start, jnp.zeros((), x.dtype)), counts)
        changes = jnp.linalg.norm(kernels - kernels[:1], axis=1)
        return jnp.max(changes) / jnp.linalg.norm(kernels[0])

    return map_batches(follow, keys, AT_ONCE)
