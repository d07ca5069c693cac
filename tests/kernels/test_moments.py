"""Exact moments of finite ReLU networks, against Monte Carlo, limits and published formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.kernels.activations import activation
from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.kernels.moments import relu_moments
from ntkflow.networks.mlp import Architecture, apply, empirical_ntk, init

X = np.array([[0.6, -0.3, 1.1]])


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("n", [3, 20])
def test_kurtosis_without_biases(depth, n):
    """3 ((1 + 5/n)^(L-1) - 1), a product over layers (Hanin & Nica 2020, for the gradient)."""
    found = relu_moments(1.0, [n] * (depth - 1), features=4)
    assert found.excess_kurtosis == pytest.approx(3 * ((1 + 5 / n) ** (depth - 1) - 1))


def test_means_are_the_limiting_kernels_at_any_width():
    found = relu_moments(float(np.sum(X**2)), [3, 7], features=3, beta=0.4, weight_gain=1.3)
    settings = {"activation": activation("relu"), "depth": 3, "beta": 0.4, "weight_gain": 1.3}
    limit = limiting_kernels(X, X, **settings)
    assert found.z_squared == pytest.approx(float(limit.nngp[0, 0]))
    assert found.ntk == pytest.approx(float(limit.ntk[0, 0]))


def test_wide_networks_are_gaussian_and_constant():
    found = relu_moments(1.0, [10**7] * 3, features=2, beta=0.1)
    moments = (found.excess_kurtosis, found.square_covariance, found.ntk_variance)
    assert max(*moments, found.block_ratio) < 1e-5


@pytest.mark.parametrize(
    ("widths", "beta", "gain", "draws"),
    [((5,), 0.3, 1.2, 100_000), pytest.param((6, 9), 0.5, 1.0, 200_000, marks=pytest.mark.slow)],
)
def test_moments_are_those_of_networks(widths, beta, gain, draws):
    """Each moment within five standard errors of its mean over networks."""
    network = Architecture(widths, activation("relu"), beta, gain, 2)

    def products(key):
        theta = init(key, 3, network, jnp.float64)
        (z,), ntk = apply(theta, X, network), empirical_ntk(theta, X, X, network)[0, 0]
        i, j, across = ntk[0, 0], ntk[1, 1], ntk[0, 1]
        both = z[0] * z[1]
        powers = [z[0] ** 2, z[0] ** 4, both**2, i, i**2, i * j, across**2]
        return jnp.stack([*powers, z[0] ** 2 * i, z[0] ** 2 * j, both * across])

    keys = jax.random.split(jax.random.key(3), draws)
    values = np.asarray(jax.lax.map(products, keys, batch_size=500))
    exact = relu_moments(float(np.sum(X**2)), widths, features=3, beta=beta, weight_gain=gain)
    errors = (values.mean(axis=0) - np.array(exact)) / (values.std(axis=0) / np.sqrt(draws))
    assert np.abs(errors).max() < 5
