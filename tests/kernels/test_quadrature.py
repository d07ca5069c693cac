import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from ntkflow.kernels.quadrature import gaussian_pairs, gaussian_squares, quadrature_error
from tests.kernels import exact


def with_slope(function):
    return function, jax.vmap(jax.grad(function))


def hard_tanh(z):
    return jnp.clip(z, -1.0, 1.0)


# Sigma and sigma', and the kinks.
CASES = {
    "relu": (with_slope(jax.nn.relu), (0.0,)),
    "leaky_relu": (with_slope(lambda z: jax.nn.leaky_relu(z, 0.1)), (0.0,)),
    "elu": (with_slope(jax.nn.elu), (0.0,)),
    "hard_tanh": (with_slope(hard_tanh), (-1.0, 1.0)),
    "erf": (with_slope(jax.scipy.special.erf), ()),
    "tanh": (with_slope(jnp.tanh), ()),
}
ANGLES = [1e-6, 1e-3, 0.3, np.pi / 2, 3.0, np.pi - 1e-6]
DEVIATIONS = [(0.1, 3.0), (0.7, 0.7), (3.0, 2.0)]
# Pairs of deviations with angles, as columns: (2, 18) and (18,).
TABLE = np.array([(*pair, angle) for pair in DEVIATIONS for angle in ANGLES]).T


def pairs(name, *columns):
    """Of as many entries as TABLE has whatever is asked, as XLA compiles for every shape."""
    padded = (jnp.asarray(np.resize(column, TABLE.shape[1])) for column in columns)
    return np.array(gaussian_pairs(*CASES[name], *padded))[:, : len(columns[0])]


def squares(name, deviation):
    padded = jnp.asarray(np.resize(deviation, TABLE.shape[1]))
    return np.array(gaussian_squares(*CASES[name], padded))[:, : len(deviation)]


def relative(name, found, expected, one, two):
    """Errors of sigma and sigma' in units of root mean squares, (2, n)."""
    errors = np.abs(found - np.asarray(expected)) / np.sqrt(squares(name, one) * squares(name, two))
    assert errors.shape == (2, len(one))
    return errors


def in_digits(*numbers):
    return [mpf(float(number)) for number in numbers]


@pytest.mark.parametrize("name", ["relu", "leaky_relu"])
def test_piecewise_linear_functions_give_arc_cosine_kernels(name):
    expected = []
    with mp.workdps(50):
        for column in TABLE.T:
            s1, s2, angle = in_digits(*column)
            expected.append(
                list(map(float, exact.dual(name, s1**2, s2**2, s1 * s2 * mp.cos(angle))))
            )
    assert relative(name, pairs(name, *TABLE), np.transpose(expected), *TABLE[:2]).max() < 1e-13


def test_erf_gives_its_closed_form():
    """Williams (1997), equation 11, and its derivative by c."""
    q1, q2 = TABLE[0] ** 2, TABLE[1] ** 2
    c = TABLE[0] * TABLE[1] * np.cos(TABLE[2])
    norm = (1 + 2 * q1) * (1 + 2 * q2)
    expected = (
        (2 / np.pi) * np.arcsin(2 * c / np.sqrt(norm)),
        (4 / np.pi) / np.sqrt(norm - 4 * c**2),
    )
    assert relative("erf", pairs("erf", *TABLE), expected, *TABLE[:2]).max() < 1e-12


def test_tanh_gives_the_trapezoidal_rule_in_the_plane():
    """Which converges geometrically for an analytic function, without panels."""
    s1, s2, angle = 3.0, 2.0, 0.3
    grid = np.arange(-9, 9, 0.06)
    x, y = grid[:, None], grid[None, :]
    weight = np.exp(-(x**2 + y**2) / 2) * 0.06**2 / (2 * np.pi)
    u, v = s1 * x, s2 * (x * np.cos(angle) + y * np.sin(angle))
    expected = [np.sum(weight * f(u) * f(v)) for f in (np.tanh, lambda z: 1 / np.cosh(z) ** 2)]
    found = pairs("tanh", [s1], [s2], [angle])
    assert relative("tanh", found, np.array(expected)[:, None], [s1], [s2]).max() < 1e-12


# E of sigma(m + t w) and of sigma'(m + t w), w ~ N(0, 1), in closed form; next to it the function.
def ramp(m, t):
    return m * mp.ncdf(m / t) + t * mp.npdf(m / t)


def elu_given(m, t):
    falling = mp.exp(m + t**2 / 2) * mp.ncdf(-(m + t**2) / t)
    return ramp(m, t) + falling - mp.ncdf(-m / t), mp.ncdf(m / t) + falling


def hard_tanh_given(m, t):
    inside = mp.ncdf((1 - m) / t) - mp.ncdf((-1 - m) / t)
    return ramp(m + 1, t) - ramp(m - 1, t) - 1, inside


GIVEN = {
    "elu": (elu_given, lambda z: (z, 1) if z > 0 else (mp.expm1(z), mp.exp(z))),
    "hard_tanh": (hard_tanh_given, lambda z: (max(min(z, mpf(1)), mpf(-1)), int(abs(z) < 1))),
}


def by_conditioning(name, position, s1, s2, angle):
    """E[f(u) E[f(v) | u]], the inner mean in closed form; f is sigma or sigma' by position."""
    given, function = GIVEN[name]
    cosine, sine = mp.cos(angle), mp.sin(angle)

    def integrand(x):
        return function(s1 * x)[position] * given(s2 * cosine * x, s2 * sine)[position] * mp.npdf(x)

    ends = {mpf(x) for x in (-11, -4, 0, 4, 11)}
    for kink in map(mpf, CASES[name][1]):
        turns = {(kink / s2 + sine * width) / cosine for width in (-12, -3, 0, 3, 12)}
        ends |= {x for x in {kink / s1} | turns if abs(x) < 11}
    return mp.quad(integrand, sorted(ends), method="gauss-legendre", maxdegree=4)


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_curved_functions_and_kinks_off_zero(name):
    points = [(0.1, 3.0, 1e-6), (3.0, 2.0, 1e-3), (0.5, 2.0, 1.5), (3.0, 3.0, 3.0)]
    with mp.workdps(20):
        expected = [
            [float(by_conditioning(name, position, *in_digits(*point))) for point in points]
            for position in (0, 1)
        ]
    columns = np.transpose(points)
    found = pairs(name, *columns)
    assert relative(name, found, expected, *columns[:2]).max() < 1e-13


def test_coincident_and_antipodal_hard_tanh():
    """E[sigma^2] = 1 - 2 phi(1), by parts, and E[sigma'^2] = P(|z| < 1); sigma is odd."""
    square = 1 - 2 * np.exp(-0.5) / np.sqrt(2 * np.pi)
    inside = float(mp.erf(mp.sqrt(0.5)))
    value, slope = pairs("hard_tanh", np.ones(2), np.ones(2), [0.0, np.pi])
    np.testing.assert_allclose(value, [square, -square], rtol=1e-13)
    np.testing.assert_allclose(slope, [inside, inside], rtol=1e-13)


def test_more_nodes_less_error_and_the_estimate_says_how_much():
    functions, kinks = (jax.vmap(jax.grad(jax.nn.elu)),), (0.0,)
    deviations = jnp.asarray([0.3, 1.1, 3.0])
    # As many angles as the estimate tries, and others.
    angles = jnp.asarray([0.0, 1e-5, 0.02, 0.1, 0.4, 0.8, 1.3, 2.0, 2.5, 3.0, 3.14])
    entries = deviations[:, None, None], deviations[None, :, None], angles[None, None, :]
    true, few, more = (gaussian_pairs(functions, kinks, *entries, nodes=n)[0] for n in (20, 6, 9))
    (square,) = gaussian_squares(functions, kinks, deviations, nodes=9)
    scale = np.sqrt(np.multiply.outer(square, square))[..., None]
    error, smaller = (np.max(np.abs(values - true) / scale) for values in (few, more))
    assert error > 10 * smaller > 1e-7
    estimate = quadrature_error(functions, kinks, deviations, nodes=6)
    assert error < 3 * estimate < 30 * error


def test_the_estimate_tells_of_a_kink_that_was_left_out():
    assert quadrature_error((hard_tanh,), (), jnp.asarray([0.5, 1.0, 2.0]), nodes=8) > 1e-4


def test_a_point_that_is_no_kink_changes_nothing():
    functions, _ = CASES["tanh"]
    found = np.array(gaussian_pairs(functions, (0.5,), *map(jnp.asarray, TABLE)))
    assert relative("tanh", found, pairs("tanh", *TABLE), *TABLE[:2]).max() < 1e-11


SIZES = st.floats(0.05, 4)
TURNS = st.one_of(st.floats(0, np.pi), st.floats(-12, -1).map(lambda power: 10**power))


@pytest.mark.parametrize("name", ["elu", "hard_tanh", "tanh"])
@settings(max_examples=40)
@given(one=SIZES, two=SIZES, angle=TURNS)
def test_pairs_commute_and_are_within_their_squares(name, one, two, angle):
    found = pairs(name, [one, two, one], [two, one, one], [angle, angle, 0.0])
    first, second = squares(name, [one, two]).T
    scale = np.sqrt(first * second)
    assert np.all(np.abs(found[:, 0] - found[:, 1]) <= 1e-12 * scale)
    assert np.all(np.abs(found[:, 0]) <= scale * (1 + 1e-12))
    np.testing.assert_allclose(found[:, 2], first, rtol=1e-12)


@pytest.mark.parametrize("name", ["elu", "hard_tanh"])
def test_deviations_of_zero(name):
    """E[f(0) f(v)], with f(0) as the function gives it."""
    found = pairs(name, [0.0, 0.0, 1.3], [0.0, 1.3, 0.0], [0.0, 0.0, 1.0])
    # By the trapezoidal rule, with kinks and jumps on its points.
    z = np.linspace(-13, 13, 26 * 1000 + 1)
    weight = np.exp(-((z / 1.3) ** 2) / 2) / (1.3 * np.sqrt(2 * np.pi)) * 1e-3
    for f, values in zip(CASES[name][0], found, strict=True):
        at_zero, mean = f(jnp.zeros(1)).item(), np.sum(weight * f(jnp.asarray(z)))
        np.testing.assert_allclose(values[0], at_zero**2, atol=1e-13)
        np.testing.assert_allclose(values[1:], at_zero * mean, atol=1e-6)


def test_a_block_of_any_size_is_its_entries():
    """More of them than are held at a time, and no multiple of that."""
    functions, kinks = CASES["elu"]
    rng = np.random.default_rng(0)
    one, two = (jnp.asarray(rng.uniform(0.2, 2, shape)) for shape in ((7, 1), (1, 9)))
    angles = jnp.asarray(rng.uniform(0, np.pi, (7, 9)))
    block = gaussian_pairs(functions, kinks, one, two, angles)
    assert all(values.shape == (7, 9) and values.dtype == jnp.float64 for values in block)
    broadcast = [array.ravel()[:18] for array in np.broadcast_arrays(one, two, angles)]
    np.testing.assert_allclose(
        np.array(block).reshape(2, -1)[:, :18], pairs("elu", *broadcast), rtol=1e-12
    )


def test_single_precision_stays_single():
    functions, kinks = CASES["elu"]
    arrays = [jnp.asarray(a, jnp.float32) for a in TABLE]
    found = gaussian_pairs(functions, kinks, *arrays)
    assert all(values.dtype == jnp.float32 for values in found)
    assert relative("elu", np.asarray(found, float), pairs("elu", *TABLE), *TABLE[:2]).max() < 3e-6
