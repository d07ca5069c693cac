"""Networks that reach the data, against problems whose minima are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.isotonic import isotonic_regression

from ntkflow.kernels.activations import activation
from ntkflow.measures.common.evidence import AGREES, DISAGREES
from ntkflow.measures.local_minima import measure as local_minima
from ntkflow.networks.mlp import Architecture, apply, init, seed_keys
from tests.measures.examples import sources, verdicts

ANGLES = np.arange(6) * np.pi / 3
HEXAGON = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
LABELS = np.array([[1.0], [-1.0]] * 3)
SETTINGS = {"seeds": 130, "learning_rate": 0.3, "steps": 1000}


def hexagon(widths=(1, 4, 32)):
    return sources(HEXAGON, LABELS, widths=widths, weight_gain=2**0.5)


def trained(width, seeds, steps):
    """Costs (seed, record) at the start and the end, over that of f = 0."""
    architecture = Architecture((width, width), activation("relu"), 0.1, 2**0.5, 1)
    keys = seed_keys(0, width, seeds)
    x, y = jnp.asarray(HEXAGON, jnp.float32), jnp.asarray(LABELS, jnp.float32)
    costs = local_minima.trained(keys, x, y, architecture, np.array([0, steps]), 0.3)
    return 2 * costs


def test_wide_networks_reach_the_data_and_narrow_ones_do_not():
    found = local_minima.measure(hexagon(), **SETTINGS)
    assert set(verdicts(found).values()) == {AGREES}


def test_global_minimum_with_one_unit_per_layer_is_far_from_the_data():
    """f is then monotone along a direction: at best an isotonic regression, in some order."""
    bound = np.inf
    for angle in np.linspace(0, 2 * np.pi, 721) + 1e-4:
        order = np.argsort(HEXAGON @ [np.cos(angle), np.sin(angle)])
        values = LABELS[order, 0]
        bound = min(bound, np.mean((isotonic_regression(values) - values) ** 2))
    assert bound == pytest.approx(2 / 3)
    last = trained(1, 100, 2000)[:, -1]
    assert bound <= last.min()
    assert local_minima.REACHED < bound


def test_descent_is_that_of_a_loop_over_single_networks():
    architecture = Architecture((3,), activation("relu"), 0.1, 1.0, 1)
    keys = seed_keys(0, 3, 2)
    x, y = jnp.asarray(HEXAGON, jnp.float32), jnp.asarray(LABELS, jnp.float32)
    found = local_minima.trained(keys, x, y, architecture, np.array([0, 1, 4]), 0.3)
    for key, costs in zip(keys, found, strict=True):
        theta = init(key, 2, architecture, jnp.float32)

        def cost(theta):
            return jnp.mean((apply(theta, x, architecture) - y) ** 2) / 2

        for step in range(5):
            if step in (0, 1, 4):
                expected = costs[(0, 1, 4).index(step)]
                assert float(cost(theta)) == pytest.approx(expected, rel=1e-4)
            theta = jax.tree.map(lambda p, g: p - 0.3 * g, theta, jax.grad(cost)(theta))


def test_stopped_networks_are_those_whose_cost_hardly_falls():
    costs = np.array([[1, 0.5, 0.49], [1, 0.5, 0.4], [1, 0.1, 0.009], [1, 0.5, np.nan]])
    found = local_minima.Trained(costs, costs[:, 1])
    assert found.reached.tolist() == [False, False, True, False]
    assert found.stopped.tolist() == [True, False, False, False]


def test_networks_of_one_width_in_place_of_all_are_noticed():
    points = hexagon()
    narrow = dict.fromkeys(points.architectures, points.architectures[1])
    points.architectures.update(narrow)
    found = verdicts(local_minima.measure(points, **SETTINGS))
    assert found["share that reaches the data at n = 32"] == DISAGREES
    assert found["share that stops at a higher cost at n = 32"] == DISAGREES
    assert found["mean last cost at n = 32"] == DISAGREES


def test_narrow_networks_that_fit_are_noticed():
    found = verdicts(local_minima.measure(hexagon((8, 32)), **SETTINGS))
    assert found["share that reaches the data at n = 8"] == DISAGREES
    assert found["share that stops at a higher cost at n = 8, the narrowest that can fit"] != AGREES


def test_training_that_ends_too_soon_is_noticed():
    found = verdicts(local_minima.measure(hexagon(), **{**SETTINGS, "steps": 10}))
    assert found["share that reaches the data at n = 32"] == DISAGREES
