import re
from itertools import product

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.kernels import tiles
from ntkflow.kernels.activations import activation, from_function
from ntkflow.kernels.correlation import directions
from ntkflow.kernels.hermite import HermiteSeries
from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.kernels.tiles import (
    DualError,
    Network,
    block_kernels,
    diagonal_kernels,
    plan_kernels,
)
from tests.kernels import exact

RELU = activation("relu")
SHALLOW = Network(RELU, 3, 0.1)  # of one depth where it does not matter: XLA compiles each


def directed(x, dtype=np.float64):
    return tuple(map(np.asarray, directions(jnp.asarray(x), np.dtype(dtype))))


def planned(x, network, dtype=np.float64):
    return plan_kernels(directed(x)[0], x.shape[1], network, np.dtype(dtype))


def computed(x, network, dtype=np.float64, others=None):
    x = np.asarray(x, dtype)
    lists = [x] if others is None else [x, np.asarray(others, dtype)]
    chosen = planned(np.concatenate(lists), network, dtype)
    rows = [directed(each, dtype) for each in lists]
    return block_kernels(rows[0], rows[1] if others is not None else None, chosen)


def on_sphere(rng, samples, features):
    x = rng.normal(size=(samples, features))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


# Strips of one and of five rows, the last of 13 and of 9 in part.
@pytest.mark.parametrize(("samples", "tile"), [(1, 4), (12, 1), (13, 6), (9, 5), (5, 9)])
def test_any_tile_gives_the_kernels_and_exact_symmetry(samples, tile):
    x = np.random.default_rng(samples).normal(size=(samples, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "TILE", {"cpu": tile})
        found = computed(x, SHALLOW)
    expected = exact.gram(x, x, "relu", 3, 0.1, 1.0)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-13)
        np.testing.assert_array_equal(one, one.T)


def test_rectangular_blocks():
    rng = np.random.default_rng(0)
    x, others = rng.normal(size=(7, 3)), rng.normal(size=(4, 3))
    found = computed(x, SHALLOW, others=others)
    expected = exact.gram(x, others, "relu", 3, 0.1, 1.0)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12)


@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize("name", ["relu", "abs"])
def test_diagonals_follow_from_norms(name, depth):
    x = np.random.default_rng(0).normal(size=(6, 3)) * [[1e-3], [1], [1], [5], [50], [0]]
    for beta in (0.0, 0.3):
        network = Network(activation(name), depth, beta, 1.4)
        found = diagonal_kernels(directed(x)[0], 3, network)
        for one, two in zip(found, exact.gram(x, x, name, depth, beta, 1.4), strict=True):
            np.testing.assert_allclose(one, np.diag(two), rtol=1e-13)


@pytest.mark.parametrize("name", ["erf", "gelu", "tanh", "elu"])
def test_diagonals_are_those_of_kernels_between_points(name):
    x, network = np.random.default_rng(1).normal(size=(6, 3)), Network(activation(name), 3, 0.3)
    found = diagonal_kernels(directed(x)[0], 3, network)
    for one, two in zip(found, computed(x, network), strict=True):
        np.testing.assert_allclose(one, np.diag(two), rtol=1e-12)


def test_diagonals_that_overflow_are_an_error():
    with pytest.raises(DualError, match="too large"):
        diagonal_kernels(np.array([1.0, 1e90]), 3, SHALLOW)


@pytest.mark.parametrize("depth", [3, 100])  # layers unrolled and in a loop
@pytest.mark.parametrize(("dtype", "accuracy"), [("float32", 1e-6), ("float64", 1e-12)])
def test_hard_pairs_against_fifty_digits(dtype, accuracy, depth):
    """Near-duplicates down to 1e-4 of the norm and below, antipodes, the diagonal, any norms."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(3, 40))
    near = [x[0] * (1 + scale) + size * x[1] for size in (1e-6, 1e-4, 1e-2) for scale in (0, size)]
    points = np.concatenate([x, near, -x[:1], 3 * x[:1]]).astype(dtype)
    for beta, gain in ((0.1, 1.0), (0.0, 2**0.5)):
        found = computed(points, Network(RELU, depth, beta, gain), dtype)
        expected = exact.gram(points[:2], points, "relu", depth, beta, gain)
        for one, two in zip(found, expected, strict=True):
            scale = np.sqrt(np.outer(np.diag(one)[:2], np.diag(one)).astype(float))
            assert np.max(np.abs(one[:2] - two) / scale) < accuracy * (1 + depth / 10)


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("relu", 3),
        ("abs", 5),
        ("erf", 4),
        ("tanh", 2),
        pytest.param("relu", 40, marks=pytest.mark.slow),
        pytest.param("gelu", 3, marks=pytest.mark.slow),
        pytest.param("elu", 3, marks=pytest.mark.slow),
    ],
)
def test_inputs_of_one_norm_are_a_function_of_the_angle(name, depth):
    rng = np.random.default_rng(4)
    x = on_sphere(rng, 6, 4)
    x = np.concatenate([x, -x[:2], x[:1] + 1e-5 * x[1:2]])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    network = Network(activation(name), depth, 0.1, 1.4)
    assert planned(x, network).series is not None
    found = computed(x, network)
    if name in exact.SLOPES:
        expected = exact.gram(x, x, name, depth, 0.1, 1.4)
    else:
        points, given = jnp.asarray(x), {"depth": depth, "beta": 0.1, "weight_gain": 1.4}
        expected = limiting_kernels(points, points, activation=network.activation, **given)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-12 * np.max(two))


@pytest.mark.slow
def test_the_series_is_as_short_for_deep_networks():
    """What makes the cost of inputs of one norm flat in depth."""
    x = on_sphere(np.random.default_rng(5), 8, 20)
    terms = [
        planned(x, Network(RELU, depth, 0.0, 2**0.5), np.float32).series.coefficients.shape[1]
        for depth in (2, 8, 100)
    ]
    assert max(terms) <= 30


def test_unlike_norms_have_no_series():
    x = np.random.default_rng(6).normal(size=(5, 3))
    assert planned(x, SHALLOW).series is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), duplicates=st.integers(0, 10))
def test_positive_semidefinite_to_rounding(dtype, seed, duplicates):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 40))
    x[20 : 20 + duplicates] = x[:duplicates] + 1e-4 * x[20 : 20 + duplicates]
    for gram in computed(x, SHALLOW, dtype):
        eigenvalues = np.linalg.eigvalsh(gram.astype(float))
        assert eigenvalues[0] >= -10 * np.finfo(dtype).eps * eigenvalues[-1]


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *product(["relu", "abs", "erf", "gelu", "sin", "tanh"], ["float32"]),
        *product(["relu", "gelu", "tanh"], ["float64"]),  # one of each kind of dual
    ],
)
def test_no_nan_anywhere(name, dtype):
    rng = np.random.default_rng(7)
    x = np.zeros((8, 3))
    x[1], x[2], x[3:] = 1e-6, 2.0, rng.normal(size=(5, 3))
    x[4] = -x[3]
    for beta in (0.0, 0.1):
        for gram in computed(x, Network(activation(name), 3, beta), dtype):
            assert np.all(np.isfinite(gram))


def test_error_of_the_dual_is_measured():
    x = 0.5 * np.random.default_rng(2).normal(size=(2, 3))
    assert planned(x, SHALLOW).dual_error == 0
    assert 0 <= planned(x, Network(activation("tanh"), 3, 0.1)).dual_error < 1e-12
    polynomial = activation("polynomial", coefficients=[1, 0.5, -0.2])
    assert planned(x, Network(polynomial, 3, 0.1)).dual_error < 1e-13


def test_inaccurate_duals_are_refused():
    with pytest.raises(DualError) as refusal:
        planned(60 * np.eye(3), Network(activation("tanh"), 3, 0.1))
    message = str(refusal.value)
    assert re.match(r"activation 'tanh', layer 1: found an error of \d", message)
    assert "variances up to 1.2e+03, expected at most 1e-06; list" in message


def test_a_kink_that_is_not_named_is_noticed():
    ramp = from_function("ramp", lambda z: jnp.maximum(z, 0))
    with pytest.raises(DualError, match=r"'ramp', layer 1: .* list the activation's kinks"):
        planned(np.eye(3), Network(ramp, 3, 0.1))


@pytest.mark.slow
def test_later_layers_are_looked_at_too():
    """The variance grows by 100 from layer 1 to layer 2."""
    short = HermiteSeries("softplus", activation("softplus").function, terms=40)
    x = np.full((2, 2), 0.01)
    assert planned(x, Network(short, 2, 0.1, 20.0)).dual_error < 1e-6
    with pytest.raises(DualError, match="'softplus', layer 2"):
        planned(x, Network(short, 3, 0.1, 20.0))


@pytest.mark.parametrize(("dtype", "size"), [("float32", 1e15), ("float64", 1e120)])
def test_kernels_out_of_range_are_refused(dtype, size):
    with pytest.raises(
        DualError, match=f"'relu', depth 3: found kernels as large as .* for {dtype}"
    ):
        planned(size * np.eye(3), Network(RELU, 3, 0.1), dtype)


@pytest.mark.parametrize(("dtype", "size"), [("float32", 1e-17), ("float64", 1e-160)])
@pytest.mark.parametrize("others", [[], [[0, 0, 0]], [[0, 0, 0], [1, 0, 0]]])
def test_kernels_that_underflow_are_refused(dtype, size, others):
    """Whatever other inputs there are; with biases the kernel of small inputs is that of zero."""
    x = np.array([*others, [size, 0, 0], [0, 1.0, 0]])
    with pytest.raises(
        DualError, match=f"'relu', depth 3: found kernels as small as .* for {dtype}"
    ):
        planned(x, Network(RELU, 3, 0.0), dtype)
    planned(x, Network(RELU, 3, 0.1), dtype)


def test_kernels_of_zero_inputs_without_biases_are_zero():
    x = np.zeros((8, 3))  # as many as above
    x[1:] = 1.0
    found = computed(x, Network(RELU, 3, 0.0), "float64")
    assert all(gram[0, 0] == gram[0, 1] == 0 < gram[1, 1] for gram in found)


def test_underflow_in_a_hidden_layer_is_refused():
    shrinking = activation("polynomial", coefficients=[0, 1e-200])
    with pytest.raises(
        DualError, match="depth 3: found kernels as small as 0, too small for float64"
    ):
        planned(np.eye(2), Network(shrinking, 3, 0.0, 1e60))
