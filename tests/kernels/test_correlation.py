from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.kernels import correlation
from ntkflow.kernels.correlation import directions, input_pairs
from ntkflow.kernels.pairs import angle
from tests.kernels.exact import mp, mpf

FEATURES = 40  # more than "few", so that float32 products are made
APART = [0.0, 1e-9, 1e-6, 1e-4, 1e-2, 0.1, 0.5]


@partial(jax.jit, static_argnames=("dtype", "diagonal"))
def angles(x1, x2, dtype, diagonal=False):
    return angle(input_pairs(x1, x2, dtype, diagonal=diagonal))


def directed(x, dtype):
    return directions(jnp.asarray(x), np.dtype(dtype))[1]


def exact_angles(x1, x2):
    def one(a, b):
        a, b = ([mpf(float(v)) for v in x] for x in (a, b))
        cosine = mp.fdot(a, b) / mp.sqrt(mp.fdot(a, a) * mp.fdot(b, b))
        return float(mp.acos(max(min(cosine, mpf(1)), mpf(-1))))

    with mp.workdps(50):
        return np.array([[one(a, b) for b in x2] for a in x1])


def clustered(rng, count):
    """Points, their near-duplicates at several distances, and the opposites of all of them."""
    x = rng.normal(size=(count, FEATURES))
    near = [x[0] + delta * np.linalg.norm(x[0]) / FEATURES**0.5 * x[1] for delta in APART]
    return np.concatenate([x, near, -2.0 * np.array(near)])


@pytest.mark.parametrize(("dtype", "accuracy"), [("float32", 3e-6), ("float64", 1e-12)])
@pytest.mark.parametrize("count", [3, 60])
def test_angles_of_near_duplicates_and_antipodes(dtype, accuracy, count):
    """Few rows with a near pair, and more than are recomputed at once."""
    x = clustered(np.random.default_rng(0), count).astype(dtype)
    some = x[-12:]
    found = angles(directed(x, dtype), directed(some, dtype), np.dtype(dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, exact_angles(x, some), atol=accuracy)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_rows_near_is_as_accurate(dtype):
    rng = np.random.default_rng(1)
    x = (1 + 1e-4 * rng.normal(size=(correlation.WIDE_ROWS + 8, FEATURES))).astype(dtype)
    found = angles(directed(x, dtype), directed(x[:6], dtype), np.dtype(dtype))
    np.testing.assert_allclose(
        found, exact_angles(x, x[:6]), atol=2e-7 if dtype == "float32" else 1e-12
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("features", [3, FEATURES])
def test_the_diagonal_is_exact(dtype, features):
    x = directed(np.random.default_rng(2).normal(size=(9, features)), dtype)
    found = np.asarray(angles(x, x, np.dtype(dtype), diagonal=True))
    assert np.all(np.diag(found) == 0)
    assert np.all(found[~np.eye(9, dtype=bool)] > 0.01)


@settings(max_examples=40)
@given(power=st.integers(-150, 150), seed=st.integers(0, 2**32 - 1))
def test_norms_of_any_size(power, seed):
    x = np.random.default_rng(seed).normal(size=(4, 5))
    norm, direction = directions(jnp.asarray(x * 2.0 ** (6 * power)), np.dtype(np.float64))
    np.testing.assert_allclose(norm, np.linalg.norm(x, axis=1) * 2.0 ** (6 * power), rtol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(direction, axis=1), 1, rtol=1e-14)


def test_zero_has_no_direction_and_no_correlation():
    x = directed(np.array([[0.0, 0.0], [1.0, 2.0]]), "float64")
    pairs = jax.jit(lambda x: input_pairs(x, x, np.dtype(np.float64)))(x)
    assert np.all(np.asarray(x[0]) == 0)
    np.testing.assert_array_equal(pairs.correlation[0], [0, 0])
