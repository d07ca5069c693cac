"""The benchmark of gradients times what it says, beside a formula that is right."""

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import gradients
from ntkflow import api

X = np.random.default_rng(0).normal(size=(4, 3))


@pytest.mark.parametrize("name", ["relu", "erf"])
def test_textbook_formulas_give_the_same_kernels(name):
    found = gradients.textbook_ntk(gradients.TEXTBOOK[name], X, 0.1, 1.4)
    kernels = api.limiting_kernels(
        X, depth=gradients.DEPTH, activation=name, beta=0.1, weight_gain=1.4
    )
    np.testing.assert_allclose(found, kernels.ntk, rtol=1e-7)


def test_rows_tell_whether_gradients_are_finite():
    inputs = jnp.asarray(X).at[1].set(X[0]), jnp.asarray(0.1), jnp.asarray(1.4)
    rows = [
        gradients.row("smooth", lambda x, beta, gain: gain * x @ x.T + beta, inputs),
        gradients.row("cusp", lambda x, beta, gain: jnp.sqrt(x @ x.T - x @ x.T), inputs),
    ]
    assert [row.split(" | ")[-1] for row in rows] == ["yes |", "no |"]
    assert all(row.count("|") == 7 for row in rows)
