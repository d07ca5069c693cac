"""The kernel of wide networks stays along an arbitrary direction, and f follows it."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.measures.common.evidence import AGREES, DISAGREES, UNDECIDED
from ntkflow.measures.training_direction import measure as training_direction
from ntkflow.networks.mlp import apply, empirical_ntk, init, seed_keys
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((5, 3))
FEW = {"seeds": 80, "draws": 400, "learning_rate": 0.5, "steps": 12}
NETWORKS = sources(X, np.zeros((5, 1)), train=4, widths=(16, 256), name="tanh", depth=2)
MOVEMENT = "movement of f along that of the limit, n = 256"
NEAR = "exponent of the distance of the linearised network from the limit"


def measured(points=NETWORKS, **changes):
    return verdicts(training_direction.measure(points, **{**FEW, **changes}))


def test_kernel_stays_while_f_moves_as_the_limit_does():
    found = measured()
    assert set(found.values()) <= {AGREES, UNDECIDED}
    assert found["exponent of the drift"] == AGREES
    assert found[MOVEMENT] == AGREES


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_another_limiting_kernel_is_not_followed(factor):
    kernels = NETWORKS.limiting.assign(ntk=factor * NETWORKS.limiting["ntk"])
    found = measured(replace(NETWORKS, limiting=kernels))
    assert found[MOVEMENT] == DISAGREES
    assert found["exponent of the drift"] == AGREES


@pytest.mark.parametrize(
    "other", [{"name": "relu"}, {"weight_gain": 1.1}, {"beta": 0.5}], ids=["sigma", "gain", "beta"]
)
def test_the_kernel_of_another_network_is_not_followed(other):
    network = {"name": "tanh", "depth": 2, **other}
    wrong = sources(X, np.zeros((5, 1)), train=4, widths=(256,), **network).limiting
    assert measured(replace(NETWORKS, limiting=wrong))[MOVEMENT] == DISAGREES


def test_the_nngp_kernel_is_not_followed():
    kernels = NETWORKS.limiting.assign(ntk=NETWORKS.limiting["nngp"])
    assert measured(replace(NETWORKS, limiting=kernels))[MOVEMENT] == DISAGREES


def test_steps_twice_as_long_are_noticed(monkeypatch):
    right = training_direction._followed
    monkeypatch.setattr(
        training_direction, "_followed", lambda k, x, p, rate, a: right(k, x, p, 2 * rate, a)
    )
    assert measured()[MOVEMENT] == DISAGREES


def test_kernels_of_networks_that_are_not_wide_drift():
    """As much whatever n is called, where all have 16 units."""
    architectures = dict.fromkeys(NETWORKS.architectures, NETWORKS.architectures[16])
    found = measured(replace(NETWORKS, architectures=architectures))
    assert found["exponent of the drift"] == DISAGREES
    assert found["exponent of the distance from the linearised network"] == DISAGREES
    assert found[NEAR] == DISAGREES


def test_path_of_the_limit_is_that_of_a_linear_model():
    """A model f = phi(x)^T theta has the kernel phi phi^T, for ever: the path is exact."""
    random = np.random.default_rng(0)
    features, direction = random.standard_normal((5, 8)), random.standard_normal((6, 4))
    theta, path = np.zeros(8), [np.zeros(5)]
    for push in direction:
        theta = theta - 0.3 * features[:4].T @ push / 4
        path.append(features @ theta)
    found = training_direction.limiting_path(features @ features[:4].T, direction, 0.3)
    np.testing.assert_allclose(found, path, rtol=1e-12, atol=1e-12)


def test_direction_is_bounded_and_of_unit_size():
    direction = training_direction.oscillating(0, np.linspace(0, 50, 1000), 200, 50.0)
    norms = np.sqrt((direction**2).mean(axis=1))
    assert np.abs(direction).max() <= np.sqrt(2)
    np.testing.assert_allclose(norms, 1, atol=0.25)


def test_direction_is_followed():
    """Against a loop over steps with plain gradients."""
    points = sources(X, np.zeros((5, 1)), train=4)
    (architecture,) = points.architectures.values()
    keys = seed_keys(0, 16, 1)
    direction = training_direction.oscillating(0, np.arange(7.0), 4, 7.0)
    _, pushes = training_direction._in_records(direction)
    drift, f, _ = training_direction._followed(keys, jnp.asarray(X), pushes, 0.5, architecture)
    theta = init(keys[0], 3, architecture, jnp.float64)
    first = empirical_ntk(theta, X, X, architecture)
    for push in direction:

        def along(parameters, push=push):
            return jnp.mean(push * apply(parameters, X[:4], architecture)[:, 0])

        theta = jax.tree.map(lambda p, g: p - 0.5 * g, theta, jax.grad(along)(theta))
    np.testing.assert_allclose(f[0, -1], apply(theta, X, architecture), rtol=1e-10)
    change = np.linalg.norm(empirical_ntk(theta, X, X, architecture) - first)
    assert drift[0, -1] == pytest.approx(change / np.linalg.norm(first))


def test_linearised_network_is_that_of_the_first_gradients():
    """Against steps along the rows of the Jacobian at theta(0); two outputs."""
    points = sources(X, np.zeros((5, 2)), train=4)
    (network,) = points.architectures.values()
    theta = init(seed_keys(0, 16, 1)[0], 3, network, jnp.float64)
    jacobian = jax.jacobian(lambda parameters: apply(parameters, X, network))(theta)
    rows = np.concatenate([np.reshape(j, (5, 2, -1)) for j in jax.tree.leaves(jacobian)], axis=2)
    direction = np.random.default_rng(1).standard_normal((3, 4))
    kernel = np.asarray(empirical_ntk(theta, X, X, network))[:, :4]
    found = training_direction.linear_path(kernel, direction, 0.5)
    moved = np.zeros(rows.shape[2])
    for step, push in enumerate(direction):
        moved -= 0.5 * np.einsum("n,nkp->p", push, rows[:4]) / 4
        np.testing.assert_allclose(found[step + 1], rows @ moved, rtol=1e-9)


@pytest.mark.parametrize("steps", [1, 99, 100, 101, 247])
def test_records_hold_every_step(steps):
    direction = np.arange(1.0, 2 * steps + 1).reshape(steps, 2)
    kept, pushes = training_direction._in_records(direction)
    assert len(kept) == len(pushes) + 1
    flat = pushes.reshape(-1, 2)
    np.testing.assert_array_equal(flat[:steps], direction)
    assert not flat[steps:].any()
