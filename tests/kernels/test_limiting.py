from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.kernels.activations import activation
from ntkflow.kernels.limiting import limiting_kernels
from tests.kernels import exact

PARAMETRIZATIONS = {"jgh": (0.1, 1.0), "he": (0.0, 2**0.5)}
ACTIVATIONS = {
    "relu": activation("relu"),
    "leaky_relu_0.1": activation("leaky_relu", slope=0.1),
    "abs": activation("abs"),
    "erf": activation("erf"),
    "gelu": activation("gelu"),
    "sin": activation("sin"),
}
KINKED = {"relu": "relu", "leaky_relu_0.1": "leaky_relu", "abs": "abs"}


TRAIN, ALL = 16, 23
"""Points of the reference; others are padded to as many, since XLA compiles for every shape."""


def kernels_of(name, depth, parametrization, x, others):
    beta, gain = PARAMETRIZATIONS[parametrization]
    padded = (jnp.asarray(np.resize(a, (n, 2))) for a, n in ((x, TRAIN), (others, ALL)))
    network = {"activation": ACTIVATIONS[name], "depth": depth}
    found = limiting_kernels(*padded, **network, beta=beta, weight_gain=gain)
    return type(found)(*(np.asarray(kernel)[: len(x), : len(others)] for kernel in found))


DEPTHS = [
    pytest.param(name, depth, marks=[] if name == "relu" or depth == 3 else pytest.mark.slow)
    for name in ACTIVATIONS
    for depth in (2, 3, 4)
]


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@pytest.mark.parametrize(("name", "depth"), DEPTHS)
def test_against_the_reference(name, depth, parametrization, reference):
    case = reference(f"{name}__L{depth}__{parametrization}__circle")
    x = case["x_train"]
    others = np.concatenate([x, case["x_test"]])
    # The reference's NTK is off at cosines of 1 and -1, see its README.
    kinks = (np.abs(x @ others.T) > 1 - 1e-6) & (name in KINKED)
    # One depth in float32; test_tiles.py has much deeper networks in it.
    for dtype, tolerance in (("float64", 1e-10), ("float32", 1e-5))[: 1 + (depth == 3)]:
        found = kernels_of(name, depth, parametrization, x.astype(dtype), others.astype(dtype))
        for kernel, left_out in (("nngp", kinks & False), ("ntk", kinks)):
            values = getattr(found, kernel)
            assert values.dtype == dtype
            assert values.shape == (TRAIN, ALL)
            expected = np.hstack([case[f"{kernel}_train_{where}"] for where in ("train", "test")])
            scale = np.max(np.abs(expected))
            np.testing.assert_allclose(
                values[~left_out], expected[~left_out], rtol=tolerance, atol=tolerance * scale / 100
            )


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@pytest.mark.parametrize("name", KINKED)
def test_against_fifty_digits(name, parametrization, reference):
    """Also where the reference is off: on the diagonal, and at opposite points."""
    case = reference(f"{name}__L3__{parametrization}__circle")
    x = case["x_train"][:4]
    other = np.concatenate([x, -x[:2], 3 * x[:2], -0.7 * x[:1], case["x_test"][:2]])
    found = kernels_of(name, 3, parametrization, x, other)
    expected = exact.gram(x, other, KINKED[name], 3, *PARAMETRIZATIONS[parametrization])
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_nearly_coincident_points_in_both_precisions(parametrization):
    angles = np.array([0.0, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3])
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for dtype, tolerance in (("float64", 1e-13), ("float32", 1e-6)):
        points = x.astype(dtype)
        found = kernels_of("relu", 4, parametrization, points, points)
        expected = exact.gram(points, points, "relu", 4, *PARAMETRIZATIONS[parametrization])
        for one, two in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, two, rtol=tolerance)


@pytest.mark.parametrize(
    ("cosine", "nngp", "ntk"),
    [(1.0, 1 / 4, 1 / 2), (0.0, 1 / (4 * np.pi), 1 / (4 * np.pi)), (-1.0, 0.0, 0.0)],
)
def test_relu_of_depth_two_by_hand(cosine, nngp, ntk):
    """n_0 = 2, beta = 0: Sigma^1 = rho/2; E[relu relu] = 1/4 at rho = 1, 1/(4 pi) at 0, 0 at -1."""
    x1 = jnp.array([[1.0, 0.0]])
    x2 = jnp.array([[cosine, (1 - cosine**2) ** 0.5]])
    found = limiting_kernels(x1, x2, activation=ACTIVATIONS["relu"], depth=2, beta=0.0)
    np.testing.assert_allclose(found.nngp, nngp, atol=1e-16)
    np.testing.assert_allclose(found.ntk, ntk, atol=1e-16)


def test_depth_one_is_the_linear_kernel():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 3))
    points = jnp.asarray(x)
    found = limiting_kernels(
        points, points, activation=ACTIVATIONS["relu"], depth=1, beta=0.2, weight_gain=1.5
    )
    expected = 1.5**2 * x @ x.T / 3 + 0.2**2
    np.testing.assert_allclose(found.nngp, expected, rtol=1e-13)
    np.testing.assert_allclose(found.ntk, expected, rtol=1e-13)


def test_identity_network_by_hand():
    """Linear network of depth L, beta = 0: Theta^L = L x.x'/n_0."""
    x = jnp.asarray(np.random.default_rng(1).normal(size=(4, 3)))
    found = limiting_kernels(x, x, activation=activation("identity"), depth=5, beta=0.0)
    np.testing.assert_allclose(found.nngp, x @ x.T / 3, rtol=1e-13)
    np.testing.assert_allclose(found.ntk, 5 * x @ x.T / 3, rtol=1e-13)


_compiled = jax.jit(limiting_kernels, static_argnames=("activation", "depth"))
_relu = partial(_compiled, activation=ACTIVATIONS["relu"], depth=3, beta=0.1)
_relu_without_bias = partial(_relu, beta=0.0)
_tanh = partial(_compiled, activation=activation("tanh"), depth=3, beta=0.1)


@st.composite
def inputs(draw, points=5, features=3):
    """Gaussian inputs, some of them zero, repeated, opposite or scaled."""
    x = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(size=(points, features))
    x[1] = draw(st.sampled_from([x[1], x[0], -x[0], 2.5 * x[0], 0 * x[0], x[0] + 1e-7 * x[1]]))
    return x


@pytest.mark.parametrize(
    "kernels", [_relu, _relu_without_bias, _tanh], ids=["relu", "relu without bias", "tanh"]
)
@settings(max_examples=40)
@given(x=inputs())
def test_symmetric_and_positive_semidefinite(kernels, x):
    nngp, ntk = (np.asarray(gram) for gram in kernels(jnp.asarray(x), jnp.asarray(x)))
    for gram in (nngp, ntk, ntk - nngp):  # Theta^L - Sigma^L is a product of kernels
        np.testing.assert_allclose(gram, gram.T, rtol=1e-13, atol=1e-14)
        assert np.linalg.eigvalsh(gram)[0] >= -1e-13 * np.trace(gram)


@settings(max_examples=40)
@given(x=inputs(), factor=st.floats(1e-3, 1e3))
def test_relu_without_bias_is_homogeneous(x, factor):
    original = _relu_without_bias(jnp.asarray(x), jnp.asarray(x))
    both = _relu_without_bias(jnp.asarray(factor * x), jnp.asarray(factor * x))
    one = _relu_without_bias(jnp.asarray(factor * x), jnp.asarray(x))
    for a, b, c in zip(original, both, one, strict=True):
        scale = np.max(a)
        np.testing.assert_allclose(b / factor**2, a, rtol=1e-12, atol=1e-14 * scale)
        np.testing.assert_allclose(c / factor, a, rtol=1e-12, atol=1e-14 * scale)


@pytest.mark.parametrize("kernels", [_relu, _tanh], ids=["relu", "tanh"])
@settings(max_examples=30)
@given(x=inputs(), order=st.permutations(range(5)))
def test_permuted_inputs_give_the_permuted_kernel(kernels, x, order):
    original = kernels(jnp.asarray(x), jnp.asarray(x))
    permuted = kernels(jnp.asarray(x[order]), jnp.asarray(x))
    for a, b in zip(original, permuted, strict=True):
        np.testing.assert_allclose(b, np.asarray(a)[order], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("kernels", [_relu, _tanh], ids=["relu", "tanh"])
@settings(max_examples=30)
@given(x=inputs(), seed=st.integers(0, 2**32 - 1))
def test_rotated_inputs_give_the_same_kernel(kernels, x, seed):
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    turned = jnp.asarray(x @ rotation.T)
    original = kernels(jnp.asarray(x), jnp.asarray(x))
    for a, b in zip(original, kernels(turned, turned), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
