"""Labels are fitted, random ones teach nothing; accuracies of known functions."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.measures.common.evidence import AGREES, DISAGREES, UNDECIDED
from ntkflow.measures.random_labels import measure as random_labels
from ntkflow.networks.mlp import apply, init
from tests.measures.examples import sources, verdicts


def classes(train, test, spread, width=64):
    """Points around ten centres."""
    random = np.random.default_rng(0)
    label = np.arange(train + test) % 10
    x = 3 * np.eye(10)[label] + spread * random.standard_normal((train + test, 10))
    return sources(
        x, np.eye(10)[label], train=train, widths=(width,), weight_gain=1.4, depth=2, seed=1
    )


POINTS = classes(30, 50, 0.4)
FEW = {"seeds": 6, "learning_rate": 0.5, "label_seed": 0}
SAME = "networks minus kernel from the same f_0"
NETWORKS, KERNEL = (
    [
        f"{who}: {what}"
        for what in ("training accuracy, random labels", "test accuracy, true labels")
    ]
    for who in ("networks", "kernel")
)
CHANCE = [f"{who}: test accuracy, random labels" for who in ("kernel", SAME)]
CURVE = "training accuracy, random labels, mean over its rise"
CURVES = [f"{SAME}: {CURVE}", f"networks minus linearised networks: {CURVE}"]


@pytest.fixture
def at_chance(monkeypatch):
    """Labels that are called random and are the true ones."""

    def true(y, samples, count, random):
        return np.repeat(y[None], count, axis=0)

    monkeypatch.setattr(random_labels, "random_goals", true)


def test_true_labels_generalise_and_random_ones_are_fitted():
    found = verdicts(random_labels.measure(POINTS, steps=400, **FEW))
    assert list(found) == NETWORKS + KERNEL + CHANCE + CURVES
    assert {found[name] for name in (*KERNEL, CHANCE[0])} <= {AGREES, UNDECIDED}
    assert found[KERNEL[0]] == AGREES
    assert DISAGREES not in found.values()


def test_too_short_a_training_fits_nothing():
    found = verdicts(random_labels.measure(POINTS, steps=2, **FEW))
    assert found[NETWORKS[0]] == found[KERNEL[0]] == DISAGREES
    assert found[NETWORKS[1]] != AGREES


@pytest.mark.usefixtures("at_chance")
def test_labels_that_are_not_random_do_teach():
    found = verdicts(random_labels.measure(POINTS, steps=400, **FEW))
    assert found[CHANCE[0]] == DISAGREES


def test_a_kernel_of_low_rank_fits_no_random_labels():
    x = POINTS.dataset["x"].values
    linear = POINTS.limiting.assign(ntk=(("sample", "sample_prime"), x @ x.T / 10))
    found = verdicts(random_labels.measure(replace(POINTS, limiting=linear), steps=400, **FEW))
    assert found[KERNEL[0]] == DISAGREES
    assert found[CURVES[0]] == DISAGREES  # networks are faster


def test_networks_with_another_learning_rate_leave_their_linearisation(monkeypatch):
    right = random_labels.initial_kernels

    def scaled(*arguments, **options):
        return 5 * right(*arguments, **options)

    monkeypatch.setattr(random_labels, "initial_kernels", scaled)
    points = classes(30, 50, 0.4, width=512)
    few = {**FEW, "learning_rate": 0.1}
    found = verdicts(random_labels.measure(points, steps=100, **few))
    assert found[CURVES[1]] == DISAGREES


def test_linearised_networks_descend_with_their_own_kernel():
    """Three steps against gradients of the linearised network by JAX."""
    y, rate = POINTS.dataset["y"].values.astype(np.float32), 0.1
    key = random_labels.seed_keys(POINTS.seed, 64, 1)
    architecture = POINTS.architectures[64]
    x = jnp.asarray(POINTS.dataset["x"].values[:30], jnp.float32)
    theta = init(key[0], 10, architecture, jnp.float32)
    f, push = jax.linearize(lambda p: apply(p, x, architecture), theta)
    pull = jax.linear_transpose(push, theta)
    moved = f
    for _ in range(3):
        moved = moved - rate * push(pull((moved - y[:30]) / 30)[0])
    expected = np.mean(np.argmax(moved, axis=1) == y[:30].argmax(axis=1))
    path = rate, np.array([3])
    found = random_labels._linearised(POINTS, 64, y[None], np.asarray(f)[None], path)
    assert found.item() == pytest.approx(expected)


def test_random_labels_are_uniform_and_spare_the_test_points():
    y = np.eye(4)[[0, 1, 2, 3, 0]]
    goals = random_labels.random_goals(y, 3, 5000, np.random.default_rng(0))
    np.testing.assert_array_equal(goals[:, 3:], np.broadcast_to(y[3:], (5000, 2, 4)))
    np.testing.assert_array_equal(goals.sum(axis=2), 1)
    np.testing.assert_allclose(goals[:, :3].mean(axis=0), 0.25, atol=0.03)


def test_accuracies_of_known_functions():
    goal = np.eye(10)[[0, 1, 2, 3]][None]
    constant = np.eye(10)[[0, 0, 0, 0]][None]
    found = random_labels._accuracies([goal, constant], goal, 2)
    np.testing.assert_array_equal(found.training, [[1.0], [0.5]])
    np.testing.assert_array_equal(found.test, [[1.0], [0.0]])
