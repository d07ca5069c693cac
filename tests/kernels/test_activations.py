import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.kernels.activations import ACTIVATIONS, activation, series_activation
from ntkflow.kernels.covariance import Covariance, from_moments, input_covariance
from tests.kernels import exact

INTEGRALS = json.loads(
    (Path(__file__).parents[1] / "reference" / "dual_activations.json").read_text(encoding="utf-8")
)
REQUIRED = {"leaky_relu": {"slope": 0.1}, "polynomial": {"coefficients": (0.3, -1.0, 0.5, 0.2)}}
NAMES = sorted(ACTIVATIONS)


def build(name):
    return activation(name, **REQUIRED.get(name, {}))


def covariance(q, q_prime, c):
    """Of one pair, or of as many as c has columns, all with the same variances."""
    cross = jnp.atleast_2d(jnp.asarray(c, float))
    return from_moments(jnp.full((1, 1), q), jnp.full((1, 1), q_prime), cross)


@pytest.mark.parametrize("name", NAMES)
def test_dual_is_the_stored_integral(name):
    entries = [entry for entry in INTEGRALS if entry["activation"] == name]
    assert len(entries) == 3
    for entry in entries:
        assert entry["error"] < 1e-16
        chosen = activation(name, **entry["parameters"])
        image, slope = chosen.dual(covariance(entry["q"], entry["q_prime"], entry["c"]))
        np.testing.assert_allclose(image.cross, entry["sigma"], rtol=2e-14, atol=1e-15)
        np.testing.assert_allclose(slope, entry["slope"], rtol=2e-14, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_variances_are_one_dimensional_integrals(name):
    chosen = build(name)
    z = np.linspace(-12, 12, 6001)  # a multiple of the spacing lies on the kink at 0
    weight = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    image, _ = chosen.dual(covariance(1.7, 0.4, 0.2))
    for q, found in ((1.7, image.q1), (0.4, image.q2)):
        value = chosen.function(jnp.asarray(np.sqrt(q) * z))
        np.testing.assert_allclose(found.item(), np.sum(weight * value**2), rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_slope_of_the_dual_is_the_dual_of_the_slope(name):
    """d/dc E[sigma(u) sigma(v)] = E[sigma'(u) sigma'(v)], by Gaussian integration by parts."""
    c = jnp.linspace(-0.7, 0.7, 15)
    chosen = build(name)

    def kernel(c):
        return chosen.dual(covariance(1.2, 0.8, c))[0].cross[0]

    _, derivative = jax.jvp(kernel, (c,), (jnp.ones_like(c),))
    _, slope = chosen.dual(covariance(1.2, 0.8, c))
    np.testing.assert_allclose(derivative, slope[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["erf", "gelu", "sin", "cos", "identity"])
def test_hermite_series_is_the_closed_form(name):
    closed = build(name)
    series = series_activation(name, closed.function)
    c = np.linspace(-0.7, 0.7, 9)
    for q, q_prime in ((1.0, 0.5), (0.7, 3.0)):
        one, one_slope = closed.dual(covariance(q, q_prime, c))
        other, other_slope = series.dual(covariance(q, q_prime, c))
        for a, b in zip((*one, one_slope), (*other, other_slope), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_truncation_bounds_the_error_of_a_short_series():
    closed = build("erf")
    short = series_activation("erf", closed.function, terms=20)
    q = 2.0
    c = np.linspace(-q, q, 41)
    for position in (0, 1):
        exactly = closed.dual(covariance(q, q, c))
        found = short.dual(covariance(q, q, c))
        largest = closed.dual(covariance(q, q, q))
        error, full = (
            (np.max(np.abs(exactly[0].cross - found[0].cross)), largest[0].cross.item()),
            (np.max(np.abs(exactly[1] - found[1])), largest[1].item()),
        )[position]
        bound = short.truncation(jnp.full((1, 1), q)).item()
        assert 1e-8 < error <= bound * full * (1 + 1e-9)


def test_closed_forms_have_no_truncation():
    assert build("relu").truncation(jnp.ones((3, 1))).max() == 0


def test_polynomial_dual_by_hand():
    """sigma(z) = z^2: E = q q' + 2 c^2, and E[sigma' sigma'] = 4 c."""
    image, slope = activation("polynomial", coefficients=[0, 0, 1]).dual(covariance(1.5, 0.5, 0.3))
    np.testing.assert_allclose(image.cross, 1.5 * 0.5 + 2 * 0.3**2, rtol=1e-14)
    np.testing.assert_allclose(image.q1, 3 * 1.5**2, rtol=1e-14)
    np.testing.assert_allclose(slope, 4 * 0.3, rtol=1e-14)


ANGLES = st.one_of(
    st.sampled_from([0.0, np.pi]),
    st.floats(1e-9, np.pi),
    st.floats(-9, -3).map(lambda power: 10**power),
    st.floats(-9, -3).map(lambda power: np.pi - 10**power),
)


@pytest.mark.parametrize("name", sorted(exact.SLOPES))
@settings(deadline=None, max_examples=60)
@given(angle=ANGLES, norms=st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)))
def test_kinked_duals_are_accurate_at_any_angle(name, angle, norms):
    """Coincident, antipodal and all but those, whether the norms agree or not."""
    x1 = norms[0] * np.array([[0.6, 0.8]])
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    x2 = norms[1] * np.array([[0.6, 0.8]]) @ turned.T
    image, slope = activation(name, **exact.PARAMETERS[name]).dual(
        input_covariance(jnp.asarray(x1), jnp.asarray(x2))
    )
    with exact.mp.workdps(50):
        one, other = ([exact.mpf(float(v)) for v in x.ravel()] for x in (x1, x2))
        products = (exact.mp.fdot(a, b) / 2 for a, b in ((one, one), (other, other), (one, other)))
        kernel, derivative = map(float, exact.dual(name, *products))
    scale = norms[0] * norms[1] / 2
    np.testing.assert_allclose(image.cross, kernel, rtol=1e-13, atol=1e-15 * scale)
    np.testing.assert_allclose(slope, derivative, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", ["relu", "abs", "leaky_relu", "identity"])
def test_an_input_of_zero_gives_zeros_and_no_nan(name):
    x = jnp.array([[0.0, 0.0], [1.0, 2.0]])
    image, slope = build(name).dual(input_covariance(x, x))
    assert np.all(np.isfinite(slope))
    assert np.all(image.cross[0] == 0)
    assert image.cross[1, 1] > 0


def test_covariance_of_inputs_is_their_gram_matrix():
    rng = np.random.default_rng(0)
    x1, x2 = rng.normal(size=(4, 5)), rng.normal(size=(3, 5))
    found = input_covariance(jnp.asarray(x1), jnp.asarray(x2))
    assert isinstance(found, Covariance)
    np.testing.assert_allclose(found.cross, x1 @ x2.T / 5, rtol=1e-13, atol=1e-14)
    norms = np.sqrt((x1**2).sum(1))[:, None] * np.sqrt((x2**2).sum(1))[None, :]
    np.testing.assert_allclose(found.cosine, x1 @ x2.T / norms, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(found.angle, np.arccos(x1 @ x2.T / norms), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("rleu", {}, r"activation 'rleu' is not known; choose one of \['abs', .*'relu'"),
        ("relu", {"slope": 0.1}, r"activation 'relu': .*'slope'; its parameters are none"),
        ("leaky_relu", {"slop": 0.1}, r"'slop'; its parameters are \['slope'\]"),
        ("polynomial", {}, r"'coefficients'; its parameters are \['coefficients'\]"),
        ("polynomial", {"coefficients": []}, "no coefficients, expected at least one"),
        ("polynomial", {"coefficients": 2.0}, "coefficients is 2.0, expected a list of numbers"),
        ("leaky_relu", {"slope": [0.1]}, r"slope is \[0.1\], expected a number"),
    ],
)
def test_unknown_names_and_parameters_are_refused(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        activation(name, **parameters)
