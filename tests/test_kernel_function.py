"""`api.kernel_function`: what its calls accept and refuse."""

import jax
import numpy as np
import pytest

from ntkflow import api

X = np.random.default_rng(0).normal(size=(5, 3))
KERNEL = api.kernel_function(depth=2, beta=0.3, weight_gain=1.2)
LAYERS = [api.layers.convolution(2), api.layers.flatten(), api.layers.dense()]


@pytest.mark.parametrize("x", [X.tolist(), X.astype("f4"), np.round(X).astype(int)])
def test_real_numbers_of_any_kind_become_float64(x):
    found = KERNEL(x)
    expected = api.limiting_kernels(np.asarray(x, float), depth=2, beta=0.3, weight_gain=1.2)
    assert found.ntk.dtype == np.float64
    np.testing.assert_allclose(found.ntk, expected.ntk, rtol=1e-12)


def test_factors_of_a_call_replace_those_of_the_network():
    expected = api.limiting_kernels(X, X[:2], depth=2, beta=0.0, weight_gain=1.2)
    np.testing.assert_allclose(KERNEL(X, X[:2], beta=0).nngp, expected.nngp, rtol=1e-12)


def test_fully_connected_layers_are_those_of_a_depth():
    """With one factor for all of them, or with one for each."""
    dense, relu = api.layers.dense(beta=0.3, weight_gain=1.2), api.layers.activation("relu")
    layered = api.kernel_function(layers=[dense, relu, dense])
    np.testing.assert_array_equal(layered(X).ntk, KERNEL(X).ntk)
    np.testing.assert_array_equal(layered(X, beta=0.1).ntk, KERNEL(X, beta=0.1).ntk)
    found = layered(X, beta=[0.1, 0.1], weight_gain=[1.2, 1.2])
    np.testing.assert_allclose(found.ntk, KERNEL(X, beta=0.1).ntk, rtol=1e-12)


def test_layer_norm_of_zero_inputs_is_zero():
    """Without biases; at all positions of one input, and at some of another."""
    layers = [
        api.layers.dense(beta=0.0),
        api.layers.layer_norm(),
        api.layers.activation("relu"),
        api.layers.flatten(),
        api.layers.dense(),
    ]
    x = np.stack([X, X])
    x[0], x[1, :2] = 0, 0
    expected = api.limiting_kernels(x, layers=layers)
    for ours, theirs in zip(api.kernel_function(layers=layers)(x), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_function_can_be_made_within_jit():
    @jax.jit
    def ntk(x):
        return api.kernel_function(depth=2, activation="elu")(x).ntk

    expected = api.limiting_kernels(X[:2], depth=2, activation="elu").ntk
    np.testing.assert_allclose(ntk(X[:2]), expected, rtol=1e-13)


def test_factors_may_be_a_list_of_traced_numbers():
    kernel = api.kernel_function(layers=LAYERS)
    slope = jax.grad(lambda gain: kernel(X[:, :, None], weight_gain=[1.0, gain]).nngp[0, 0])(2.0)
    expected = kernel(X[:, :, None], beta=[0.1, 0.0], weight_gain=[1.0, 2.0]).nngp[0, 0]
    np.testing.assert_allclose(slope, expected, rtol=1e-12)  # quadratic in the last gain


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: KERNEL(X[0]),
            r"x1: found the shape \(3,\), expected a row per input",
        ),
        (lambda: KERNEL(X[None]), r"x1: found the shape \(1, 5, 3\), expected \(samples, feat"),
        (lambda: KERNEL(X * 1j), "x1: found an array .* complex128, expected .* real numbers"),
        (lambda: KERNEL("abc"), "x1: found 'abc', expected an array of real numbers"),
        (lambda: KERNEL([[1.0], [2.0, 3.0]]), "x1: found .*, expected an array of real numbers"),
        (lambda: KERNEL(X, beta="a"), "beta: found 'a', expected a number or an array of real"),
        (lambda: KERNEL(X, X[:, :2]), r"x2: found inputs \(2,\), expected \(3,\), as x1 has"),
        (lambda: KERNEL(X, beta=[0.1, 0.2]), r"beta: found the shape \(2,\), expected a number$"),
        (
            lambda: api.kernel_function(layers=LAYERS)(X[:, :, None], weight_gain=np.ones(3)),
            r"weight_gain: found the shape \(3,\), expected a number, or 2, one per layer",
        ),
        (lambda: api.kernel_function(layers=LAYERS)(X), r"layers\[0\] \(convolution\): found"),
        (lambda: api.kernel_function(layers=LAYERS, depth=2), "layers: found depth, activation,"),
        (lambda: api.kernel_function(), "depth: found None, expected the number of weight layers"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()


def test_float64_must_be_enabled():
    with jax.enable_x64(False), pytest.raises(ValueError, match=r"^jax_enable_x64: found False"):
        KERNEL(X)
