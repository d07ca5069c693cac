"""Labels are fitted, random ones teach nothing; accuracies of known functions."""

from dataclasses import replace

import numpy as np
import pytest

from ntkflow.measures.common.evidence import FAILS, HOLDS
from ntkflow.measures.random_labels import measure as random_labels
from tests.measures.examples import sources, verdicts


def classes(train, test, spread):
    """Points around ten centres."""
    random = np.random.default_rng(0)
    label = np.arange(train + test) % 10
    x = 3 * np.eye(10)[label] + spread * random.standard_normal((train + test, 10))
    return sources(
        x, np.eye(10)[label], train=train, widths=(64,), weight_gain=1.4, depth=2, seed=1
    )


POINTS = classes(30, 50, 0.4)
FEW = {"seeds": 6, "learning_rate": 0.5, "label_seed": 0}
NETWORKS, KERNEL = (
    [
        f"{who}: {what}"
        for what in (
            "accuracy on random labels",
            "test accuracy after true labels",
            "test accuracy after random labels",
        )
    ]
    for who in ("networks", "kernel")
)


@pytest.fixture
def at_chance(monkeypatch):
    """Labels that are called random and are the true ones."""

    def true(y, samples, count, random):
        return np.repeat(y[None], count, axis=0)

    monkeypatch.setattr(random_labels, "random_goals", true)


def test_true_labels_generalise_and_random_ones_are_fitted():
    found = verdicts(random_labels.measure(POINTS, steps=400, **FEW))
    assert list(found) == NETWORKS + KERNEL
    assert {found[name] for name in (*NETWORKS[:2], *KERNEL)} == {HOLDS}
    assert found[NETWORKS[2]] != FAILS


def test_too_short_a_training_fits_nothing():
    found = verdicts(random_labels.measure(POINTS, steps=2, **FEW))
    assert found[NETWORKS[0]] == FAILS
    assert found[NETWORKS[1]] == FAILS
    assert found[KERNEL[0]] == FAILS


@pytest.mark.usefixtures("at_chance")
def test_labels_that_are_not_random_do_teach():
    found = verdicts(random_labels.measure(POINTS, steps=400, **FEW))
    assert found[NETWORKS[2]] == found[KERNEL[2]] == FAILS


def test_a_kernel_of_low_rank_fits_no_random_labels():
    x = POINTS.dataset["x"].values
    linear = POINTS.limiting.assign(ntk=(("sample", "sample_prime"), x @ x.T))
    found = verdicts(random_labels.measure(replace(POINTS, limiting=linear), steps=2, **FEW))
    assert found[KERNEL[0]] == FAILS


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
    np.testing.assert_array_equal(found.learnt, [[1.0], [0.5]])
    np.testing.assert_array_equal(found.test, [[1.0], [0.0]])
