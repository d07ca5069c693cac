"""The benchmark of training: what it counts, and that all ways train the same networks."""

import json
import sys

import numpy as np
import pytest

from benchmarks import limiting_peer, training, training_contender


def test_operations_are_those_of_the_products():
    """n = 10, N = 3, 2 networks: hidden 2 x 100 + 10 three times, the first layer twice."""
    assert training.operations(10, 3, 2) == 2 * 2 * 3 * (3 * 210 + 2 * 7840)


@pytest.fixture
def settings(tmp_path):
    widths = training.save_networks(tmp_path, 6, samples=5, seeds=3)
    return {"folder": str(tmp_path), "widths": widths, "seeds": 3, "steps": 4} | {
        "beta": 0.1,
        "rate": 0.5,
    }


@pytest.mark.slow
def test_ways_train_the_same_networks(settings, tmp_path):
    command, answers = [sys.executable, training.SCRIPT], {}
    for way in ("ntkflow", "jax"):
        with limiting_peer.running(command, {**settings, "way": way}) as process:
            answers[way] = process.seconds()
    assert all(seconds > 0 for seconds in answers.values())
    ours, theirs = (np.load(tmp_path / f"{way}.npy") for way in answers)
    assert ours.shape == (3, 5, 1)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_initial_parameters_are_read_layer_by_layer(settings):
    layers = training_contender.given(json.loads(json.dumps(settings)), 1)
    assert [weight.shape for weight, _ in layers] == [(784, 6), (6, 6), (6, 6), (6, 1)]
    assert [bias.shape for _, bias in layers] == [(6,), (6,), (6,), (1,)]


def test_rows_compare_with_ours():
    times = {"ntkflow": [2.0, 1.0, 3.0], "other": [4.0, 6.0, 5.0]}
    functions = {"ntkflow": np.ones(2), "other": np.ones(2) + 0.01}
    rate = training.operations(8, training.SAMPLES, 2)
    ours, other = training.rows(8, 2, times, functions, rate)
    assert ours[:4] == ["8", "ntkflow", "2e+03", "1e+03"]
    assert ours[5:] == ["50%", "1", "0e+00"]
    assert other[5:] == ["20%", "2.5", "1e-02"]
