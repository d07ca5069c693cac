"""Drift against plain gradient descent; another order than the expected one is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.kernels.activations import activation
from ntkflow.measures.common.evidence import AGREES, DISAGREES, UNDECIDED, judge
from ntkflow.measures.drift_by_activation import measure as drift_by_activation
from ntkflow.networks.mlp import apply, empirical_ntk, init, seed_keys
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((5, 3))
Y = X[:, :1] * X[:, 1:2]
POINTS = sources(X, Y, train=4, widths=(16, 64))
CHOICES = (activation("relu"), activation("erf"))


@pytest.mark.parametrize("place", [0, 1])
def test_drift_is_that_of_a_loop(place):
    network = sources(X, Y, name=CHOICES[place].name).architectures[16]
    keys, goal = seed_keys(0, 16, 1), 0.5 * Y[:4]
    now = init(keys[0], 3, network, jnp.float64)
    target = apply(now, X[:4], network) + goal
    first = empirical_ntk(now, X[:4], X[:4], network)
    rate = 0.5 * 4 / np.linalg.norm(first)

    def cost(theta):
        return jnp.mean((apply(theta, X[:4], network) - target) ** 2) / 2

    drift = []
    for step in range(1, 5):
        now = jax.tree.map(lambda p, g: p - rate * g, now, jax.grad(cost)(now))
        if step in (1, 4):
            change = empirical_ntk(now, X[:4], X[:4], network) - first
            drift.append(float(jnp.linalg.norm(change.ravel()) / jnp.linalg.norm(first.ravel())))
    given = POINTS.architectures[16]
    counts = np.array([0, 1, 3])
    found = drift_by_activation.drifts(keys, X[:4], goal, place, counts, given, CHOICES)
    np.testing.assert_allclose(found, [max(drift)])


@pytest.mark.parametrize("order", [-0.5, -0.75, -1.0])
def test_only_the_order_that_is_expected_agrees(order):
    spread = 1 + 0.1 * np.random.default_rng(0).standard_normal(200) ** 2
    squares = {n: spread * n ** (2 * order) for n in (32, 128, 512)}
    laws, _ = drift_by_activation._laws({"relu": squares, "erf": squares}, 2, CHOICES)
    kinked, bound, smooth = judge(laws)["verdict"]
    assert kinked == (AGREES if order == -0.75 else DISAGREES)
    assert smooth == (AGREES if order == -1.0 else DISAGREES)
    assert bound == (UNDECIDED if order == -0.5 else AGREES)


@pytest.mark.slow
def test_orders_of_networks():
    settings = {
        "activations": [{"name": "abs"}, {"name": "erf"}],
        "depths": [2],
        "time": 4,
        "amplitude": 0.1,
    }
    points = sources(X, Y, widths=(32, 96, 288))
    found = verdicts(drift_by_activation.measure(points, **settings, seeds=300))
    assert DISAGREES not in found.values()
    assert found["L = 2, erf: exponent of the drift"] == AGREES
