"""Movements in training against plain gradient descent, and against their leading order."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.kernels.activations import activation
from ntkflow.measures.common.evidence import DISAGREES
from ntkflow.measures.small_movements import measure as small_movements
from ntkflow.measures.small_movements.theory import theory
from ntkflow.networks.mlp import apply, init, seed_keys
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((6, 3))
Y = 2 * X[:, :1] * X[:, 1:2]
POINTS = sources(X, Y, train=4, widths=(24, 72), name="erf", depth=3)
FEW = {"seeds": 150, "learning_rate": 0.5, "steps": 20}


@pytest.fixture(scope="module")
def found():
    return small_movements.measure(POINTS, **FEW)


def test_networks_move_as_the_leading_order_says(found):
    assert found.sizes["quantity"] == 7  # three layers, two hidden layers, f and its part
    assert DISAGREES not in verdicts(found).values()
    assert (np.abs(found["value"] - 1) < 0.1).all()


@pytest.mark.parametrize(
    "change",
    [{"beta": 0.3}, {"activation": activation("tanh")}, {"weight_gain": 1.1}],
)
def test_the_leading_order_of_another_network_is_refused(change):
    other = replace(POINTS, limit=replace(POINTS.limit, **change))
    assert DISAGREES in verdicts(small_movements.measure(other, **FEW)).values()


def test_movements_are_those_of_a_loop():
    (network, *_) = POINTS.architectures.values()
    keys = seed_keys(0, 24, 1)
    start = now = init(keys[0], 3, network, jnp.float64)

    def cost(theta):
        return jnp.mean((apply(theta, X[:4], network) - Y[:4]) ** 2) / 2

    for _ in range(5):
        now = jax.tree.map(lambda p, g: p - 0.5 * g, now, jax.grad(cost)(now))
    weights, units, before, moved, frozen = map(
        np.asarray, small_movements.trained(keys, X, Y[:4], np.float64(0.5), 5, network)
    )
    sizes = [
        np.sum((a.weight - b.weight) ** 2) / np.sum(b.weight**2)
        for a, b in zip(now, start, strict=True)
    ]
    np.testing.assert_allclose(weights[0], sizes)
    np.testing.assert_allclose(before[0], apply(start, X, network)[:, 0])
    np.testing.assert_allclose(moved[0], (apply(now, X, network) - apply(start, X, network))[:, 0])
    hidden = apply([*now[:-1], start[-1]], X, network)
    np.testing.assert_allclose(frozen[0], (hidden - apply(start, X, network))[:, 0])
    first = [
        X @ np.asarray(t[0].weight) / np.sqrt(3) + 0.1 * np.asarray(t[0].bias) for t in (start, now)
    ]
    np.testing.assert_allclose(units[0, 0], np.mean((first[1] - first[0]) ** 2))


def test_residual_is_that_of_kernel_gradient_descent():
    expected = theory(X, 4, POINTS.limit, 0)
    f = np.random.default_rng(1).standard_normal((2, 4))
    now, total = f.copy(), np.zeros_like(f)
    for _ in range(12):
        total += 0.5 * (now - Y[:4, 0]) / 4
        now = now - 0.5 * (now - Y[:4, 0]) @ expected.ntk[:4] / 4
    np.testing.assert_allclose(expected.residual(f, Y[:4, 0], 0.5, 12), total)


def test_theory_of_a_linear_network():
    """sigma(z) = z, two layers, beta = 0: Theta = 2 K, and all sensitivities are weights."""
    identity = activation("polynomial", coefficients=(0.0, 1.0))
    found = theory(X, 4, replace(POINTS.limit, activation=identity, depth=2, beta=0.0), 0)
    kernel = X @ X.T / 3
    np.testing.assert_allclose(found.ntk, 2 * kernel[:, :4])
    np.testing.assert_allclose(found.through, kernel[:, :4])
    np.testing.assert_allclose(found.weights, [kernel[:4, :4]] * 2)
    pairs = np.einsum("xj,xk->jk", kernel[:, :4], kernel[:, :4]) / len(X)
    np.testing.assert_allclose(found.units, [pairs])


def test_kinks_are_refused():
    with pytest.raises(ValueError, match="found the activation 'relu', expected one without"):
        small_movements.measure(sources(X, Y), **FEW)
