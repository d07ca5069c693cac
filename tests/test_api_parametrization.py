"""Weights and learning rates between parametrizations: the same functions, also in training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow import api

X = np.random.default_rng(0).normal(size=(6, 3))
Y = np.random.default_rng(1).normal(size=(6, 2))
FACTORS = {"beta": 0.3, "weight_gain": 1.7}
NETWORK = api.network(api.initial_parameters([3, 5, 4, 2], seed=2), activation="tanh", **FACTORS)


def plain(weights, x):
    """The network as PyTorch would compute it, with weights (fan_in, fan_out)."""
    for weight, bias in weights[:-1]:
        x = jnp.tanh(x @ weight + bias[None])
    return x @ weights[-1][0] + weights[-1][1][None]


def f(network):
    return np.asarray(network.architecture.apply(network.parameters, X))


def descended(weights, rates, steps):
    """Gradient descent with one learning rate for each array."""

    @jax.jit
    def step(weights):
        gradient = jax.grad(lambda w: jnp.sum((plain(w, X) - Y) ** 2) / (2 * len(X)))(weights)
        return jax.tree.map(lambda p, rate, g: p - rate * g, weights, rates, gradient)

    for _ in range(steps):
        weights = step(weights)
    return weights


@pytest.mark.parametrize("transposed", [False, True])
def test_the_function_is_the_same_both_ways(transposed):
    weights = api.to_standard(NETWORK, transposed=transposed)
    shapes = [weight.shape for weight, _ in weights]
    assert shapes == [(5, 3), (4, 5), (2, 4)] if transposed else [(3, 5), (5, 4), (4, 2)]
    rows = [(weight.T, bias) for weight, bias in weights] if transposed else weights
    np.testing.assert_allclose(plain(rows, X), f(NETWORK), rtol=1e-13, atol=1e-14)
    back = api.from_standard(weights, **FACTORS)
    for one, two in zip(back, NETWORK.parameters, strict=True):
        for mine, first in zip(one, two, strict=True):
            np.testing.assert_allclose(mine, first, rtol=1e-14)
    # With other factors other parameters, but the same function.
    other = api.network(api.from_standard(weights), activation="tanh")
    np.testing.assert_allclose(f(other), f(NETWORK), rtol=1e-13, atol=1e-14)


def test_gradient_descent_is_the_same_in_both_directions():
    """40 steps, in which the functions change by their own size."""
    trained = api.train(NETWORK, X, Y, steps=40, learning_rate=0.2).networks[-1]
    rates = api.learning_rates(NETWORK, 0.2)
    weights = descended(api.to_standard(NETWORK), rates, 40)
    assert np.abs(f(trained) - f(NETWORK)).max() > 0.1
    np.testing.assert_allclose(plain(weights, X), f(trained), rtol=1e-11, atol=1e-12)
    # One rate in the standard parametrization is several in the other.
    same = [(np.full((), 0.05), np.full((), 0.05))] * 3
    weights = descended(api.to_standard(NETWORK), same, 40)
    theta = [(np.asarray(layer.weight), np.asarray(layer.bias)) for layer in NETWORK.parameters]
    given = api.learning_rates(NETWORK, 0.05, parametrization="ntk")

    def moved(theta):
        def cost(theta):
            network = NETWORK.architecture
            layers = [type(NETWORK.parameters[0])(*layer) for layer in theta]
            return jnp.sum((network.apply(layers, X) - Y) ** 2) / (2 * len(X))

        return jax.tree.map(lambda p, rate, g: p - rate * g, theta, given, jax.grad(cost)(theta))

    moved = jax.jit(moved)
    for _ in range(40):
        theta = moved(theta)
    network = api.network(theta, activation="tanh", **FACTORS)
    assert np.abs(f(network) - f(NETWORK)).max() > 0.01
    np.testing.assert_allclose(plain(weights, X), f(network), rtol=1e-11, atol=1e-12)


def test_square_weights_need_to_be_told_apart():
    square = [(np.array([[1.0, 2.0], [3.0, 4.0]]), np.zeros(2))] * 2
    with pytest.raises(ValueError, match="transposed: found None for square weights, expected"):
        api.from_standard(square)
    one, two = (api.from_standard(square, transposed=flag)[0][0] for flag in (False, True))
    np.testing.assert_array_equal(one, two.T)
    assert not np.array_equal(one, two)
    # One that is not square tells.
    rest = [*square, (np.ones((3, 2)), np.zeros(3))]
    np.testing.assert_array_equal(api.from_standard(rest)[0][0], two)


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ([(np.ones((2, 3)), np.ones(4))], {}, r"weights\[0\]: found weights \(2, 3\) and a bias"),
        (
            [(np.ones((2, 3)), np.ones(3)), (np.ones((5, 4)), np.ones(4))],
            {},
            r"weights\[1\]: found 5 rows of weights, expected 3",
        ),
        (
            [(np.ones((2, 3)), np.ones(3)), (np.ones((1, 3)), np.ones(1))],
            {},
            r"weights\[1\]: found weights \(1, 3\)",
        ),
        ([(np.ones((2, 3)), np.ones(3))], {"transposed": True}, r"weights\[0\]: found weights"),
        ([(np.ones((2, 3)), np.ones(3))], {"beta": 0}, "beta: found 0, expected a positive number"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, options, message):
    with pytest.raises(ValueError, match=message):
        api.from_standard(weights, **options)


def test_networks_without_biases():
    network = api.network([(np.ones((3, 2)), np.zeros(2))], beta=0)
    weights = api.to_standard(network)
    np.testing.assert_array_equal(api.from_standard(weights, beta=0)[0][1], 0)
    assert api.learning_rates(network)[0] == (pytest.approx(1 / 3), 0)
    with pytest.raises(ValueError, match="parametrization: found 'ntk' for a network with beta 0"):
        api.learning_rates(network, parametrization="ntk")
