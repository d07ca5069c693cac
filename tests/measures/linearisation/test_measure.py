"""Both parts of the distance have their orders; a wrong kernel or learning rate has another."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ntkflow.measures.common.evidence import AGREES, DISAGREES
from ntkflow.measures.common.linearised import descent
from ntkflow.measures.linearisation import measure as linearisation
from ntkflow.stores import labels
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((6, 3))
STEPS, RATE, SEEDS = np.arange(8), 0.2, 200


@cache
def networks(moving=-1.0, faster=1.0, name="tanh"):
    """Kernels that fluctuate by n^(-1/2) about the limit; f moves from f_lin by n^moving."""
    points = sources(X, X[:, :1], train=4, widths=(32, 128, 512, 2048), name=name)
    limit, random, found = points.limiting["ntk"].values, np.random.default_rng(1), {}
    for n in points.architectures:
        noise = random.standard_normal((SEEDS, 6, 6))
        ntk = limit * (1 + 0.1 * (noise + noise.transpose(0, 2, 1)) / n**0.5)
        start = random.standard_normal((SEEDS, 6))
        goal = np.broadcast_to(points.dataset["y"].values[:, 0], (SEEDS, 6))
        f = descent(start, goal[:, :4], ntk, faster * RATE, STEPS)
        square = ((goal - start)[:, :4] ** 2).mean(axis=1)[:, None, None]
        f = f + n**moving * square * STEPS[:, None] * random.standard_normal((SEEDS, 1, 6))
        found[n] = labels.ensemble(
            points.dataset,
            f=f[..., None],
            goal=goal[..., None],
            cost=np.zeros(f.shape[:2]),
            ntk=ntk[:, None, :, :, None, None],
            function_steps=STEPS,
            kernel_steps=[0],
            learning_rate=RATE,
        )
    return replace(points, ensembles=found)


def judged(**fault):
    return verdicts(linearisation.measure(networks(**fault)))


def test_parts_have_their_orders():
    assert set(judged().values()) == {AGREES}


@pytest.mark.parametrize("fault", [{"moving": -0.5}, {"faster": 2.0}])
def test_another_movement_or_learning_rate_is_noticed(fault):
    assert judged(**fault)["exponent of f_n - f_lin"] == DISAGREES


def test_relu_has_a_bound():
    assert judged(name="relu", moving=-0.75)["exponent of f_n - f_lin"] == AGREES
    assert judged(name="relu", moving=-0.25)["exponent of f_n - f_lin"] == DISAGREES


@pytest.mark.parametrize("kernel", ["nngp", "ntk"])
def test_another_limit_is_noticed(kernel):
    given = networks()
    wrong = 1.2 * given.limiting["ntk"] if kernel == "ntk" else given.limiting["nngp"]
    found = linearisation.measure(replace(given, limiting=given.limiting.assign(ntk=wrong)))
    assert verdicts(found)["exponent of f_lin - f_inf"] == DISAGREES
