import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.kernels.dynamics import Components, kernel_flow
from ntkflow.networks.linearised import apply_linearised
from ntkflow.networks.mlp import Architecture, apply, empirical_ntk, init
from tests.networks import examples


@pytest.mark.parametrize("name", ["three outputs", "softplus"])
def test_value_and_gradient_at_initialisation_are_the_networks(name, key):
    architecture = examples.ARCHITECTURES[name]
    initial = init(key, 3, architecture, jnp.float64)
    x = examples.inputs(4)
    at = jax.jit(lambda theta: apply_linearised(theta, initial, x, architecture))
    np.testing.assert_allclose(at(initial), apply(initial, x, architecture), rtol=1e-14)
    jacobians = (
        jax.jacobian(function)(initial) for function in (at, lambda t: apply(t, x, architecture))
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14), *jacobians)


def test_it_is_linear_in_the_parameters(key):
    architecture = examples.ARCHITECTURES["softplus"]
    one, two, initial = (init(k, 3, architecture, jnp.float64) for k in jax.random.split(key, 3))
    x = examples.inputs(4)
    middle = jax.tree.map(lambda a, b: 0.25 * a + 0.75 * b, one, two)
    f = [apply_linearised(theta, initial, x, architecture) for theta in (one, two, middle)]
    np.testing.assert_allclose(f[2], 0.25 * f[0] + 0.75 * f[1], rtol=1e-12, atol=1e-12)


def test_gradient_descent_follows_the_closed_form_of_its_kernel(key):
    """On and off the training points, up to the first-order error of steps of 0.001."""
    architecture = Architecture((20, 20), examples.ARCHITECTURES["softplus"].activation, beta=0.3)
    initial = init(key, 3, architecture, jnp.float64)
    x, samples, rate, steps = examples.inputs(7), 5, 1e-3, 2000
    goal = jnp.sin(x[:samples, :1])

    def cost(theta):
        f = apply_linearised(theta, initial, x[:samples], architecture)
        return jnp.sum((f - goal) ** 2) / (2 * samples)

    def step(_, theta):
        return jax.tree.map(lambda p, g: p - rate * g, theta, jax.grad(cost)(theta))

    theta = jax.jit(lambda theta: jax.lax.fori_loop(0, steps, step, theta))(initial)
    ntk = np.asarray(empirical_ntk(initial, x, x, architecture))[:, :, 0, 0]
    values, vectors = np.linalg.eigh(ntk[:samples, :samples] / samples)
    functions = ntk[:, :samples] @ vectors / (samples**0.5 * values)
    f = apply(initial, x, architecture)
    expected = kernel_flow(Components(values, functions), f[None], goal[None], [rate * steps])
    found = apply_linearised(theta, initial, x, architecture)
    assert np.abs(found - f).max() > 0.1
    np.testing.assert_allclose(found, expected[0, 0], atol=5e-3 * np.abs(found).max())
