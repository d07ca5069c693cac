"""Linear models of given functions: their kernel, and steps that are those of its gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.measures.common import linear_models
from ntkflow.networks.costs import COSTS, LEAST_SQUARES

RANDOM = np.random.default_rng(0)
FUNCTIONS = RANDOM.standard_normal((7, 5, 2))
Y = np.eye(2)[[0, 1, 0]]


def test_tangent_kernel_is_that_of_automatic_differentiation():
    slopes = jax.jacobian(lambda theta: jnp.tensordot(theta, FUNCTIONS, 1) / 7**0.5)(jnp.ones(7))
    expected = np.einsum("mkp,njp->mnkj", slopes, slopes[:3])
    np.testing.assert_allclose(linear_models.tangent_kernel(FUNCTIONS, 3), expected)


@pytest.mark.parametrize("name", COSTS)
def test_descent_is_that_of_the_kernel(name):
    y = 2 * Y - 1 if name == "logistic" else Y
    assert linear_models.descent_error(COSTS[name], FUNCTIONS, y, 5) < 1e-13


def test_descent_is_not_that_of_another_kernel(wrong):
    right = linear_models.kernel_gradient
    wrong.setattr(linear_models, "kernel_gradient", lambda *a: (1 + 1e-6) * right(*a))
    assert linear_models.descent_error(LEAST_SQUARES, FUNCTIONS, Y, 3) > 1e-8
