"""The standard parametrization is the NTK one with other names and other rates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.kernels.activations import activation
from ntkflow.networks.mlp import Architecture, apply, init
from ntkflow.networks.standard_parametrization import (
    apply_standard,
    equivalent_rates,
    standard_parameters,
)

X = np.random.default_rng(0).standard_normal((5, 3))


@settings(max_examples=10)
@given(
    st.sampled_from([(), (4,), (6, 2)]),
    st.floats(0, 2),
    st.floats(0.1, 2),
    st.integers(0, 100),
)
@pytest.mark.slow
def test_functions_and_small_steps_are_the_same(hidden, beta, gain, seed):
    network = Architecture(hidden, activation("tanh"), beta, gain, 2)
    start = init(jax.random.key(seed), 3, network, jnp.float64)
    same = standard_parameters(start, network)
    np.testing.assert_allclose(
        apply_standard(same, X, network.activation), apply(start, X, network), atol=1e-12
    )
    rates = equivalent_rates(start, network, 0.3)
    gradient = jax.grad(lambda theta: apply(theta, X, network).sum())(start)
    other = jax.grad(lambda theta: apply_standard(theta, X, network.activation).sum())(same)
    after = jax.tree.map(lambda p, g: p - 0.3 * g, start, gradient)
    twin = jax.tree.map(lambda p, rate, g: p - rate * g, same, rates, other)
    jax.tree.map(
        lambda one, two: np.testing.assert_allclose(one, two, atol=1e-12),
        standard_parameters(after, network),
        twin,
    )


def test_initialisation_is_lecuns():
    network = Architecture((4000,), activation("relu"), 0.5, 2.0)
    first, last = standard_parameters(init(jax.random.key(0), 10, network, jnp.float64), network)
    assert float(first.weight.var()) == pytest.approx(4 / 10, rel=0.05)
    assert float(last.weight.var()) == pytest.approx(4 / 4000, rel=0.1)
    assert float(first.bias.var()) == pytest.approx(0.25, rel=0.1)
