"""Kernel flows of cross-entropy and least squares, against closed forms and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

from ntkflow.measures.common.evidence import AGREES, DISAGREES
from ntkflow.measures.cost_flow import measure as cost_flow
from ntkflow.measures.cost_flow import theory
from ntkflow.measures.cost_flow.mutations import MUTATIONS
from ntkflow.networks.costs import COSTS
from ntkflow.networks.mlp import empirical_ntk, init, seed_keys
from tests.measures.examples import sources, verdicts

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((5, 4))
Y = np.eye(3)[[0, 1, 2, 0, 1]]
WIDTHS = (12, 32, 64, 128)
POINTS = sources(X, Y, train=4, widths=WIDTHS, name="erf")
SETTINGS = {"seeds": 300, "cost": "cross_entropy", "learning_rate": 0.15, "steps": 160}
TIMES = np.array([0.0, 1.0, 4.0])
LIMIT, OWN, MOVED = (
    "exponent of the distance from the flow of Theta_inf",
    "exponent of the distance from the flow of Theta(0)",
    "movement of f along the flow of Theta_inf, without its 1/n",
)


@pytest.fixture(scope="module", autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def problem(outputs=3):
    """Kernels (2, 5, 4, output, output) of two functions, their f_0, and targets of four points."""
    root = RANDOM.standard_normal((2, 5 * outputs, 5 * outputs)) / 4
    kernels = (root @ root.transpose(0, 2, 1)).reshape(2, 5, outputs, 5, outputs)
    start = RANDOM.standard_normal((2, 5, outputs))
    return kernels.transpose(0, 1, 3, 2, 4)[:, :, :4], start, Y[:4, :outputs]


def test_flow_of_least_squares_is_that_of_the_matrix_exponential():
    kernels, start, y = problem()
    found, energy = theory.flows(COSTS["least_squares"], kernels, start, y, TIMES)
    for kernel, first, path in zip(kernels, start, found, strict=True):
        matrix = kernel.transpose(0, 2, 1, 3).reshape(15, 12) / 4
        values, vectors = np.linalg.eigh(matrix[:12])
        for time, f in zip(TIMES, path, strict=True):
            grown = vectors * (-np.expm1(-time * values) / values) @ vectors.T
            expected = first.ravel() + matrix @ grown @ (y - first[:4]).ravel()
            np.testing.assert_allclose(f.ravel(), expected, atol=1e-6)
    assert energy < cost_flow.ENERGY


def test_flow_of_cross_entropy_is_that_of_scipy():
    kernels, start, y = problem()
    found, energy = theory.flows(COSTS["cross_entropy"], kernels, start, y, TIMES)

    def velocity(kernel, f):
        powers = np.exp(f.reshape(5, 3)[:4])
        dual = powers / powers.sum(axis=1, keepdims=True) - y
        return -np.einsum("mnkj,nj->mk", kernel, dual).ravel() / 4

    for kernel, first, path in zip(kernels, start, found, strict=True):
        solved = scipy.integrate.solve_ivp(
            lambda _, f, kernel=kernel: velocity(kernel, f),
            *((0, 4), first.ravel()),
            **{"method": "DOP853", "t_eval": TIMES, "rtol": 1e-10, "atol": 1e-10},
        )
        np.testing.assert_allclose(path.reshape(3, 15).T, solved.y, atol=1e-6)
    assert energy < cost_flow.ENERGY


def test_error_of_steps_is_of_the_order_of_the_rate():
    kernels, start, y = problem()
    limit = kernels[0, :, :, 0, 0]
    own = np.broadcast_to(limit[:, :, None, None] * np.eye(3), kernels.shape)
    cost = COSTS["cross_entropy"]
    flow, _ = theory.flows(cost, own, start, y, np.array([0.0, 4.0]))
    errors = [
        cost_flow.distance(
            theory.descents(cost, limit, start, y, np.array([0, steps]), 4 / steps), flow
        ).mean()
        for steps in (40, 80)
    ]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)


def test_networks_follow_the_gradient_of_cross_entropy():
    """First step -(rate/n) sum_j Theta(0)(x, x_j) d(x_j) at a small rate, and f of that kernel."""
    network = POINTS.architectures[12]
    keys = seed_keys(0, 12, 2)
    x, y = jnp.asarray(X, jnp.float32), jnp.asarray(Y[:4], jnp.float32)
    f, own = cost_flow._trained(
        keys, x, y, jnp.array([0, 1, 3]), 1e-3, network, COSTS["cross_entropy"]
    )
    kernel = empirical_ntk(init(keys[1], 4, network, jnp.float32), x, x[:4], network)
    np.testing.assert_allclose(own[1], kernel, rtol=1e-5, atol=1e-6)
    powers = np.exp(f[1, 0, :4])
    dual = powers / powers.sum(axis=1, keepdims=True) - y
    expected = -np.einsum("mnkj,nj->mk", kernel, dual) / 4
    np.testing.assert_allclose((f[1, 1] - f[1, 0]) / 1e-3, expected, atol=2e-3)
    np.testing.assert_allclose((f[1, 2] - f[1, 0]) / 3e-3, expected, atol=4e-3)


def test_distance_is_the_largest_over_time_not_the_last():
    f = np.zeros((1, 3, 2, 2))
    f[0, 1] = 2.0
    assert cost_flow.distance(f, np.zeros_like(f)) == pytest.approx(2)


def test_networks_follow_the_flow_of_the_limit():
    found = verdicts(cost_flow.measure(POINTS, **SETTINGS))
    assert DISAGREES not in found.values()
    assert {found[LIMIT], found[OWN], found[MOVED]} == {AGREES}


def test_a_wrong_limiting_kernel_is_noticed():
    wrong = sources(X, Y, train=4, widths=WIDTHS, name="erf", weight_gain=1.1)
    wrong.architectures.update(POINTS.architectures)
    found = verdicts(cost_flow.measure(wrong, **SETTINGS))
    assert found[MOVED] == DISAGREES


def test_flows_of_another_cost_are_noticed(monkeypatch):
    right = cost_flow.flows
    other = COSTS["least_squares"]
    monkeypatch.setattr(cost_flow, "flows", lambda cost, *rest: right(other, *rest))
    found = verdicts(cost_flow.measure(POINTS, **SETTINGS))
    assert {found[LIMIT], found[OWN], found[MOVED]} == {DISAGREES}


@pytest.mark.parametrize("mutation", MUTATIONS[1:], ids=lambda mutation: mutation.size)
def test_another_learning_rate_is_noticed(mutation, monkeypatch):
    wrong = mutation.patches["flows"](cost_flow.flows)
    monkeypatch.setattr(cost_flow, "flows", wrong)
    assert verdicts(cost_flow.measure(POINTS, **SETTINGS))[MOVED] == DISAGREES


def test_steps_that_are_too_long_are_noticed():
    coarse = {**SETTINGS, "learning_rate": 2.0, "steps": 12}
    found = verdicts(cost_flow.measure(POINTS, **coarse))
    name = "error of discrete steps over the distance from the flow of Theta(0) at n = 128"
    assert found[name] == DISAGREES


def test_training_in_which_f_hardly_moves_is_noticed():
    found = verdicts(cost_flow.measure(POINTS, **{**SETTINGS, "learning_rate": 0.01}))
    assert found["last cost over the first"] == DISAGREES
