import sys
from functools import partial
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.networks.costs import COSTS, Cost, check_cost, cost, mean_cost

numbers = st.lists(st.floats(-30, 30), min_size=3, max_size=3).map(np.asarray)


def targets(name):
    """One that goes with the cost, of three outputs."""
    return jnp.asarray(
        {"logistic": [1.0, -1.0, 1.0], "cross_entropy": [0.0, 1.0, 0.0]}.get(name, [0.5, -2.0, 0.0])
    )


@partial(jax.jit, static_argnums=0)
def values_and_hessians(name, outputs, y):
    """Values and Hessians of the cost `name` at three outputs f."""
    functions = (cost(name).pointwise, jax.hessian(cost(name).pointwise))
    return [jax.vmap(function, (0, None))(outputs, y) for function in functions]


@pytest.mark.parametrize("name", COSTS)
def test_values_by_plain_formulas(name):
    f, y = np.array([0.3, -1.2, 2.0]), np.asarray(targets(name))
    expected = {
        "least_squares": ((f - y) ** 2).sum() / 2,
        "logistic": np.log(1 + np.exp(-y * f)).sum(),
        "cross_entropy": -np.log(np.exp(f[1]) / np.exp(f).sum()),
    }[name]
    np.testing.assert_allclose(cost(name).pointwise(jnp.asarray(f), jnp.asarray(y)), expected)


@pytest.mark.parametrize("name", COSTS)
@settings(max_examples=30)
@given(one=numbers, two=numbers, share=st.floats(0, 1))
def test_costs_are_convex_and_bend_no_more_than_stated(name, one, two, share):
    y, middle = targets(name), share * one + (1 - share) * two
    (first, second, between), hessians = values_and_hessians(name, jnp.stack([one, two, middle]), y)
    assert between <= share * first + (1 - share) * second + 1e-9
    bend = np.linalg.eigvalsh(hessians)
    assert bend.min() > -1e-9
    assert bend.max() < cost(name).curvature * (1 + 1e-9)


@pytest.mark.parametrize("name", COSTS)
def test_bound_on_curvature_is_reached(name):
    at = {"cross_entropy": [20.0, 20.0, -20.0]}.get(name, [0.0, 0.0, 0.0])
    _, hessians = values_and_hessians(name, jnp.asarray([at] * 3), targets(name))
    bend = np.linalg.eigvalsh(hessians[0])
    assert bend[-1] == pytest.approx(cost(name).curvature, rel=1e-3)


@pytest.mark.parametrize("name", COSTS)
def test_far_outputs_stay_finite(name):
    """exp(1000) does not."""
    f = jnp.asarray([1000.0, -1000.0, 0.0], jnp.float32)
    value, slope = jax.value_and_grad(cost(name).pointwise)(f, targets(name).astype(jnp.float32))
    assert np.isfinite(value)
    assert np.isfinite(slope).all()


def test_mean_is_over_points():
    f, y = jnp.asarray([[1.0, 2.0], [3.0, 4.0]]), jnp.zeros((2, 2))
    assert mean_cost(cost("least_squares"), f, y) == (1 + 4 + 9 + 16) / 2 / 2


def test_function_of_ones_own(monkeypatch):
    module = ModuleType("my_costs")
    module.pseudo_huber = lambda f, y: jnp.sum(jnp.sqrt(1 + (f - y) ** 2) - 1)
    monkeypatch.setitem(sys.modules, "my_costs", module)
    own = cost("my_costs:pseudo_huber")
    assert own.pointwise is module.pseudo_huber
    assert own.curvature is None
    check_cost(own, 3, jnp.float32)


@pytest.mark.parametrize("name", ["hinge", "no_such_module:c", "ntkflow.networks.costs:absent"])
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match=rf"cost '{name}'"):
        cost(name)


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (lambda f, y: f - y, r"found an array of shape \(2,\) .* expected one number"),
        (lambda f, y: float(f[0]), "expected a differentiable function of f and y"),
        (lambda f: f, "expected a differentiable function of f and y"),
    ],
)
def test_functions_that_are_no_costs_are_refused(function, complaint):
    with pytest.raises(ValueError, match=complaint):
        check_cost(Cost("mine", function), 2, jnp.float32)
