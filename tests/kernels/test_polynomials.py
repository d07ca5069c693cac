"""Polynomials against the functions that they replace."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.kernels.polynomials import arctangent

RATIOS = np.concatenate([[0.0], np.geomspace(1e-12, 1e12, 2001), [1.0]])


@pytest.mark.parametrize(("dtype", "roundings"), [(np.float32, 2), (np.float64, 6)])
def test_arctangent_is_accurate_at_any_ratio(dtype, roundings):
    one = np.concatenate([-RATIOS, RATIOS]).astype(dtype)
    two = np.full_like(one, 3)
    exact = np.arctan2(one.astype(np.longdouble), two.astype(np.longdouble))
    with jax.enable_x64(True):
        found = np.asarray(jax.jit(arctangent)(one, two))
    assert found.dtype == dtype
    assert np.all(np.abs(found - exact) <= roundings * np.finfo(dtype).eps * np.abs(exact))


def test_derivatives_of_the_arctangent_are_those_of_arctan2():
    with jax.enable_x64(True):
        points = jnp.array([[-2.0, 1.0], [0.0, 1.0], [0.3, 2.0], [5.0, 0.5]])
        for derivative in (jax.grad, jax.hessian):
            found, exact = (
                jax.vmap(derivative(lambda p, f=f: f(p[0], p[1])))(points)
                for f in (arctangent, jnp.arctan2)
            )
            np.testing.assert_allclose(found, exact, rtol=1e-13, atol=1e-15)
