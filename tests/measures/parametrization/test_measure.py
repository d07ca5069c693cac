"""Both parametrizations move as Remark 1 says; the wrong rates, or the wrong kernel, do not."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.measures.common.evidence import FAILS, HOLDS, verdict
from ntkflow.measures.parametrization import measure as parametrization
from ntkflow.networks.mlp import apply, init, seed_keys
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((6, 4))
X /= np.linalg.norm(X, axis=1, keepdims=True)
Y = 3 + X[:, :1] * X[:, 1:2]  # more than f_0 is
FEW = {"seeds": 40, "learning_rate": 0.3, "steps": 8, "betas": [1.0, 0.1]}
POINTS = sources(2 * X, Y, widths=(32, 128), depth=4, weight_gain=2**0.5)


@pytest.mark.slow
def test_claim_holds():
    found = parametrization.measure(POINTS, **FEW)
    assert set(verdicts(found).values()) == {HOLDS}


def test_wrong_rates_move_another_way(monkeypatch):
    right = parametrization.equivalent_rates

    def wrong(parameters, network, rate):
        first, *rest = right(parameters, network, rate)
        return [first._replace(bias=first.bias / network.beta), *rest]

    monkeypatch.setattr(parametrization, "equivalent_rates", wrong)
    points = sources(X, Y, widths=(16,), depth=3)
    (network,) = points.architectures.values()
    rates, keys = jnp.array([0.7, 0.1, 0.2]), seed_keys(0, 16, 1)
    run = parametrization.trained(keys, jnp.asarray(X), jnp.asarray(Y), rates, 5, network)
    assert float(run.matched.max()) > 1e6 * parametrization.ROUNDING


def test_other_powers_of_the_width_fail():
    """All of them as n^(1/2)."""
    runs = {
        n: parametrization.Runs(*(np.full((5, 4) if i == 1 else 5, n**0.5) for i in range(5)))
        for n in (64, 128, 256)
    }
    movement, _ = parametrization._movement(runs)
    change, _ = parametrization._change(runs)
    assert {verdict(quantity) for quantity in (*movement, *change)} == {FAILS}


@pytest.mark.slow
def test_another_kernel_is_told_apart():
    """The limit of another activation, under networks of this one."""
    other = sources(X, Y, widths=(256,), name="erf", depth=4).limit
    found, _ = parametrization._by_beta(dataclasses.replace(POINTS, limit=other), X, 20, [0.1, 1.0])
    assert verdict(found[-1]) == FAILS


def test_runs_are_those_of_a_loop():
    """Movement and change against plain gradients of the cost."""
    points = sources(X, Y, widths=(16,), depth=3)
    (network,) = points.architectures.values()
    keys = seed_keys(0, 16, 1)
    run = parametrization.trained(
        keys, jnp.asarray(X), jnp.asarray(Y), jnp.array([0.7, 0.1, 0.2]), 6, network
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
    change = np.sqrt(np.mean((apply(theta, X, network) - apply(start, X, network)) ** 2))
    assert float(run.change[0]) == pytest.approx(float(change / error), rel=1e-10)
