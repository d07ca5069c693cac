import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.kernels.pairs import Pairs, angle, fold, from_correlation, mixed
from tests.kernels.exact import mp, mpf

COMPLEMENTS = np.concatenate([np.geomspace(1e-18, 1, 40), np.linspace(0.01, 1, 40)])


def of_complements(complement):
    minus = jnp.asarray(complement)[None, :]
    return Pairs(minus, 2 - minus, 1 - minus)


@pytest.mark.parametrize(("dtype", "accuracy"), [("float32", 3e-7), ("float64", 2e-14)])
def test_angle_and_chord_against_forty_digits(dtype, accuracy):
    complement = COMPLEMENTS.astype(dtype)
    found = fold(of_complements(complement), acute=True)
    with mp.workdps(40):
        for value, part, chord in zip(complement, found.angle[0], found.chord[0], strict=True):
            phi = 2 * mp.asin(mp.sqrt(mpf(float(value)) / 2))
            expected = float(phi / mp.pi), float((mp.sin(phi) - phi * mp.cos(phi)) / mp.pi)
            np.testing.assert_allclose((part, chord), expected, rtol=accuracy)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_angles_at_both_ends_are_exact(dtype):
    small = np.array([0.0, 1e-14], dtype)[None, :]
    near, far = jnp.asarray(small), jnp.asarray(2 - small)
    eps = np.finfo(dtype).eps
    acute, obtuse = (
        np.asarray(angle(Pairs(*pair, (pair[1] - pair[0]) / 2)))[0]
        for pair in ((near, far), (far, near))
    )
    np.testing.assert_allclose(acute, [0, np.sqrt(2e-14)], rtol=50 * eps)
    np.testing.assert_allclose(np.pi - obtuse.astype(float), [0, np.sqrt(2e-14)], atol=8 * eps)


@settings(max_examples=50)
@given(
    rho=st.floats(-1, 1),
    shares=st.tuples(st.floats(0, np.pi / 2), st.floats(0, np.pi / 2)),
)
def test_mixed_is_the_correlation_of_the_sums(rho, shares):
    """Corr(w u + b z, w' v + b' z) = w w' rho + b b'; the three fields agree."""
    (w1, w2), (b1, b2) = np.cos(shares), np.sin(shares)
    one, two = ((jnp.array([w]), jnp.array([b])) for w, b in ((w1, b1), (w2, b2)))
    found = mixed(from_correlation(jnp.array([[rho]])), one, two)
    expected = w1 * w2 * rho + b1 * b2
    np.testing.assert_allclose(found.correlation, expected, atol=1e-15)
    np.testing.assert_allclose(found.minus, 1 - expected, atol=1e-15)
    np.testing.assert_allclose(found.plus, 1 + expected, atol=1e-15)


def test_mixing_keeps_small_angles():
    """Shares alike to rounding: 1 - rho is scaled, and nothing is added to it."""
    share = (jnp.array([0.6]), jnp.array([0.8]))
    tiny = jnp.array([[1e-20]])
    found = mixed(Pairs(tiny, 2 - tiny, 1 - tiny), share, share)
    np.testing.assert_allclose(found.minus, 0.36e-20, rtol=1e-14)
