"""The empirical NTK of functions through the public interface: in memory, stored, as operator."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow import api
from ntkflow.kernels.function_products import ntk_product
from ntkflow.stores.places import StoreError
from tests.interface.calls import NETWORK
from tests.kernels.test_function_ntk import CASES, by_jacobians, convolutional, mlp, normal


def model(case):
    f, parameters, x = CASES[case]
    return api.function(f, parameters), jax.tree.map(np.asarray, x)


def exact(case, x1, x2=None):
    f, parameters, _ = CASES[case]
    found = jax.jit(lambda p, x, y: by_jacobians(f, p, x, y))
    return np.asarray(found(parameters, x1, x1 if x2 is None else x2))


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("memory", [2.0, 1e-6])
@pytest.mark.parametrize("case", ["convolution", "tied embedding", "pairs"])
def test_kernels_are_those_of_jacobians(case, memory):
    network, x = model(case)
    found = api.empirical_ntk(network, x, block=4, memory=memory)
    close(found, exact(case, x))
    np.testing.assert_array_equal(found, found.transpose(1, 0, 3, 2))
    others = jax.tree.map(lambda array: array[:2][::-1].copy(), x)
    traced = api.empirical_ntk(network, x, others, outputs="trace", block=4, memory=memory)
    close(traced, np.einsum("nmkk->nm", exact(case, x, others)))


def test_a_network_written_as_a_function_has_its_kernel():
    x = normal(3, 6, 3)

    def f(parameters, x):
        (w1, b1), (w2, b2) = parameters
        hidden = jax.nn.relu(x @ w1 / w1.shape[0] ** 0.5 + 0.1 * b1[None])
        return hidden @ w2 / w2.shape[0] ** 0.5 + 0.1 * b2[None]

    function = api.function(f, [tuple(layer) for layer in NETWORK.parameters])
    close(api.empirical_ntk(function, x), api.empirical_ntk(NETWORK, x))


def test_precisions():
    f, parameters, x = CASES["mlp"]
    single = api.function(f, parameters, precision="float32")
    assert api.empirical_ntk(single, x).dtype == np.float32
    summed = api.empirical_ntk(single, x, accumulate="float64")
    assert summed.dtype == np.float64
    expected = exact("mlp", x)
    np.testing.assert_allclose(summed, expected, rtol=0, atol=1e-5 * expected.max())


@pytest.mark.parametrize("case", ["convolution", "tied embedding"])
def test_a_store_holds_the_kernel_and_is_taken_up_again(case, tmp_path):
    (network, x), path, lines = model(case), tmp_path / "a.zarr", []
    options = {"store": path, "block": 2, "progress": lines.append}
    opened = api.store_empirical_ntk(network, x, **options)
    expected = np.einsum("nmkk->nm", exact(case, x))
    close(opened["ntk"].values, expected)
    computed = len(lines)
    assert computed == 6
    (path / "ntk" / "c" / "0" / "1").unlink()
    close(api.store_empirical_ntk(network, x, **options)["ntk"].values, expected)
    assert len(lines) == computed + 1
    close(
        api.store_empirical_ntk(network, x, x[:3], store=tmp_path / "b.zarr", block=4)[
            "ntk"
        ].values,
        expected[:, :3],
    )


def test_another_function_takes_over_nothing(tmp_path):
    f, parameters, x = CASES["convolution"]
    path, x = tmp_path / "a.zarr", np.asarray(x)
    api.store_empirical_ntk(api.function(f, parameters), x, store=path)
    moved = {**parameters, "b": parameters["b"] + 1}

    def strided(p, x):
        return convolutional(p, x, strides=(2, 2))

    for other in (api.function(f, moved), api.function(strided, parameters)):
        with pytest.raises(StoreError, match="pass overwrite=True to replace it"):
            api.store_empirical_ntk(other, x, store=path)


def trained(points):
    """A function of one output, and points."""
    parameters = [(normal(1, 5, 16), normal(2, 1, 16)), (normal(3, 16, 1), normal(4, 1, 1))]
    return api.function(mlp, parameters), np.asarray(normal(5, points, 5))


@pytest.mark.parametrize(
    ("case", "outputs"),
    [("convolution", "trace"), ("convolution", 1), ("transformer", 1), ("pairs", "trace")],
)
def test_operators_multiply_as_the_kernel_does(case, outputs):
    network, x = model(case)
    operator = api.empirical_ntk_operator(network, x, outputs=outputs, memory=1e-6)
    kernel = api.empirical_ntk(network, x, outputs=outputs)
    assert operator.shape == kernel.shape
    v = np.asarray(normal(0, len(kernel), 3))
    close(operator @ v, kernel @ v)
    close(operator.matvec(v[:, 0]), kernel @ v[:, 0])
    close(operator.columns(np.array([2, 0])), kernel[:, [2, 0]])
    with pytest.raises(ValueError, match="vectors: found the shape"):
        operator @ v[:2]


def test_operators_of_networks():
    x = np.asarray(normal(0, 6, 3))
    operator = api.empirical_ntk_operator(NETWORK, x, outputs=1)
    close(operator @ np.eye(6), api.empirical_ntk(NETWORK, x, outputs=1))


def test_products_between_two_sets_of_inputs():
    f, parameters, x = CASES["mlp"]
    v = normal(0, 4, 2)
    found = ntk_product(f, parameters, x, x[:4] + 1, v, outputs="trace", block=3)
    close(found, np.einsum("nmkk,mc->nc", exact("mlp", x, x[:4] + 1), v))
    with pytest.raises(ValueError, match="outputs: found 'all'"):
        ntk_product(f, parameters, x, x, v, outputs="all")


def test_eigenpairs_and_regression_without_a_kernel():
    function, x = trained(120)
    operator, kernel = (
        api.empirical_ntk_operator(function, x),
        api.empirical_ntk(function, x, outputs="trace"),
    )
    found = api.extreme_eigenpairs(operator, 3)
    expected = api.extreme_eigenpairs(kernel, 3)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-8)
    assert (found.residuals <= 1e-6 * found.values).all()
    assert found.passes > 2
    y = np.asarray(normal(6, 120, 2))
    fits = [api.kernel_regression(k, y, ridge=1e-3) for k in (operator, kernel)]
    assert [fit.method for fit in fits] == ["conjugate gradients", "cholesky"]
    scale = np.abs(fits[1].coefficients).max()
    np.testing.assert_allclose(
        kernel @ fits[0].coefficients, kernel @ fits[1].coefficients, rtol=0, atol=1e-5 * scale
    )


def test_lists_of_numbers_are_arrays():
    function, x = trained(4)
    close(api.empirical_ntk(function, x.tolist()), api.empirical_ntk(function, x.astype(">f8")))


def batch_normalised(p, x):
    return jnp.tanh(x - x.mean(0, keepdims=True)) @ p


MLP, X = model("mlp")
EMBEDDED, TOKENS = model("tied embedding")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((MLP, X, X[:, :4]), r"x2: found inputs \(4,\) of float64, expected \(5,\) of float64"),
        ((EMBEDDED, TOKENS, TOKENS.astype(float)), "x2: found inputs .* of float64, expected"),
        ((MLP, {"a": X, "b": X[:2]}), "x1: found arrays with the lengths"),
        ((MLP, X * np.nan), "x1: found a value that is not finite"),
        ((MLP, 3.0), "x1: found the (number 3.0|shape)"),
        ((MLP, None, X), "x1: found"),
        ((MLP, X * 1j), "x1: found an array of dtype complex128"),
        ((MLP, X, None, 3), "outputs: found 3, expected 'all', 'trace' or a number below 3"),
        ((api.function(batch_normalised, X[:3].T), X), "f: found outputs of an input that depend"),
    ],
)
def test_wrong_inputs_are_named(arguments, message, tmp_path):
    network, x1, x2, outputs = (*arguments, *[None, "trace"][len(arguments) - 2 :])[:4]
    with pytest.raises(ValueError, match=message):
        api.empirical_ntk(network, x1, x2, outputs=outputs)
    if not isinstance(x1, dict):
        with pytest.raises(ValueError, match=message):
            api.store_empirical_ntk(network, x1, x2, outputs=outputs, store=tmp_path / "a.zarr")
    assert not list(Path(tmp_path).iterdir())


def test_float32_functions_see_the_defaults_of_jax():
    """Arrays that f makes without a dtype are of 32 bits: the carry would change its type else."""

    def f(weights, x):
        assert jnp.asarray(np.arange(2)).dtype == jnp.int32
        start = jnp.zeros((len(x), 3))
        return jax.lax.scan(lambda h, _: (jnp.tanh(x @ weights), None), start, None, length=2)[0]

    weights = np.eye(2, 3, dtype=np.float32)
    found = api.empirical_ntk(api.function(f, weights), np.eye(2), outputs="trace")
    assert found.dtype == np.float32
    slopes = np.full((2, 3), 1.0)
    slopes[0, 0] = slopes[1, 1] = 1 - np.tanh(1.0) ** 2
    np.testing.assert_allclose(found, np.diag((slopes**2).sum(axis=1)), rtol=1e-6)
