"""Networks composed of layers: against loops, Jacobians, and fully-connected networks."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.kernels.layers import Dense, LayerError, Residual
from ntkflow.networks.composed import ComposedArchitecture, composed, normalised
from ntkflow.networks.empirical import initial_kernels
from ntkflow.networks.mlp import Architecture, seed_keys
from tests.networks import layered
from tests.networks.layered import NETWORKS, TANH


def drawn(name, key, points=3):
    layers, shape = NETWORKS[name]
    network, features = ComposedArchitecture(layers, shape), int(np.prod(shape))
    x = np.random.default_rng(1).normal(size=(points, features))
    return network, network.init(key, features, jnp.float64), x


@pytest.mark.parametrize("name", NETWORKS)
def test_functions_are_those_of_plain_loops(name, key):
    network, theta, x = drawn(name, key)
    f = jax.jit(network.apply)(theta, x)
    expected = [layered.evaluated(network.layers, theta, row.reshape(network.shape)) for row in x]
    assert f.shape == (3, network.outputs)
    np.testing.assert_allclose(f, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_counts_are_those_of_the_arrays(name, key):
    network, theta, x = drawn(name, key)
    features = x.shape[1]
    assert network.parameter_count(features) == sum(p.size for p in jax.tree.leaves(theta))
    single = network.init(key, features, jnp.float32)
    for one, two in zip(jax.tree.leaves(single), jax.tree.leaves(theta), strict=True):
        np.testing.assert_array_equal(one.astype(jnp.float64), two)
    assert network.unit_count(features) >= sum(
        leaf.shape[-1] for leaf in jax.tree.leaves(theta) if leaf.ndim > 1
    )


def test_initialisation_is_standard_normal(key):
    layers, shape = NETWORKS["block"]
    wide = ComposedArchitecture((Dense(2000), *layers), shape)
    leaves = jax.tree.leaves(wide.init(key, 12, jnp.float64))
    entries = np.concatenate([np.ravel(leaf) for leaf in leaves])
    count = len(entries)
    assert abs(entries.mean()) < 5 / count**0.5
    assert abs(entries.var() - 1) < 5 * (2 / count) ** 0.5
    assert len(np.unique(entries)) > 0.99 * count


def jacobian_ntk(network, theta, x1, x2):
    def flat(x):
        jacobian = jax.jit(jax.jacobian(lambda p: network.apply(p, x)))(theta)
        leaves = [leaf.reshape(*leaf.shape[:2], -1) for leaf in jax.tree.leaves(jacobian)]
        return np.concatenate(leaves, axis=-1)

    return np.einsum("nkp,mlp->nmkl", flat(x1), flat(x2))


@pytest.mark.parametrize("name", ["normalised", "strided", "circular", "pooled", "block"])
def test_empirical_ntk_is_the_jacobian_contraction(name, key):
    network, theta, x = drawn(name, key, points=4)
    both = jacobian_ntk(network, theta, x, x)
    close = {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(network.empirical_ntk(theta, x, x), both, **close)
    some = jax.jit(network.empirical_ntk, static_argnames="outputs")
    np.testing.assert_allclose(some(theta, x, x[:2]), both[:, :2], **close)
    trace = some(theta, x, x[:2], outputs="trace")[:, :, 0, 0]
    np.testing.assert_allclose(trace, np.einsum("nmkk->nm", both[:, :2]), **close)
    one = some(theta, x, x[:2], outputs=0)[:, :, 0, 0]
    np.testing.assert_allclose(one, both[:, :2, 0, 0], **close)


def test_kernels_of_several_networks_are_theirs():
    network, _, x = drawn("block", jax.random.key(0))
    keys = seed_keys(0, 5, 3)
    for kernel, key in zip(initial_kernels(keys, x, network, dtype=jnp.float64), keys, strict=True):
        expected = jacobian_ntk(network, network.init(key, x.shape[1], jnp.float64), x, x)
        np.testing.assert_allclose(kernel, expected, rtol=1e-10, atol=1e-12)


def test_a_dense_chain_is_a_fully_connected_network(key):
    layers = Dense(4, 0.2, 1.5), TANH, Dense(5, 0.2, 1.5), TANH, Dense(2, 0.2, 1.5)
    found, same = composed(layers, (3,)), ComposedArchitecture(layers, (3,))
    assert found == Architecture((4, 5), TANH.activation, 0.2, 1.5, 2)
    x = np.random.default_rng(1).normal(size=(4, 3))
    one, two = (each.init(key, 3, jnp.float64) for each in (found, same))
    np.testing.assert_array_equal(found.apply(one, x), same.apply(two, x))
    np.testing.assert_allclose(
        found.empirical_ntk(one, x, x), same.empirical_ntk(two, x, x), rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        NETWORKS["dense"],
        NETWORKS["mixed"],
        NETWORKS["pointwise"],
        NETWORKS["normalised"],
        ((Dense(2),), (3,)),
        ((Dense(4), Dense(2)), (3,)),
    ],
)
def test_other_chains_are_not(layers, shape):
    assert composed(layers, shape) == ComposedArchitecture(layers, shape)


def test_constant_channels_are_normalised_to_zero():
    z = jnp.array([[2.0, 2.0, 2.0], [1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    expected = np.array([[0, 0, 0], [-1, 0, 1], [0, 0, 0]]) * 1.5**0.5
    np.testing.assert_allclose(normalised(z), expected, rtol=1e-15)
    gradient = np.asarray(jax.grad(lambda z: jnp.sum(normalised(z)[:, 0]))(z))
    np.testing.assert_array_equal(gradient[[0, 2]], 0)
    # Along z itself and along a common shift nothing changes.
    assert np.abs(gradient[1] @ np.array([[1.0, 1], [2, 1], [3, 1]])).max() < 1e-15
    assert np.abs(gradient[1]).max() > 0.1


def test_networks_that_do_not_fit_are_refused():
    cases = [
        ((Dense(), TANH, Dense(1)), (3,), "layers[0] (dense): found the width None"),
        (
            (Dense(3), Residual((TANH, Dense(4))), TANH, Dense(1)),
            (3,),
            "layers[1] (residual): found a branch with 4 channels and a shortcut with 3",
        ),
        (
            (Dense(3), Residual((TANH, Dense(3), TANH, Dense())), TANH, Dense(1)),
            (3,),
            "layers[1] (residual).branch[3] (dense): found the width None",
        ),
        ((Dense(3),), (4, 2), "found an output at 4 positions"),
    ]
    for layers, shape, message in cases:
        with pytest.raises(LayerError, match=re.escape(message)):
            ComposedArchitecture(layers, shape)
    network, theta, _ = drawn("same", jax.random.key(0))
    with pytest.raises(ValueError, match=r"found 11 features, expected 12, .* \(6, 2\)"):
        network.apply(theta, np.ones((1, 11)))
