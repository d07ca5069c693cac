"""The kernel of wide networks stays along an arbitrary direction, in which f moves."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.measures.common.evidence import FAILS, HOLDS
from ntkflow.measures.training_direction import measure as training_direction
from ntkflow.networks.mlp import apply, init, seed_keys
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((5, 3))
FEW = {"seeds": 12, "learning_rate": 2.0, "steps": 20}
NETWORKS = sources(X, np.zeros((5, 1)), train=4, widths=(16, 64, 256), name="tanh")


def measured(points=NETWORKS, **changes):
    return training_direction.measure(points, **{**FEW, **changes})


def test_kernel_stays_while_f_moves():
    found = measured()
    assert set(verdicts(found).values()) == {HOLDS}
    assert found["value"].values[0] < -0.5


def test_a_function_that_does_not_move_shows_nothing():
    found = verdicts(measured(learning_rate=1e-4))
    assert found["movement of f, widest"] == FAILS


def test_another_limiting_kernel_is_not_followed():
    kernels = NETWORKS.limiting.assign(ntk=1.5 * NETWORKS.limiting["ntk"])
    found = verdicts(measured(replace(NETWORKS, limiting=kernels)))
    assert found["exponent of the distance from the limit"] == FAILS
    assert found["exponent of the drift"] == HOLDS


def test_kernels_of_networks_that_are_not_wide_drift():
    """As much whatever n is called, where all have 16 units."""
    architectures = dict.fromkeys(NETWORKS.architectures, NETWORKS.architectures[16])
    found = verdicts(measured(replace(NETWORKS, architectures=architectures)))
    assert found["exponent of the drift"] == FAILS


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
    _, f = training_direction._followed(keys, jnp.asarray(X), pushes, 0.5, architecture)
    theta = init(keys[0], 3, architecture, jnp.float64)
    for push in direction:

        def along(parameters, push=push):
            return jnp.mean(push * apply(parameters, X[:4], architecture)[:, 0])

        theta = jax.tree.map(lambda p, g: p - 0.5 * g, theta, jax.grad(along)(theta))
    np.testing.assert_allclose(f[0, -1], apply(theta, X, architecture), rtol=1e-10)


@pytest.mark.parametrize("steps", [1, 19, 20, 21, 47])
def test_records_hold_every_step(steps):
    direction = np.arange(1.0, 2 * steps + 1).reshape(steps, 2)
    kept, pushes = training_direction._in_records(direction)
    assert len(kept) == len(pushes) + 1
    flat = pushes.reshape(-1, 2)
    np.testing.assert_array_equal(flat[:steps], direction)
    assert not flat[steps:].any()
