"""The function space of the paper: bilinear forms, dual elements, kernel gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.kernels.function_space import (
    dual_element,
    inner_product,
    kernel_gradient,
    kernel_inner_product,
    kernel_map,
    kernel_norm,
)
from ntkflow.networks.costs import COSTS

N, K, M = 5, 3, 2
SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=20)  # the first example compiles


def drawn(seed, *shapes):
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape) for shape in shapes]


def definite(seed):
    """A symmetric kernel (N, N, K, K) of rank N K / 2."""
    (root,) = drawn(seed, (N * K, N * K // 2))
    return (root @ root.T).reshape(N, K, N, K).transpose(0, 2, 1, 3)


@few
@given(seed=SEEDS)
def test_forms_are_symmetric_bilinear_and_positive(seed):
    f, g, h = drawn(seed, (N, K), (N, K), (N, K))
    kernel = definite(seed)
    for form in (inner_product, lambda f, g: kernel_inner_product(kernel, f, g)):
        close = {"rtol": 0, "atol": 1e-10}
        np.testing.assert_allclose(form(f, g), form(g, f), **close)
        np.testing.assert_allclose(form(2 * f + h, g), 2 * form(f, g) + form(h, g), **close)
        assert form(f, f) >= -1e-10


@few
@given(seed=SEEDS)
def test_values_are_those_of_sums(seed):
    f, g = drawn(seed, (N, K), (N, K))
    kernel = definite(seed)
    pairs = [(i, j) for i in range(N) for j in range(N)]
    expected = sum(f[i] @ kernel[i, j] @ g[j] for i, j in pairs) / N**2
    assert np.isclose(kernel_inner_product(kernel, f, g), expected)
    assert np.isclose(inner_product(f, g), sum(f[i] @ g[i] for i in range(N)) / N)


def test_a_number_stands_for_the_identity_over_outputs():
    scalar, dual = drawn(0, (M, N), (N, K))
    full = scalar[:, :, None, None] * np.eye(K)
    np.testing.assert_allclose(kernel_map(scalar, dual), kernel_map(full, dual))


@pytest.mark.parametrize("name", COSTS)
def test_dual_element_is_the_derivative_in_every_direction(name):
    f, y, g = drawn(0, (N, K), (N, K), (N, K))
    pointwise = COSTS[name].pointwise

    def along(step):
        return jnp.mean(jax.vmap(pointwise)(f + step * g, y))

    expected = jax.grad(along)(0.0)
    assert np.isclose(inner_product(dual_element(pointwise, f, y), g), expected)


@few
@given(seed=SEEDS)
def test_norm_is_a_seminorm(seed):
    """Also of functions that K does not see, where the rounding of the form may be negative."""
    f, g = drawn(seed, (N, K), (N, K))
    kernel = definite(seed)
    gram = kernel.transpose(0, 2, 1, 3).reshape(N * K, N * K)
    unseen = np.linalg.eigh(gram)[1][:, 0].reshape(N, K)
    norm = kernel_norm(kernel, f)
    assert np.isclose(norm**2, kernel_inner_product(kernel, f, f))
    assert np.isclose(kernel_norm(kernel, -2 * f), 2 * norm)
    assert kernel_norm(kernel, f + g) <= norm + kernel_norm(kernel, g) + 1e-10
    assert 0 <= kernel_norm(kernel, unseen) < 1e-6


@pytest.mark.parametrize("name", COSTS)
@few
@given(seed=SEEDS)
def test_derivative_is_linear_in_the_direction_and_looks_at_the_data_alone(name, seed):
    """f and its directions are functions at M more points, of which the cost knows nothing."""
    f, y, g, h = drawn(seed, (N + M, K), (N, K), (N + M, K), (N + M, K))
    pointwise = COSTS[name].pointwise
    dual = dual_element(pointwise, f[:N], y)

    def derivative(direction):
        def cost(values):
            return jnp.mean(jax.vmap(pointwise)(values[:N], y))

        return jax.jvp(cost, (jnp.asarray(f),), (jnp.asarray(direction),))[1]

    elsewhere = np.concatenate([g[:N], h[N:]])
    assert np.isclose(derivative(g), inner_product(dual, g[:N]), atol=1e-10)
    assert np.isclose(derivative(2 * g + h), 2 * derivative(g) + derivative(h), atol=1e-10)
    assert derivative(elsewhere) == derivative(g)


@pytest.mark.parametrize("name", COSTS)
def test_kernel_gradient_is_where_the_cost_descends(name):
    """dC along -grad_K C is -||d||_K^2."""
    f, y = drawn(0, (N, K), (N, K))
    kernel, pointwise = definite(0), COSTS[name].pointwise
    dual = dual_element(pointwise, f, y)
    push = kernel_gradient(pointwise, kernel, f, y)
    assert np.isclose(-inner_product(dual, push), -kernel_inner_product(kernel, dual, dual))
    assert kernel_map(kernel[:2], dual).shape == (2, K)
