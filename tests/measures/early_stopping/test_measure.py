"""Stopping times: of flows along the limiting NTK, along other kernels, and without noise."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.datasets.config import DatasetConfig
from ntkflow.kernels.dynamics import Components, kernel_flow, stepped
from ntkflow.measures.common.evidence import AGREES, DISAGREES
from ntkflow.measures.common.sources import Sources
from ntkflow.measures.early_stopping import measure as early_stopping
from ntkflow.pages.captions import caption
from ntkflow.stores import labels
from tests.measures.examples import sources, verdicts
from tests.measures.found import SETTINGS

TRAIN, TEST, SEEDS = 24, 40, 8
STEPS = tuple(np.unique(np.geomspace(1, 30000, 50).round().astype(int)))
SHIFT = "shift along log t at n = 64"
RISE = "rise of log test error after the minimum at n = 64"


@cache
def points(noise: float = 0.5) -> Sources:
    """Points of the sphere S^3, a linear target, noise on the training points."""
    random = np.random.default_rng(0)
    x = random.standard_normal((TRAIN + TEST, 4))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = x[:, :1].copy()
    y[:TRAIN] += noise * random.standard_normal((TRAIN, 1))
    return sources(x, y, train=TRAIN)


def measured(noise=0.5, slower=1.0, steps=STEPS, **attributes):
    """Of networks that follow the kernel over `slower`, each a few per cent off."""
    given = points(noise)
    rate = 0.2 / float(decompose_kernel(given.limiting)["eigenvalue"][0])
    spectrum = decompose_kernel(given.limiting)
    eigenvalues = spectrum["eigenvalue"].values / slower
    functions = spectrum["eigenfunction"].values
    random = np.random.default_rng(1)
    start = 0.1 * random.standard_normal((SEEDS, TRAIN + TEST, 1))
    goal = np.broadcast_to(given.dataset["y"].values, start.shape)
    time = rate * np.array([0, *steps], float)
    f = np.concatenate(
        [
            kernel_flow(
                stepped(Components(eigenvalues * factor, functions), rate),
                start[[seed]],
                goal[[seed], :TRAIN],
                time,
            )
            for seed, factor in enumerate(random.uniform(0.98, 1.02, SEEDS))
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
        learning_rate=rate,
    )
    dataset = given.dataset.assign_attrs(attributes)
    return early_stopping.measure(replace(given, dataset=dataset, ensembles={64: ensemble}))


def test_networks_follow_the_curve_of_the_kernel():
    assert set(verdicts(measured()).values()) == {AGREES}


@pytest.mark.parametrize("slower", [0.5, 1 / 1.2, 1.2, 2.0])
def test_a_kernel_of_another_size_is_noticed(slower):
    found = measured(slower=slower)
    assert verdicts(found)[SHIFT] == DISAGREES
    shift = float(found["value"].sel(quantity=SHIFT))
    assert shift == pytest.approx(-np.log(slower), abs=0.1)


def test_without_noise_there_is_no_rise():
    assert verdicts(measured(noise=0.0))[RISE] == DISAGREES


@pytest.mark.parametrize(("noise", "words"), [(0.0, ""), (0.5, ", noisy labels")])
def test_words_follow_the_noise(noise, words):
    titles = measured(noise, label_noise=noise)["title"].values.tolist()
    assert titles == ["test points", f"training points{words}"]


def test_statement_follows_the_noise():
    experiment = SETTINGS["early_stopping"].model_construct()
    points = {"inputs": "gaussian", "samples": 4, "features": 1}
    keys = {"train": points, "target": {"kind": "zero"}}
    noisy, exact = (DatasetConfig(**keys, label_noise=noise) for noise in (0.1, 0.0))
    assert experiment.statement_on(noisy) == experiment.statement
    assert experiment.statement_on(exact).startswith("The test error of wide networks falls, then")
    assert caption(experiment, experiment.statement_on(exact))["title"].startswith("The test error")


def test_training_that_ends_too_soon_shows_none():
    assert verdicts(measured(steps=STEPS[:15]))[RISE] == DISAGREES


def test_errors_are_those_of_a_loop():
    random = np.random.default_rng(0)
    f, y = random.standard_normal((2, 3, 5, 2)), random.standard_normal((5, 2))
    training, test = early_stopping.square_errors(f, y, 2)
    for seed in range(2):
        for step in range(3):
            each = [np.linalg.norm(f[seed, step, i] - y[i]) ** 2 for i in range(5)]
            assert training[seed, step] == pytest.approx(np.mean(each[:2]))
            assert test[seed, step] == pytest.approx(np.mean(each[2:]))
