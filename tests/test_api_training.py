"""A single network trained from given parameters, and its kernel at any time."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ntkflow import api
from ntkflow.networks.divergence import DivergenceError
from ntkflow.networks.mlp import apply
from tests.stores.test_grams import inputs

X, PROBE = inputs(6), inputs(4, seed=1)
Y = np.eye(2)[[0, 1, 1, 0, 1, 0]]
NETWORK = api.network(api.initial_parameters([3, 6, 4, 2]), activation="tanh", beta=0.3)


def test_records_are_those_of_a_plain_loop():
    lines = []
    found = api.train(
        NETWORK, X, Y, steps=[2, 5], learning_rate=0.4, probe=PROBE, progress=lines.append
    )
    np.testing.assert_array_equal(found.steps, [0, 2, 5])
    np.testing.assert_allclose(found.times, [0, 0.8, 2.0])

    @jax.jit
    def cost(theta):
        return jnp.sum((apply(theta, X, NETWORK.architecture) - Y) ** 2) / 12

    theta, gradient = NETWORK.parameters, jax.jit(jax.grad(cost))
    for step in range(6):
        if step in found.steps:
            record = list(found.steps).index(step)
            f = apply(theta, PROBE, NETWORK.architecture)
            np.testing.assert_allclose(found.f[record], f, rtol=1e-11)
            np.testing.assert_allclose(found.cost[record], cost(theta), rtol=1e-11)
        theta = jax.tree.map(lambda p, g: p - 0.4 * g, theta, gradient(theta))
    assert lines[-1].startswith("step 5 of 5, cost ")


def test_kernels_at_any_time_are_in_memory_and_in_stores(tmp_path):
    before = [np.array(leaf) for leaf in jax.tree.leaves(NETWORK.parameters)]
    trained = api.train(NETWORK, X, Y, steps=20, learning_rate=0.4).networks[-1]
    for one, two in zip(before, jax.tree.leaves(NETWORK.parameters), strict=True):
        np.testing.assert_array_equal(one, two)
    kernel = api.empirical_ntk(trained, X, outputs="trace")
    assert not np.allclose(kernel, api.empirical_ntk(NETWORK, X, outputs="trace"), rtol=1e-3)
    stored = api.store_empirical_ntk(trained, X, store=tmp_path / "a.zarr", block=4)
    np.testing.assert_allclose(stored["ntk"], kernel, rtol=1e-12)


def test_other_costs_optimisers_and_batches():
    own = api.train(
        NETWORK, X, Y, steps=30, cost=lambda f, y: jnp.sum(jnp.logaddexp(f, -f) - f * y)
    )
    assert own.cost[-1] < own.cost[0]
    options = {"steps": 30, "cost": "cross_entropy", "learning_rate": 0.05}
    batches = api.train(NETWORK, X, Y, batch=2, optimizer=optax.adagrad, **options)
    again = api.train(NETWORK, X, Y, batch=2, optimizer=optax.adagrad, **options)
    other = api.train(NETWORK, X, Y, batch=2, optimizer=optax.adagrad, seed=1, **options)
    assert batches.cost[-1] < batches.cost[0]
    np.testing.assert_array_equal(batches.f, again.f)
    assert not np.array_equal(batches.f, other.f)


def test_divergence_is_an_error():
    with pytest.raises(DivergenceError, match=r"training diverged by step \d+: the cost went from"):
        api.train(NETWORK, X, Y, steps=50, learning_rate=1e4)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"steps": -1}, "steps is -1"),
        ({"steps": []}, r"steps is \[\]"),
        ({"y": Y[:, :1]}, r"y has shape \(6, 1\), expected finite numbers of shape \(6, 2\)"),
        ({"y": Y * np.nan}, "expected finite numbers"),
        ({"x": X[:, :2]}, "2 features, expected 3"),
        ({"probe": PROBE[:, :2]}, "probe has 2 features, expected 3"),
        ({"probe": PROBE * np.nan}, "probe"),
        ({"y": np.full((6, 2), "a")}, "expected finite numbers"),
        ({"y": Y / 2, "cost": "logistic"}, r"expected \+1 and -1"),
        ({"y": 2 * Y - 1, "cost": "cross_entropy"}, "whose sum is 1 in each row"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0, expected a positive number"),
        ({"learning_rate": np.nan}, "learning_rate is nan"),
        ({"batch": 7}, "batch is 7, expected 1 to 6"),
        ({"cost": "hinge"}, "cost 'hinge' is not known"),
        ({"cost": lambda f, y: f}, "expected one number"),
        ({"optimizer": "lion"}, "optimizer 'lion' is not known"),
    ],
)
def test_what_is_no_training_is_refused(change, complaint):
    arguments = {"x": X, "y": Y, "steps": 3, **change}
    with pytest.raises(ValueError, match=complaint):
        api.train(NETWORK, arguments.pop("x"), arguments.pop("y"), **arguments)
