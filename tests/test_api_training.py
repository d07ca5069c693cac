"""A single network trained from given parameters, and its kernel at any time."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ntkflow import api
from ntkflow.networks.descent import DivergenceError
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


def test_settings_of_jax_are_neither_needed_nor_changed():
    expected = api.train(NETWORK, X, Y, steps=3, optimizer=optax.adagrad, cost="cross_entropy")
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        found = api.train(NETWORK, X, Y, steps=3, optimizer=optax.adagrad, cost="cross_entropy")
        assert jnp.ones(1).dtype == np.float32
    assert found.f.dtype == np.float64
    np.testing.assert_array_equal(found.f, expected.f)


def test_divergence_is_an_error():
    with pytest.raises(DivergenceError, match=r"training diverged by step \d+: the cost went from"):
        api.train(NETWORK, X, Y, steps=50, learning_rate=1e4)


def test_targets_that_train_nothing_are_refused():
    for cost, y in {"logistic": Y / 2, "cross_entropy": 2 * Y - 1}.items():
        with pytest.raises(ValueError, match=f"^y: .* for the cost '{cost}'$"):
            api.train(NETWORK, X, y, steps=3, cost=cost)
    with pytest.raises(ValueError, match=r"^cost '<lambda>': .* expected one number"):
        api.train(NETWORK, X, Y, steps=3, cost=lambda f, y: f)
