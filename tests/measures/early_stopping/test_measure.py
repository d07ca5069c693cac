"""Stopping times: of flows along the limiting NTK, along other kernels, and without noise."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.kernels.dynamics import Components, kernel_flow
from ntkflow.measures.common.evidence import AGREES, DISAGREES, UNDECIDED
from ntkflow.measures.common.sources import Sources
from ntkflow.measures.early_stopping import measure as early_stopping
from ntkflow.stores import labels
from tests.measures.examples import sources, verdicts

TRAIN, TEST, SEEDS = 24, 40, 20
STEPS = tuple(np.unique(np.geomspace(1, 30000, 50).round().astype(int)))
LATENESS = "log of the time of the minimum / the kernel's"


@cache
def points(noise: float = 0.5) -> Sources:
    """Points of the sphere S^3, a linear target, noise on the training points."""
    random = np.random.default_rng(0)
    x = random.standard_normal((TRAIN + TEST, 4))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = x[:, :1].copy()
    y[:TRAIN] += noise * random.standard_normal((TRAIN, 1))
    return sources(x, y, train=TRAIN)


def measured(noise=0.5, slower=1.0, steps=STEPS):
    """Of networks that follow the kernel over `slower`, each a few per cent off."""
    given = points(noise)
    spectrum = decompose_kernel(given.limiting)
    eigenvalues = spectrum["eigenvalue"].values / slower
    random = np.random.default_rng(1)
    start = 0.1 * random.standard_normal((SEEDS, TRAIN + TEST, 1))
    goal = np.broadcast_to(given.dataset["y"].values, start.shape)
    time = np.array([0, *steps], float)
    f = np.concatenate(
        [
            kernel_flow(
                Components(eigenvalues * factor, spectrum["eigenfunction"].values),
                start[[seed]],
                goal[[seed], :TRAIN],
                time,
            )
            for seed, factor in enumerate(random.uniform(0.95, 1.05, SEEDS))
        ]
    )
    ensemble = labels.ensemble(
        given.dataset,
        f=f,
        goal=goal,
        cost=np.zeros(f.shape[:2]),
        ntk=np.empty(0),
        function_steps=(0, *steps),
        kernel_steps=(),
        learning_rate=1.0,
    )
    return early_stopping.measure(replace(given, ensembles={64: ensemble}))


RISE = "last error / at the kernel's time"


def test_networks_turn_where_the_kernel_does():
    assert set(verdicts(measured()).values()) == {AGREES}


@pytest.mark.parametrize("slower", [0.2, 5.0])
def test_the_curve_of_another_kernel_is_noticed(slower):
    found = verdicts(measured(slower=slower))
    ratios = [verdict for name, verdict in found.items() if name.startswith("n to infinity")]
    assert DISAGREES in ratios


@pytest.mark.parametrize("slower", [0.2, 5.0])
def test_a_kernel_of_another_size_turns_elsewhere(slower):
    found = measured(slower=slower)
    assert verdicts(found)[LATENESS] == DISAGREES
    lateness = float(found["value"].sel(quantity=LATENESS))
    assert lateness == pytest.approx(np.log(slower), abs=0.15)


def test_without_noise_there_is_no_minimum():
    found = verdicts(measured(noise=0.0))
    assert found[RISE] != AGREES


def test_training_that_ends_too_soon_shows_none():
    found = verdicts(measured(steps=STEPS[:15]))
    assert found[RISE] in (DISAGREES, UNDECIDED)


def test_errors_are_those_of_a_loop():
    random = np.random.default_rng(0)
    f, y = random.standard_normal((2, 3, 5, 2)), random.standard_normal((5, 2))
    training, test = early_stopping.square_errors(f, y, 2)
    for seed in range(2):
        for step in range(3):
            each = [np.linalg.norm(f[seed, step, i] - y[i]) ** 2 for i in range(5)]
            assert training[seed, step] == pytest.approx(np.mean(each[:2]))
            assert test[seed, step] == pytest.approx(np.mean(each[2:]))


@given(st.floats(1.5, 500), st.floats(0.1, 10))
def test_minimum_of_a_parabola_in_log_time_is_found(turn, height):
    time = np.array([0, *np.geomspace(1, 1000, 30)])
    with np.errstate(divide="ignore"):
        curve = height + np.log(time / turn) ** 2
    assert early_stopping.minimum_time(time, curve) == pytest.approx(turn, rel=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_minimum_at_an_end_is_its_record(sign):
    time = np.array([0.0, 1, 2, 5])
    expected = 1.0 if sign > 0 else 5.0
    assert early_stopping.minimum_time(time, sign * time) == expected
