"""Derivatives of limiting kernels, against 120 digits and against finite differences."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow import api
from tests.kernels import exact

RNG = np.random.default_rng(0)
slow = partial(pytest.param, marks=pytest.mark.slow)
NAMES = ("relu", "erf", "tanh", *map(slow, ("abs", "gelu", "sin", "cos", "elu")))
LEAKY = {"name": "leaky_relu", "slope": 0.1}
# Points of a batch: generic, near-duplicates, equal, antipodal, orthogonal, and zero.
X = RNG.normal(size=(8, 4))
X[1] = X[0] + 1e-6 * RNG.normal(size=4)
X[2] = X[0]
X[3] = -X[0]
X[5] = [*np.roll(X[4, :2], 1) * [1, -1], *np.roll(X[4, 2:], 1) * [1, -1]]
X[6] = 0
APART = np.ones((8, 8), bool)
APART[0, 2] = APART[2, 0] = APART[0, 3] = APART[3, 0] = APART[2, 3] = APART[3, 2] = False
MOVES = RNG.normal(size=X.shape)
DIFFERENCES = (3 / 4, -3 / 20, 1 / 60)


@cache
def kernel_of(name, depth=3):
    activation = LEAKY if name == "leaky_relu" else name
    return api.kernel_function(depth=depth, activation=activation)


def with_slope(function):
    """Values of a function and their derivatives by its first argument, as one program."""

    @jax.jit
    def both(step, *rest):
        return jax.jvp(lambda step: function(step, *rest), (step,), (1.0,))

    return both


@cache
def along(name):
    """Kernels of moved points, moved factors, by the step."""

    def function(step, x, beta):
        factors = {"beta": beta + 0.3 * step, "weight_gain": 1.3 + 0.2 * step}
        return jnp.stack(kernel_of(name)(x + step * MOVES, **factors))

    return with_slope(function)


def difference(function, step, *rest):
    """Derivative at 0 to sixth order in the step, of the values of a function with its slope."""
    parts = enumerate(DIFFERENCES, 1)
    values = ((w, function(k * step, *rest)[0], function(-k * step, *rest)[0]) for k, w in parts)
    return sum(w * (ahead - behind) for w, ahead, behind in values) / step


@pytest.mark.parametrize("beta", [0.5, 0.0])
@pytest.mark.parametrize("name", NAMES)
def test_derivatives_are_finite_differences(name, beta):
    """At near-duplicates the steps are small against the distance, or the points move together."""
    _, found = along(name)(0.0, X, beta)
    # Without biases there is a corner at 0, and with a kink between equal and opposite points.
    apart = APART.copy() if name in ("relu", "abs", "elu") else np.ones_like(APART)
    if beta == 0:
        apart[6] = apart[:, 6] = False
    assert np.isfinite(found).all()
    near = np.zeros_like(apart)
    near[:2, :2] = near[1:3, 1:3] = near[1, 3] = near[3, 1] = True
    for pairs, step in ((apart & ~near, 1e-3), (apart & near, 1e-8)):
        expected = difference(along(name), step, X, beta)
        scale = np.abs(np.asarray(expected)[:, pairs]).max()
        np.testing.assert_allclose(found[:, pairs], expected[:, pairs], rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("distance", [1e-2, 1e-5, 1e-8, 1e-9])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", exact.SLOPES)
def test_kinked_networks_at_small_angles_against_120_digits(name, sign, distance):
    one = np.array([0.3, -1.2, 0.7])
    two = sign * one + distance * np.array([0.5, 0.2, -0.4])
    change = np.array([1.0, 2.0, -0.5])
    for moves in (
        (change, 0 * one, 0.0, 0.0),
        (0 * one, 0 * one, 1.0, 0.0),
        (change, change, 0, 1.0),
    ):
        expected = exact.derivatives(one, two, moves, name, 3, 0.1, 1.4)

        def function(t, moves=moves):
            factors = {"beta": 0.1 + t * moves[2], "weight_gain": 1.4 + t * moves[3]}
            return kernel_of(name)(
                (one + t * moves[0])[None], (two + t * moves[1])[None], **factors
            )

        _, found = jax.jvp(function, (0.0,), (1.0,))
        np.testing.assert_allclose(np.ravel(found), expected, rtol=3e-7)


@pytest.mark.parametrize("name", ["relu", slow("gelu"), slow("tanh")])
def test_reverse_mode_and_second_derivatives(name):
    """Both modes agree, and the Hessian is the finite difference of the gradient."""
    weights = RNG.normal(size=(2, 8, 8)) * APART
    near = X.copy()
    near[1] = X[7] + 0.3  # second derivatives by the distance of near-duplicates are large

    def function(t):
        kernels = kernel_of(name)(near + t * MOVES, beta=0.5 + 0.3 * t, weight_gain=1.3 + 0.2 * t)
        return jnp.sum(weights * jnp.stack(kernels))

    reverse = with_slope(jax.grad(function))
    gradient, hessian = reverse(0.0)
    _, forward = along(name)(0.0, near, 0.5)
    np.testing.assert_allclose(np.sum(weights * forward), gradient, rtol=1e-9)
    np.testing.assert_allclose(hessian, difference(reverse, 1e-3), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_limiting_kernels(name):
    """Also those that the derivatives come with."""
    factors = {"beta": 0.2, "weight_gain": 1.3}
    expected = api.limiting_kernels(X, depth=3, activation=name, **factors)
    between = kernel_of(name)(X, X[:3], **factors)
    beside, _ = along(name)(0.0, X, 0.2)
    for theirs, one, two in zip(expected, between, beside, strict=True):
        tolerance = {"rtol": 0, "atol": 3e-15 * np.abs(theirs).max()}
        np.testing.assert_allclose(one, theirs[:, :3], **tolerance)
        np.testing.assert_allclose(two, theirs, **tolerance)


def test_gradient_between_equal_inputs_is_the_mean_of_both_sides():
    one, change = X[:1], MOVES[:1]
    kernel = kernel_of("relu")
    found = jax.jvp(lambda t: kernel(one + t * change, one).ntk, (0.0,), (1.0,))[1]
    sides = [(kernel(one + t * change, one).ntk - kernel(one, one).ntk) / t for t in (1e-7, -1e-7)]
    assert abs(sides[0] - sides[1])[0, 0] > 0.1
    np.testing.assert_allclose(found, np.mean(sides, axis=0), rtol=1e-6)


def test_kernels_can_be_vmapped():
    kernel = kernel_of("relu")
    each = jax.vmap(lambda one, other: kernel(one[None], other[None]).ntk[0, 0])
    np.testing.assert_allclose(each(X, X[::-1]), np.diag(kernel(X, X[::-1]).ntk), rtol=1e-14)
    betas = np.array([0.1, 0.4])
    slopes = jax.vmap(jax.grad(lambda beta: jnp.sum(kernel(X, beta=beta).nngp)))(betas)
    one = jax.grad(lambda beta: jnp.sum(kernel(X, beta=beta).nngp))(0.4)
    np.testing.assert_allclose(slopes[1], one, rtol=1e-12)


def test_kernels_of_inaccurate_series_are_nan():
    kernel = kernel_of("tanh")
    assert np.isfinite(kernel(X, weight_gain=2.0).ntk).all()
    found = np.isnan(kernel(np.array([[1.0], [1e4]]), weight_gain=1.0).ntk)
    assert found.tolist() == [[False, True], [True, True]]


def softplus_with_corners(z):
    """A function whose slope jumps at -0.5 and bends at 1.5."""
    return jax.nn.softplus(z) + 0.3 * jnp.abs(z + 0.5) + 0.2 * jnp.maximum(z - 1.5, 0) ** 2


def test_own_activations_with_kinks():
    """With small angles between points that move together."""
    kernel = api.kernel_function(depth=2, activation=softplus_with_corners, kinks=[-0.5, 1.5])
    x = np.array([[0.4, -0.6], [0.4, -0.6], [1.5, 0.3], [0.4001, -0.6002]])

    def function(t):
        return jnp.stack(kernel(x * (1 + t) + 0.1 * t, beta=0.3, weight_gain=1.3 - 0.2 * t))

    function = with_slope(function)
    _, found = function(0.0)
    np.testing.assert_allclose(found, difference(function, 1e-3), rtol=1e-7)


def test_kinks_of_both_points_at_the_same_place():
    """At x' - x orthogonal to x, where Cov(u, v) = Var u, and between equal points."""
    kernel = api.kernel_function(
        depth=2, activation=lambda z: jnp.clip(z, -0.5, 1.0), kinks=[-0.5, 1.0]
    )
    x, y = np.array(3 * [[1.0, 0.0]]), np.array([[1.0, 1.0], [1.0, 0.1], [1.0, 1e-3]])

    @with_slope
    def ntk(step, one, two, moves):
        pair = one + step * moves[0], two + step * moves[1]
        return jnp.diagonal(kernel(*pair, beta=0.0, weight_gain=1.3).ntk)

    for case in ((x, y, np.stack([x, 0 * x])), (y, x, np.stack([0 * x, x]))):
        _, found = ntk(0.0, *case)
        np.testing.assert_allclose(found[:2], difference(ntk, 1e-3, *case)[:2], rtol=1e-7)
        np.testing.assert_allclose(found[2:], difference(ntk, 1e-5, *case)[2:], rtol=1e-6)


@pytest.mark.parametrize("name", ["identity", "erf", "tanh", slow("gelu"), slow("sin")])
def test_smooth_kernels_change_at_zero_inputs_without_biases(name):
    kernel = api.kernel_function(depth=3, activation=name, beta=0.0)
    zero, moves = np.zeros((2, 4)), MOVES[:2]

    @with_slope
    def function(step):
        return jnp.stack(kernel(zero + step * moves, X[:3]))

    _, found = function(0.0)
    np.testing.assert_allclose(found, difference(function, 1e-3), rtol=1e-7)


@pytest.mark.parametrize("name", ["relu", "erf"])
def test_second_derivatives_beside_zero_inputs_without_biases(name):
    """By the gain; one input that is zero does not spoil the others."""

    @jax.jit
    @jax.hessian
    def second(gain, x, counted):
        kernels = jnp.stack(kernel_of(name, 2)(x, beta=0.0, weight_gain=gain))
        return jnp.sum(kernels * jnp.outer(counted, counted)[None])

    x = np.array([[1.0, 2.0], [0.0, 0.0], [0.3, -1.0]])
    without = second(1.3, x + np.array([[0], [1], [0]]), np.array([1.0, 0.0, 1.0]))
    np.testing.assert_allclose(second(1.3, x, np.ones(3)), without, rtol=1e-12)


LAYERS = api.layers
IMAGES = RNG.normal(size=(4, 4, 4, 2))
IMAGES[1] = IMAGES[0] + 1e-4 * RNG.normal(size=(4, 4, 2))
IMAGES[2] = IMAGES[0]
IMAGES[3, 0] = 0  # a row of black pixels
NETWORKS = {
    "pooling": [
        LAYERS.convolution((3, 3)),
        LAYERS.activation("relu"),
        LAYERS.average_pool((2, 2)),
        LAYERS.convolution((2, 2), padding="circular"),
        LAYERS.activation("erf"),
        LAYERS.global_average_pool(),
        LAYERS.dense(),
    ],
    "residual": [
        LAYERS.convolution((3,), beta=0.0),
        LAYERS.residual(
            LAYERS.activation("tanh"),
            LAYERS.convolution((3,)),
            shortcut=[LAYERS.dense(weight_gain=0.7)],
        ),
        LAYERS.layer_norm(),
        LAYERS.activation("relu"),
        LAYERS.flatten(),
        LAYERS.dense(),
    ],
}
FACTORS = {
    "pooling": ([0.1, 0.2, 0.3], [1.2, 0.9, 1.1]),
    "residual": ([0.0, 0.2, 0.1, 0.3], [1.2, 0.9, 1.0, 1.1]),
}
INPUTS = {"pooling": IMAGES, "residual": IMAGES[:, :, 0]}  # sequences


@pytest.mark.parametrize("name", [slow("pooling"), "residual"])
def test_derivatives_of_networks_of_layers(name):
    """In pixels and in the factors of each layer, in both modes."""
    kernel, x = api.kernel_function(layers=NETWORKS[name]), INPUTS[name]
    moves = RNG.normal(size=x.shape)
    beta, gain = (np.asarray(each) for each in FACTORS[name])
    betas, gains = beta * RNG.normal(size=beta.shape), RNG.normal(size=gain.shape)

    def function(step):
        factors = {"beta": beta + step * betas, "weight_gain": gain + step * gains}
        return jnp.stack(kernel(x + step * moves, **factors))

    forward = with_slope(function)
    _, found = forward(0.0)
    expected = difference(forward, 1e-6)
    corners = np.zeros((4, 4), bool)  # between equal images
    corners[0, 2] = corners[2, 0] = True
    scale = np.abs(np.asarray(expected)).max()
    np.testing.assert_allclose(
        np.where(corners, 0, found), np.where(corners, 0, expected), rtol=0, atol=1e-6 * scale
    )
    assert np.isfinite(found).all()
    reverse = jax.jit(jax.grad(lambda step: jnp.sum(function(step))))
    np.testing.assert_allclose(reverse(0.0), jnp.sum(found), rtol=1e-7)


def test_factors_of_layers_are_in_their_order():
    """Kernels of ReLU networks without biases are proportional to the square of each gain."""
    layers = [
        LAYERS.convolution((2, 2), beta=0.0),
        LAYERS.activation("relu"),
        LAYERS.flatten(),
        LAYERS.dense(beta=0.0, weight_gain=2.0),
    ]
    kernel = api.kernel_function(layers=layers)
    own = kernel(IMAGES).nngp
    np.testing.assert_allclose(own, api.limiting_kernels(IMAGES, layers=layers).nngp, rtol=1e-12)
    np.testing.assert_allclose(kernel(IMAGES, weight_gain=[3.0, 5.0]).nngp, own * 9 * 25 / 4)
    biased = kernel(IMAGES, beta=[0.0, 0.5]).nngp
    np.testing.assert_allclose(biased, own + 0.25, rtol=1e-12)
