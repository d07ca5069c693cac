import json
import re
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.kernels.accuracy import DualError, fit_dual
from ntkflow.kernels.activations import activation, from_function
from ntkflow.kernels.correlation import directions, input_pairs
from ntkflow.kernels.dual import outer
from ntkflow.kernels.hermite import HermiteSeries
from ntkflow.kernels.names import ACTIVATIONS
from ntkflow.kernels.pairs import from_correlation
from tests.kernels import exact
from tests.kernels.duals import dual

INTEGRALS = json.loads(
    (Path(__file__).parents[1] / "reference" / "dual_activations.json").read_text(encoding="utf-8")
)
REQUIRED = {"leaky_relu": {"slope": 0.1}, "polynomial": {"coefficients": (0.3, -1.0, 0.5, 0.2)}}
NAMES = sorted(ACTIVATIONS)


def build(name):
    return activation(name, **REQUIRED.get(name, {}))


INTEGRATED = {entry["activation"] for entry in INTEGRALS}


@pytest.mark.parametrize("name", sorted(INTEGRATED))
def test_dual_is_the_stored_integral(name):
    entries = [entry for entry in INTEGRALS if entry["activation"] == name]
    assert len(entries) == 3
    for entry in entries:
        assert entry["error"] < 1e-16
        chosen = activation(name, **entry["parameters"])
        cross, slope = dual(chosen, entry["q"], entry["q_prime"], entry["c"])
        np.testing.assert_allclose(cross, entry["sigma"], rtol=3e-14, atol=1e-15)
        np.testing.assert_allclose(slope, entry["slope"], rtol=3e-14, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_squares_are_one_dimensional_integrals(name):
    chosen = build(name)
    z = np.linspace(-12, 12, 6001)  # a multiple of the spacing lies on the kink at 0
    weight = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    # At a kink where the first derivative jumps the rule is of second order.
    accuracy = 1e-5 if name in ("elu", "selu") else 1e-12
    variances = np.array([1.7, 0.4])
    value = np.asarray(chosen.function(jnp.asarray(np.sqrt(variances)[:, None] * z)))
    found = jax.jit(chosen.square)(variances)
    np.testing.assert_allclose(found, np.sum(weight * value**2, axis=1), rtol=accuracy)


@pytest.mark.parametrize("name", NAMES)
def test_slope_of_the_dual_is_the_dual_of_the_slope(name):
    """d/dc E[sigma(u) sigma(v)] = E[sigma'(u) sigma'(v)], by Gaussian integration by parts."""
    c = jnp.linspace(-0.7, 0.7, 8)  # not 0, where the angle is folded
    chosen = build(name)

    @jax.jit
    def both(c):
        (_, slope), (derivative, _) = jax.jvp(
            lambda c: dual(chosen, 1.2, 0.8, c), (c,), (jnp.ones_like(c),)
        )
        return derivative, slope

    np.testing.assert_allclose(*both(c), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["erf", "gelu", "sin", "cos", "identity"])
def test_hermite_series_is_the_closed_form(name):
    closed = build(name)
    series = HermiteSeries(name, closed.function)
    c = np.linspace(-0.7, 0.7, 9)
    for q, q_prime in ((1.0, 0.5), (0.7, 3.0)):
        pairs = zip(dual(closed, q, q_prime, c), dual(series, q, q_prime, c), strict=True)
        for a, b in pairs:
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_error_bounds_that_of_a_short_series():
    closed = build("erf")
    short = HermiteSeries("erf", closed.function, terms=20)
    q = 2.0
    c = np.linspace(-q, q, 41)
    exactly, found, largest = dual(closed, q, q, c), dual(short, q, q, c), dual(closed, q, q, q)
    bound = short.error(jnp.full((1,), q))
    for exact_values, values, full in zip(exactly, found, largest, strict=True):
        error = np.max(np.abs(exact_values - values))
        assert 1e-8 < error <= bound * full.item() * (1 + 1e-9)


@pytest.mark.parametrize(
    ("name", "dtype", "accuracy"),
    [("tanh", np.float32, 1e-8), ("tanh", np.float64, 1e-15), ("softplus", np.float64, 1e-15)],
)
def test_a_fitted_series_is_short_and_still_accurate(name, dtype, accuracy):
    whole = HermiteSeries(name, build(name).function)
    variances = jnp.asarray([0.3, 1.5])
    fitted = whole.fitted(variances, np.dtype(dtype))
    assert max(powers.stop for powers in fitted.powers) < whole.terms
    c = np.linspace(-0.6, 0.6, 9)
    for a, b in zip(dual(whole, 0.3, 1.5, c), dual(fitted, 0.3, 1.5, c), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=10 * accuracy)


def test_closed_forms_have_no_error():
    assert build("relu").error(jnp.ones(3)) == 0


def test_quadrature_states_its_error():
    assert build("elu").error(jnp.asarray([0.1, 1.0, 4.0])) < 1e-11


def test_quadrature_is_the_closed_form():
    closed = build("leaky_relu")
    numerical = from_function("leaky_relu", closed.function, kinks=[0.0])
    c = np.linspace(-0.8, 0.8, 9)
    for a, b in zip(dual(closed, 1.2, 0.8, c), dual(numerical, 1.2, 0.8, c), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_polynomial_dual_by_hand():
    """sigma(z) = z^2: E = q q' + 2 c^2, and E[sigma' sigma'] = 4 c."""
    square = activation("polynomial", coefficients=[0, 0, 1])
    cross, slope = dual(square, 1.5, 0.5, 0.3)
    np.testing.assert_allclose(cross, 1.5 * 0.5 + 2 * 0.3**2, rtol=1e-14)
    np.testing.assert_allclose(square.square(jnp.full((1,), 1.5)), 3 * 1.5**2, rtol=1e-14)
    np.testing.assert_allclose(slope, 4 * 0.3, rtol=1e-14)


ANGLES = st.one_of(
    st.sampled_from([0.0, np.pi]),
    st.floats(1e-9, np.pi),
    st.floats(-9, -3).map(lambda power: 10**power),
    st.floats(-9, -3).map(lambda power: np.pi - 10**power),
)


def of_inputs(chosen, x1, x2):
    """Both expectations for pre-activations that are the inputs' own, Sigma = x.x'/n_0."""
    dtype = np.dtype(np.float64)
    (norm1, one), (norm2, two) = (directions(jnp.asarray(x), dtype) for x in (x1, x2))
    rows, columns = (chosen.moments(norm**2 / x1.shape[1]) for norm in (norm1, norm2))
    return of_directions(chosen, one, two, rows, columns)


@partial(jax.jit, static_argnums=0)
def of_directions(chosen, one, two, rows, columns):
    image, slope = chosen.dual(input_pairs(one, two, np.dtype(np.float64)), rows, columns)
    return image.correlation * outer(rows.root, columns.root), slope


@pytest.mark.parametrize("name", sorted(exact.SLOPES))
@settings(max_examples=60)
@given(angle=ANGLES, norms=st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)))
def test_kinked_duals_are_accurate_at_any_angle(name, angle, norms):
    """Coincident, antipodal and all but those, whether the norms agree or not."""
    x1 = norms[0] * np.array([[0.6, 0.8]])
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    x2 = norms[1] * np.array([[0.6, 0.8]]) @ turned.T
    cross, slope = of_inputs(activation(name, **exact.PARAMETERS[name]), x1, x2)
    with exact.mp.workdps(50):
        one, other = ([exact.mpf(float(v)) for v in x.ravel()] for x in (x1, x2))
        products = (exact.mp.fdot(a, b) / 2 for a, b in ((one, one), (other, other), (one, other)))
        kernel, derivative = map(float, exact.dual(name, *products))
    scale = norms[0] * norms[1] / 2
    np.testing.assert_allclose(cross, kernel, rtol=1e-13, atol=1e-15 * scale)
    # Of sigma' of size one: near a right angle, where that of abs vanishes, 5e-15 was seen.
    np.testing.assert_allclose(slope, derivative, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", ["relu", "abs", "leaky_relu", "identity"])
def test_an_input_of_zero_gives_zeros_and_no_nan(name):
    x = np.array([[0.0, 0.0], [1.0, 2.0]])
    cross, slope = of_inputs(build(name), x, x)
    assert np.all(np.isfinite(slope))
    assert np.all(cross[0] == 0)
    assert cross[1, 1] > 0


def test_activations_are_made_once():
    assert activation("leaky_relu", slope=0.3) is activation("leaky_relu", slope=0.3)
    assert activation("polynomial", coefficients=[1.0, 2]) is activation(
        "polynomial", coefficients=(1, 2.0)
    )


def test_a_function_of_an_importable_module():
    found = activation("jax.nn:hard_tanh", kinks=[1, -1])
    assert found.kinks == (-1.0, 1.0)
    assert activation("jax.numpy:tanh").function.function is jnp.tanh


def test_a_function_whose_globals_change_is_another_activation():
    state = {"slope": 0.5}

    def sigma(z):
        return state["slope"] * z

    one = from_function("sigma", sigma)
    assert one == from_function("sigma", sigma)
    state["slope"] = 0.25
    assert one != from_function("sigma", sigma)


def loud(z):
    return jnp.sum(z)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            np.tanh,
            r"'sigma': found an error .*; write it with jax.numpy",
        ),
        (loud, r"'sigma': found float32\[\], .* one number for each entry"),
        (lambda z: z - jnp.mean(z), r"'sigma': found values that depend on other entries"),
        (lambda z: z - (z.mean(-1, keepdims=True) if z.ndim > 1 else 0), "in two rows, .* one at"),
        (jnp.sort, r"'sigma': .* expected a differentiable elementwise function of JAX arrays"),
        (jnp.log, r"'sigma': .* expected one finite number for each entry"),
    ],
)
def test_what_is_no_activation_is_refused(function, message):
    with pytest.raises(ValueError, match=re.compile(message, re.DOTALL)):
        from_function("sigma", function)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("rleu", {}, r"activation 'rleu' is not known; choose one of \['abs', .*'relu'"),
        ("relu", {"slope": 0.1}, r"activation 'relu': .*'slope'; its parameters are none"),
        ("leaky_relu", {"slop": 0.1}, r"'slop'; its parameters are \['slope'\]"),
        ("polynomial", {}, r"'coefficients'; its parameters are \['coefficients'\]"),
        ("polynomial", {"coefficients": []}, "no coefficients, expected at least one"),
        (
            "polynomial",
            {"coefficients": 2.0},
            "found 2.0 for coefficients, expected a list",
        ),
        ("leaky_relu", {"slope": [0.1]}, r"found \[0.1\] for slope, expected a number"),
        (
            "no_module:f",
            {},
            r"'no_module:f': ModuleNotFoundError: .*; expected 'module:fu",
        ),
        ("math:no_function", {}, r"'math:no_function': .*; expected 'module:function', the mod"),
        ("jax.numpy:tanh", {"kink": [0]}, r"'kink'; its parameters are \['kinks'\]"),
    ],
)
def test_unknown_names_and_parameters_are_refused(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        activation(name, **parameters)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("variance", [0.01, 1.0, 5.0, 400.0])
def test_fitted_series_use_as_many_nodes_as_the_variances_need(variance, dtype):
    series, variances = HermiteSeries("tanh", jnp.tanh), jnp.array([variance / 2, variance])
    short = series.fitted(variances, np.dtype(dtype))
    assert short.stride == 1 if variance > 100 else short.stride > 1
    assert [powers.step for powers in short.powers] == [2, 2]
    tolerance = 2e-9 if dtype == np.float32 else 2e-15
    both = zip(short.powers, series.series(variances), short.series(variances), strict=True)
    for powers, whole, part in both:
        size = np.linalg.norm(whole, axis=1).max()
        np.testing.assert_allclose(part, whole[:, [*powers]], rtol=0, atol=tolerance * size)


def test_function_that_is_almost_odd_keeps_all_terms():
    series = HermiteSeries("almost", lambda z: jnp.tanh(z) + 1e-11 * z**2)
    variances = jnp.array([1.0])
    short = series.fitted(variances, np.dtype(np.float64))
    assert [(powers.start, powers.step) for powers in short.powers] == [(0, 1), (0, 1)]
    whole = series.series(variances)[0][:, : short.powers[0].stop]
    np.testing.assert_allclose(short.series(variances)[0], whole, rtol=0, atol=2e-15)


@pytest.mark.parametrize(
    ("name", "starts", "step"), [("tanh", [1, 0], 2), ("sigmoid", [0, 0], 1), ("cosh", [0, 1], 2)]
)
def test_fitted_series_leave_out_terms_that_vanish(name, starts, step):
    function = {"tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid, "cosh": lambda z: jnp.cosh(z / 4)}
    series, variances = HermiteSeries(name, function[name]), jnp.array([0.5, 1.0])
    short = series.fitted(variances, np.dtype(np.float64))
    assert [powers.start for powers in short.powers] == starts
    assert [powers.step for powers in short.powers] == [step, step]
    pairs = from_correlation(jnp.array([[1.0, -0.3], [0.0, 0.9]]))
    duals = [s.dual(pairs, *2 * [s.moments(variances)]) for s in (series, short)]
    for whole, part in zip(*map(jax.tree.leaves, duals), strict=True):
        np.testing.assert_allclose(part, whole, rtol=0, atol=1e-14)


def test_error_of_one_layer_is_found_between_others():
    def narrow(z):
        return jax.nn.relu(z) + 1e-5 * jnp.exp(-((40 * (z - 1)) ** 2))

    found = from_function("narrow", narrow, kinks=[0.0])
    deviations = (0.01, 0.02, 0.05, 0.6, 1000.0)
    layers = [(f"layer {n}", np.array([deviation])) for n, deviation in enumerate(deviations, 1)]
    with pytest.raises(DualError, match="'narrow', layer 4: found an error of"):
        fit_dual(found, layers, np.dtype(np.float64))
