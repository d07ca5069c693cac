"""Networks of every kind from plain values, drawn, trained and measured by the same code."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.kernels.activations import activation
from ntkflow.networks.composed import ComposedArchitecture
from ntkflow.networks.empirical import initial_kernels
from ntkflow.networks.function import FunctionArchitecture
from ntkflow.networks.mlp import Architecture, seed_keys
from ntkflow.networks.models import network_from_plain
from ntkflow.networks.training import Schedule, train_ensemble
from tests.networks.test_composed import jacobian_ntk

FUNCTIONS = "tests.networks.functions"
WEIGHTED = {"layer": "dense", "width": 4}
PLAIN = {
    "composed": {
        "layers": [
            {"layer": "convolution", "filter_shape": [3], "width": 4},
            {"layer": "residual", "branch": [{"layer": "activation", "name": "tanh"}, WEIGHTED]},
            {"layer": "activation", "name": "tanh"},
            {"layer": "flatten"},
            {"layer": "dense", "width": 2},
        ],
        "shape": [3, 2],
    },
    "plain": {"function": f"{FUNCTIONS}:plain", "width": 5, "outputs": 2},
    "flax": {"function": f"{FUNCTIONS}:flax", "width": 4, "outputs": 2, "shape": [3, 2]},
    "equinox": {"function": f"{FUNCTIONS}:equinox", "width": 4, "outputs": 2, "shape": [6]},
}
X = np.random.default_rng(0).normal(size=(5, 6))
Y = np.random.default_rng(1).normal(size=(5, 2))
KEYS = seed_keys(0, 4, 2)


def model(name):
    return network_from_plain(**json.loads(json.dumps(PLAIN[name])))


def test_kinds_of_networks():
    assert isinstance(model("composed"), ComposedArchitecture)
    assert model("flax") == FunctionArchitecture(f"{FUNCTIONS}:flax", 4, 2, (3, 2))
    assert model("plain") == FunctionArchitecture(f"{FUNCTIONS}:plain", 5, 2)
    relu = {"name": "relu"}
    dense = network_from_plain(hidden_widths=[3], activation=relu, beta=0.1, outputs=2)
    assert dense == Architecture((3,), activation("relu"), 0.1, outputs=2)
    chain = [
        {"layer": "dense", "width": 3},
        {"layer": "activation", **relu},
        {"layer": "dense", "width": 2},
    ]
    assert network_from_plain(layers=chain, shape=[6]) == dense


@pytest.mark.parametrize("name", PLAIN)
def test_equal_networks_share_programs(name):
    assert hash(model(name)) == hash(model(name))
    traced = []

    def f(theta, x, network):
        traced.append(1)
        return network.apply(theta, x)

    program = jax.jit(f, static_argnums=2)
    theta = model(name).init(KEYS[0], 6, jnp.float64)
    for _ in range(2):
        assert program(theta, X, model(name)).shape == (5, 2)
    assert traced == [1]


@pytest.mark.parametrize("name", PLAIN)
def test_kernels_are_jacobian_contractions(name):
    network = model(name)
    for kernel, key in zip(initial_kernels(KEYS, X, network, dtype=jnp.float64), KEYS, strict=True):
        theta = network.init(key, 6, jnp.float64)
        assert network.parameter_count(6) == sum(p.size for p in jax.tree.leaves(theta))
        expected = jacobian_ntk(network, theta, X, X)
        np.testing.assert_allclose(kernel, expected, rtol=1e-10, atol=1e-12)


def train(network, **options):
    schedule = Schedule(0.2, (0, 1, 6, 12), (0, 12))
    return train_ensemble(KEYS, X, Y, 4, network, schedule, dtype=jnp.float64, **options)


@pytest.mark.parametrize("name", PLAIN)
def test_a_network_takes_the_steps_of_plain_gradient_descent(name):
    network, records = model(name), train(model(name))

    def cost(theta):
        return jnp.sum((network.apply(theta, X[:4]) - Y[:4]) ** 2) / 8

    @jax.jit
    def stepped(theta):
        return jax.tree.map(lambda p, g: p - 0.2 * g, theta, jax.grad(cost)(theta))

    for seed, key in enumerate(KEYS):
        theta = network.init(key, 6, jnp.float64)
        for _ in range(12):
            theta = stepped(theta)
        f = network.apply(theta, X)
        np.testing.assert_allclose(records.f[seed, -1], f, rtol=1e-10, atol=1e-12)
        ntk = jacobian_ntk(network, theta, X, X)
        np.testing.assert_allclose(records.ntk[seed, -1], ntk, rtol=1e-9, atol=1e-11)
    assert np.all(np.diff(records.cost, axis=1) < 0)


class Interrupted(Exception):
    pass


class Memory:
    """A checkpoint in memory, of the n-th state that is due; training then stops."""

    def __init__(self, after):
        self.left, self.state = after, None

    def restore(self):
        return self.state

    def due(self):
        self.left -= 1
        return self.left == 0

    def save(self, state):
        self.state = state._replace(arrays=[np.array(array) for array in state.arrays])
        raise Interrupted


@pytest.mark.parametrize("name", PLAIN)
def test_resumed_training_is_bitwise_the_same(name):
    whole, memory = train(model(name)), Memory(after=3)
    with pytest.raises(Interrupted):
        train(model(name), checkpointer=memory)
    assert 0 < memory.state.step < 12
    for one, two in zip(whole, train(model(name), checkpointer=memory), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "AttributeError"),
        ("failing", "RuntimeError: no such network; expected a pair init(key), apply"),
        ("alone", "it returned a function"),
        ("whole_numbers", "found parameters of int64, expected floats"),
        ("empty", "found parameters of no entries"),
        ("of_another_shape", "found f of shape (2, 6) at 2 inputs"),
        ("mistaken", "TypeError: dot_general requires"),
    ],
)
def test_errors_of_functions_name_them(name, reason):
    network = FunctionArchitecture(f"{FUNCTIONS}:{name}", 3, 2)
    place = rf"network function '{FUNCTIONS}:{name}'.*{re.escape(reason)}"
    with pytest.raises(ValueError, match=place) as refusal:
        network.init(KEYS[0], 6, jnp.float64)
    assert "\n" not in str(refusal.value)


def test_inputs_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="found 5 features, expected 6"):
        model("flax").init(KEYS[0], 5, jnp.float64)
