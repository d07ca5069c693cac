"""Networks of layers in the public interface: kernels in memory and in stores, and training."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow import api
from ntkflow.kernels.activations import activation
from ntkflow.kernels.layers import Activate, Dense
from tests.networks.layered import NETWORKS
from tests.networks.test_composed import jacobian_ntk

LAYERS, SHAPE = NETWORKS["pooled"]
NETWORK = api.layered_network(LAYERS, SHAPE, seed=3)
X = np.random.default_rng(0).normal(size=(7, 20))
OTHERS, Y = X[:3] + 0.5, np.random.default_rng(1).normal(size=(7, 2))
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def expected(x1, x2, network=NETWORK):
    return jacobian_ntk(network.architecture, network.parameters, x1, x2)


@pytest.mark.parametrize("block", [1024, 3])
def test_kernels_are_jacobian_contractions(block):
    ntk = api.empirical_ntk(NETWORK, X, block=block)
    np.testing.assert_allclose(ntk, expected(X, X), **CLOSE)
    cross = api.empirical_ntk(NETWORK, X, OTHERS, outputs=1, block=block)
    np.testing.assert_allclose(cross, expected(X, OTHERS)[:, :, 1, 1], **CLOSE)


def test_stores_contain_the_kernels_of_memory(tmp_path):
    for number, (x2, outputs) in enumerate([(None, "trace"), (OTHERS, 0)]):
        place = tmp_path / f"{number}.zarr"
        store = api.store_empirical_ntk(NETWORK, X, x2, store=place, outputs=outputs, block=3)
        memory = api.empirical_ntk(NETWORK, X, x2, outputs=outputs)
        np.testing.assert_allclose(store["ntk"].values, memory, **CLOSE)
    before = place.stat().st_mtime_ns
    api.store_empirical_ntk(NETWORK, X, OTHERS, store=place, outputs=0, block=3)
    assert place.stat().st_mtime_ns == before  # nothing to do
    other = api.layered_network(LAYERS, SHAPE, seed=4)
    with pytest.raises(ValueError, match="overwrite"):
        api.store_empirical_ntk(other, X, OTHERS, store=place, outputs=0, block=3)


def test_a_store_of_integers_contains_the_kernel_of_memory(tmp_path):
    whole, place = np.round(2 * X).astype(int), tmp_path / "whole.zarr"
    for x2 in (whole[:3], OTHERS):
        store = api.store_empirical_ntk(NETWORK, whole, x2, store=place, overwrite=True)
        memory = api.empirical_ntk(NETWORK, whole, x2, outputs="trace")
        np.testing.assert_allclose(store["ntk"].values, memory, **CLOSE)


def test_training_takes_the_steps_of_a_plain_gradient():
    found = api.train(NETWORK, X, Y, steps=5, learning_rate=0.3)
    model, theta = NETWORK.architecture, NETWORK.parameters

    @jax.jit
    def step(theta):
        gradient = jax.grad(lambda p: jnp.sum((model.apply(p, X) - Y) ** 2) / 14)(theta)
        return jax.tree.map(lambda p, g: p - 0.3 * g, theta, gradient)

    for _ in range(5):
        theta = step(theta)
    np.testing.assert_allclose(found.f[-1], model.apply(theta, X), **CLOSE)
    last = found.networks[-1]
    np.testing.assert_allclose(api.empirical_ntk(last, X), expected(X, X, last), **CLOSE)
    again = api.layered_network(LAYERS, SHAPE, parameters=last.parameters)
    np.testing.assert_array_equal(api.empirical_ntk(again, X), api.empirical_ntk(last, X))


def test_dense_chains_are_networks_of_the_function_network():
    tanh = Activate(activation("tanh"))
    layers = Dense(4, 0.2, 1.5), tanh, Dense(2, 0.2, 1.5)
    found = api.layered_network(layers, [3], seed=5)
    theta = api.initial_parameters([3, 4, 2], seed=5)
    same = api.network(theta, activation="tanh", beta=0.2, weight_gain=1.5)
    x = X[:, :3]
    np.testing.assert_array_equal(api.empirical_ntk(found, x), api.empirical_ntk(same, x))


def test_what_does_not_fit_is_refused():
    for arguments, message in [
        (((Dense(),), (3,)), "layers[0] (dense): found the width None"),
        ((LAYERS, (4, 5)), "layers[0] (convolution): found a window (2, 2)"),
        ((LAYERS, (0, 5, 1)), "shape[0]: found 0"),
        ((("dense",), (3,)), "layers[0]: found 'dense', expected layers"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            api.layered_network(*arguments)
    with pytest.raises(ValueError, match=r"parameters: found .*, expected arrays of the shapes"):
        api.layered_network(LAYERS, SHAPE, parameters=[np.ones(3)])
    with pytest.raises(ValueError, match="x1: found 3 features, expected 20"):
        api.empirical_ntk(NETWORK, X[:, :3])
    with pytest.raises(
        ValueError, match="network: found 'a network of layers', expected a fully-connected"
    ):
        api.to_standard(NETWORK)
