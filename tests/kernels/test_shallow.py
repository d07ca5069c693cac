"""Moments of the NTK with one hidden layer, against Monte Carlo and the limit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.kernels.activations import activation
from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.kernels.shallow import shallow_moments
from ntkflow.networks.mlp import Architecture, empirical_ntk, init

X = np.array([[0.6, -0.3, 1.1], [-0.2, 0.9, 0.4], [1.2, -0.6, 2.2]])  # the last along the first


@pytest.mark.parametrize("name", ["erf", "gelu", "tanh"])
def test_mean_is_the_limiting_kernel(name):
    found = shallow_moments(X, activation(name), beta=0.4, weight_gain=1.3)
    limit = limiting_kernels(X, X, activation=activation(name), depth=2, beta=0.4, weight_gain=1.3)
    np.testing.assert_allclose(found.ntk, limit.ntk, rtol=1e-10)


@pytest.mark.parametrize(("name", "width"), [("erf", 3), ("gelu", 5)])
def test_moments_are_those_of_networks(name, width):
    """Each moment within five standard errors of its mean over networks."""
    network, draws = Architecture((width,), activation(name), 0.4, 1.3, 2), 40_000
    exact = shallow_moments(X, activation(name), beta=0.4, weight_gain=1.3)

    def products(key):
        ntk = empirical_ntk(init(key, 3, network, jnp.float64), X, X, network)
        return jnp.stack([ntk[..., 0, 0], (ntk[..., 0, 0] - exact.ntk) ** 2, ntk[..., 0, 1] ** 2])

    keys = jax.random.split(jax.random.key(3), draws)
    values = np.asarray(jax.lax.map(products, keys, batch_size=500))
    theory = np.stack([exact.ntk, exact.variance / width, exact.across / width])
    errors = (values.mean(axis=0) - theory) / (values.std(axis=0) / np.sqrt(draws))
    assert np.abs(errors).max() < 5


def test_kinks_are_refused():
    with pytest.raises(ValueError, match="relu: found a kink, expected a smooth activation"):
        shallow_moments(X, activation("relu"))
