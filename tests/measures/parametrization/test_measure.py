"""Both parametrizations move as Remark 1 says; the wrong rates, or the wrong kernel, do not."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.measures.common.evidence import AGREES, DISAGREES, UNDECIDED, judge
from ntkflow.measures.parametrization import measure as parametrization
from ntkflow.measures.parametrization.theory import standard_kernel
from ntkflow.networks.mlp import apply, init, seed_keys
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((6, 4))
X /= np.linalg.norm(X, axis=1, keepdims=True)
Y = 3 + X[:, :1] * X[:, 1:2]  # more than f_0 is
FEW = {"seeds": 40, "learning_rate": 0.3, "steps": 8, "betas": [1.0, 0.1]}
POINTS = sources(2 * X, Y, widths=(32, 128), depth=4, weight_gain=2**0.5)


def failing(quantities):
    judged = judge(quantities)
    return set(judged["quantity"][judged["verdict"] == DISAGREES])


@pytest.mark.slow
def test_claim_holds():
    found = parametrization.measure(POINTS, **FEW)
    assert set(verdicts(found).values()) <= {AGREES, UNDECIDED}


def test_wrong_rates_move_another_way(monkeypatch):
    right = parametrization.equivalent_rates

    def wrong(parameters, network, rate):
        first, *rest = right(parameters, network, rate)
        return [first._replace(bias=first.bias / network.beta), *rest]

    monkeypatch.setattr(parametrization, "equivalent_rates", wrong)
    points = sources(X, Y, widths=(16,), depth=3)
    (network,) = points.architectures.values()
    rates, keys = jnp.array([0.7, 0.1]), seed_keys(0, 16, 1)
    run = parametrization.trained(keys, jnp.asarray(X), jnp.asarray(Y), rates, 5, network)
    assert float(run.matched.max()) > 1e6 * parametrization.ROUNDING


def test_other_powers_of_the_width_fail():
    """All of them as n^(1/2)."""
    spread = 1 + 0.01 * np.arange(5)
    runs = {
        n: parametrization.Runs(
            spread, np.outer(spread, np.full(4, n**0.5)), np.zeros((5, 2, 1, 1)), spread * n**0.5
        )
        for n in (64, 128, 256)
    }
    movement, _ = parametrization._movement(runs)
    steps, _ = parametrization._first_steps(runs, {n: np.full(5, n / 8.0) for n in runs})
    assert len(failing(movement)) == 2
    assert len(failing(steps)) == 2  # 64^(1/2) = 64 / 8


def test_standard_kernel_is_the_sum_over_layers():
    """ReLU at one point, in closed form: Sigma halves and dSigma = 1/2 at each layer."""
    x = np.array([[1.0, 2.0]])
    limit = sources(x, np.zeros((1, 1)), depth=3, beta=0.3, weight_gain=1.5).limit
    s, b = 1.5**2, 0.3**2
    first = s * 5 / 2 + b
    second = s * first / 2 + b
    expected = (2 * 5 / 2 + 1) * (s / 2) ** 2 + (7 * first / 2 + 1) * s / 2 + (9 * second / 2 + 1)
    found = standard_kernel(x, limit, (2, 7, 9))
    assert found.item() == pytest.approx(expected)


@pytest.mark.slow
def test_another_kernel_is_told_apart():
    """The limit of another activation, under networks of this one."""
    other = sources(X, Y, widths=(256,), name="erf", depth=4).limit
    found, _ = parametrization._by_beta(dataclasses.replace(POINTS, limit=other), X, 20, [0.1, 1.0])
    assert found[-1].name in failing(found)


def test_runs_are_those_of_a_loop():
    """Movement and change against plain gradients of the cost."""
    points = sources(X, Y, widths=(16,), depth=3)
    (network,) = points.architectures.values()
    keys = seed_keys(0, 16, 1)
    run = parametrization.trained(
        keys, jnp.asarray(X), jnp.asarray(Y), jnp.array([0.7, 0.1]), 6, network
    )
    start = theta = init(keys[0], 4, network, jnp.float64)
    for _ in range(6):

        def cost(parameters):
            return jnp.mean((apply(parameters, X, network) - Y) ** 2) / 2

        theta = jax.tree.map(lambda p, g: p - 0.7 * g, theta, jax.grad(cost)(theta))
    moved = [
        np.linalg.norm(a.weight - b.weight) / np.linalg.norm(b.weight)
        for a, b in zip(theta, start, strict=True)
    ]
    error = np.sqrt(np.mean((apply(start, X, network) - Y) ** 2))
    np.testing.assert_allclose(run.moved[0], moved / error, rtol=1e-10)
    np.testing.assert_allclose(run.path[0, -1], apply(theta, X, network), rtol=1e-10)
