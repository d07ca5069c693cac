"""Inflation and the speed it explains, of trained networks and of made-up ones."""

from dataclasses import replace
from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.analysis.spectrum import component_target, decompose_kernel
from ntkflow.measures.common.evidence import AGREES, DISAGREES, UNDECIDED
from ntkflow.measures.common.sources import Sources
from ntkflow.measures.inflation import measure as inflation
from ntkflow.networks.mlp import seed_keys
from ntkflow.networks.training import Schedule, train_ensemble
from ntkflow.stores import labels
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((8, 3))
WIDTHS = (32, 128)
AMPLITUDE, SEEDS = 2.0, 150
SPEED = "speed / mean inflation, n = 128"


def points() -> Sources:
    return sources(X, np.zeros((8, 1)), widths=WIDTHS, depth=3)


@cache
def trained(component: int = 2) -> Sources:
    given = points()
    spectrum = decompose_kernel(given.limiting)
    target = component_target(spectrum, component, AMPLITUDE).values[:, None]
    rate = 0.1 / float(spectrum["eigenvalue"][0])
    last = int(1 / (rate * float(spectrum["eigenvalue"].sel(component=component))))
    steps = tuple(np.unique(np.linspace(0, last, 9).round().astype(int)).tolist())
    ensembles = {
        n: labels.ensemble(
            given.dataset,
            **train_ensemble(
                seed_keys(0, n, SEEDS),
                X,
                target,
                len(X),
                architecture,
                Schedule(rate, steps, steps),
                relative=True,
                dtype=jnp.float64,
            )._asdict(),
            function_steps=steps,
            kernel_steps=steps,
            learning_rate=rate,
        )
        for n, architecture in given.architectures.items()
    }
    return replace(given, ensembles=ensembles)


@pytest.mark.slow
def test_narrower_networks_are_inflated_and_faster():
    found = inflation.measure(trained(), component=2, amplitude=AMPLITUDE)
    assert set(verdicts(found).values()) <= {AGREES, UNDECIDED}


def made_up(excess=2.0, explained=1.0, growing=1.0) -> Sources:
    """Networks whose kernel is (1 + excess t / n) times the limit, some of them a little more."""
    given = points()
    spectrum = decompose_kernel(given.limiting)
    eigenvalue, f = (spectrum[k].sel(component=2).values for k in ("eigenvalue", "eigenfunction"))
    steps = np.arange(6)
    rate, ntk = 0.2 / float(eigenvalue), given.limiting["ntk"].values
    shares = 1 + np.random.default_rng(0).uniform(-0.1, 0.1, 10)
    ensembles = {}
    for n in WIDTHS:
        grown = np.outer(shares, steps) * excess * n**-growing
        kernels = (1 + grown)[:, :, None, None, None, None] * ntk[:, :, None, None]
        # The integral of a line, which the trapezoidal rule has exactly.
        passed = (steps + explained * grown * steps / 2) * rate * float(eigenvalue)
        residual = -np.exp(-passed)[:, :, None, None] * f[:, None]
        ensembles[n] = labels.ensemble(
            given.dataset,
            f=residual,
            goal=np.zeros((10, 8, 1)),
            cost=np.zeros((10, 6)),
            ntk=kernels,
            function_steps=steps,
            kernel_steps=steps,
            learning_rate=rate,
        )
    return replace(given, ensembles=ensembles)


def test_speed_of_a_known_kernel_is_its_inflation():
    source = made_up()
    found = inflation.measure(source, component=2, amplitude=1.0)
    assert set(verdicts(found).values()) == {AGREES}
    for n, flight in inflation.flights_of(source, 2).items():
        np.testing.assert_allclose(flight.speed, flight.mean, rtol=1e-10)
        np.testing.assert_allclose(flight.growth.mean(), 2.5 * 2 / n, rtol=0.1)


@pytest.mark.parametrize(
    ("change", "quantity"),
    [
        ({"excess": 40.0, "explained": 0.0}, SPEED),
        ({"growing": -0.5}, "exponent of the growth of the inflation"),
        ({"excess": -2.0}, "growth, n = 32"),
        ({"excess": -2.0}, "speed, narrowest - widest"),
    ],
)
def test_others_do_not_hold(change, quantity):
    found = inflation.measure(made_up(**change), component=2, amplitude=1.0)
    assert verdicts(found)[quantity] == DISAGREES


def test_kernel_of_another_size_does_not_explain_the_speed():
    given = made_up()
    ensembles = {n: e.assign(ntk=2 * e["ntk"]) for n, e in given.ensembles.items()}
    wrong = replace(given, ensembles=ensembles)
    found = inflation.measure(wrong, component=2, amplitude=1.0)
    assert verdicts(found)[SPEED] == DISAGREES
