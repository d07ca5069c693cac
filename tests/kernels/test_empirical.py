from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from ntkflow.kernels import empirical
from ntkflow.kernels.activations import activation
from ntkflow.kernels.empirical import Sweep, layerwise_ntk
from ntkflow.networks.mlp import Architecture, apply, empirical_ntk, init
from tests.networks import examples


@pytest.mark.parametrize("name", examples.ARCHITECTURES)
def test_layerwise_ntk_is_the_jacobian_contraction(name, key):
    architecture = examples.ARCHITECTURES[name]
    parameters = init(key, 3, architecture, jnp.float64)
    x1, x2 = examples.inputs(4), examples.inputs(6, seed=1)
    found = jax.jit(lambda a, b: empirical_ntk(parameters, a, b, architecture))(x1, x2)
    assert found.shape == (4, 6, architecture.outputs, architecture.outputs)
    expected = examples.jacobian_ntk(parameters, x1, x2, architecture)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_ntk_is_finite_differences_of_the_function(key):
    """sum_p (df_k/dtheta_p)(df_k'/dtheta_p), each derivative a central difference."""
    architecture = examples.ARCHITECTURES["three outputs"]
    parameters = init(key, 3, architecture, jnp.float64)
    x = examples.inputs(3)
    theta, unravel = ravel_pytree(parameters)
    function = jax.jit(jax.vmap(lambda theta: apply(unravel(theta), x, architecture)))
    step = 1e-5 * np.eye(len(theta))
    columns = (function(theta[None] + step) - function(theta[None] - step)) / 2e-5
    expected = np.einsum("pnk,pml->nmkl", columns, columns)
    found = jax.jit(lambda x: empirical_ntk(parameters, x, x, architecture))(x)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", examples.ARCHITECTURES)
def test_symmetric_and_positive_semidefinite(name, key):
    architecture = examples.ARCHITECTURES[name]
    parameters = init(key, 3, architecture, jnp.float64)
    x = examples.inputs(5)
    ntk = np.asarray(jax.jit(lambda x: empirical_ntk(parameters, x, x, architecture))(x))
    size = 5 * architecture.outputs
    matrix = ntk.transpose(0, 2, 1, 3).reshape(size, size)
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-13, atol=1e-14)
    assert np.linalg.eigvalsh(matrix)[0] >= -1e-13 * np.trace(matrix)


@pytest.mark.parametrize(("name", "samples"), [("relu", 1), ("three outputs", 7)])
def test_half_of_the_products_gives_the_kernel_exactly_symmetric(name, samples, key, monkeypatch):
    monkeypatch.setattr(empirical, "UNDIVIDED", 3)
    architecture = examples.ARCHITECTURES[name]
    parameters = init(key, 3, architecture, jnp.float64)
    x = examples.inputs(samples)
    compiled = jax.jit(partial(empirical_ntk, architecture=architecture))
    half = jax.jit(lambda x: empirical_ntk(parameters, x, x, architecture))(x)
    whole = compiled(parameters, x, x)  # inside, x1 and x2 are two arrays
    np.testing.assert_allclose(half, whole, rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(half, half.transpose(1, 0, 3, 2))


def test_trace_and_single_outputs_are_parts_of_the_whole(key):
    architecture = examples.ARCHITECTURES["three outputs"]
    parameters = init(key, 3, architecture, jnp.float64)
    x, others = examples.inputs(4), examples.inputs(6, seed=1)

    @jax.jit
    def kernels(parameters):
        return [
            [
                empirical_ntk(parameters, x, second, architecture, outputs=outputs)
                for second in (x, others)
            ]
            for outputs in ("all", "trace", 1)
        ]

    for whole, trace, one in zip(*kernels(parameters), strict=True):
        np.testing.assert_allclose(trace[:, :, 0, 0], np.einsum("nmkk->nm", whole), rtol=1e-12)
        np.testing.assert_allclose(one[:, :, 0, 0], whole[:, :, 1, 1], rtol=1e-12)


def test_products_of_a_float32_network_may_be_added_in_float64(key):
    architecture = Architecture((300,), activation("relu"), beta=0.1)
    x = jnp.asarray(examples.inputs(9), jnp.float32)
    parameters = init(key, 3, architecture, jnp.float32)
    exact = init(key, 3, architecture, jnp.float64)
    kernel = jax.jit(
        lambda theta, x, dtype: empirical_ntk(theta, x, x, architecture, dtype=dtype),
        static_argnums=2,
    )
    expected = np.asarray(kernel(exact, x.astype(float), None))
    errors = []
    for dtype in (jnp.float32, jnp.float64):
        found = kernel(parameters, x, dtype)
        assert found.dtype == dtype
        errors.append(np.abs(np.asarray(found) - expected).max() / expected.max())
    assert errors[0] < 1e-6
    assert errors[1] < 1e-6  # what is left are the roundings of activities and sensitivities


def test_one_layer_by_hand():
    """a = (1, 2), d = 3: (4 (1 + 4)/2 + 0.25) x 9."""
    layer = Sweep(jnp.array([[1.0, 2.0]]), jnp.full((1, 1, 1), 3.0))
    found = layerwise_ntk([layer], [layer], beta=0.5, weight_gain=2.0)
    np.testing.assert_allclose(found, np.full((1, 1, 1, 1), (4 * 2.5 + 0.25) * 9))
