"""The benchmark of the empirical NTK: what it counts, whom it asks, that all compute the same."""

import json
import sys

import numpy as np
import pytest

from benchmarks import empirical_contender, empirical_ntk, limiting_peer
from benchmarks.empirical_ntk import Dense, ResNet


def test_operations_are_those_of_the_products():
    """n = 10, N = 3: forward 784 x 10 + 2 x 100 + 10, back 200 + 10, Grams 784 + 60 + 1.

    ResNet with 2 channels: 18 weights, four times 36, and 2.
    """
    assert Dense(10, 3).operations == 2 * 3 * (8050 + 210) + 9 * 845
    assert ResNet(2, 3).operations == 2 * 3 * 64 * (2 * 18 + 3 * 144) + 9 * (18 + 144 + 2)


def test_jacobians_that_are_too_large_are_left_out():
    small, large = Dense(64, 32), Dense(2048, 512)
    assert list(empirical_ntk.ways(small, None)) == ["ntkflow", "function", "jacobian"]
    assert len(empirical_ntk.ways(small, "python", "other")) == 7
    expected = ["ntkflow", "function", "structured derivatives"]
    assert list(empirical_ntk.ways(large, "python")) == expected
    assert "ntkflow" not in empirical_ntk.ways(ResNet(8, 4), None)


@pytest.mark.parametrize("way", ["ntkflow", "function", "jacobian"])
def test_ways_compute_the_kernel(way):
    x = np.random.default_rng(1).normal(size=(3, 2)).astype(np.float32)
    network = {"kind": "dense", "widths": [2, 1]}
    found = empirical_contender.evaluation({"network": network, "beta": 0.5, "way": way})(x)
    np.testing.assert_allclose(found.reshape(3, 3), x @ x.T / 2 + 0.25, rtol=1e-5)


def test_ways_agree_for_the_residual_network():
    x = np.random.default_rng(1).normal(size=(3, 4, 4, 1)).astype(np.float32)
    settings = {"network": {"kind": "resnet", "channels": 3}, "beta": 0.1}
    ours, plain = (
        empirical_contender.evaluation({**settings, "way": way})(x).reshape(3, 3)
        for way in ("function", "jacobian")
    )
    np.testing.assert_allclose(ours, plain, rtol=1e-4)


def test_contender_answers_with_seconds_and_memory(tmp_path):
    x, ntk = tmp_path / "x.npy", tmp_path / "ntk.npy"
    np.save(x, np.ones((2, 3), np.float32))
    settings = {"inputs": str(x), "ntk": str(ntk), "beta": 0.0, "way": "ntkflow"}
    settings["network"] = {"kind": "dense", "widths": [3, 1]}
    command = [sys.executable, empirical_ntk.SCRIPT]
    with limiting_peer.running(command, json.loads(json.dumps(settings))) as process:
        answer = process.ask()
    assert answer["seconds"] > 0
    assert answer["peak"] >= 0
    np.testing.assert_allclose(np.load(ntk), np.ones((2, 2)))


def test_rows_compare_with_ours():
    times = {"ntkflow": [2.0, 1.0, 3.0], "other": [4.0, 6.0, 5.0]}
    kernels = {"ntkflow": np.eye(2), "other": np.eye(2) + 0.01}
    peaks = {"ntkflow": 1 << 20, "other": 3 << 20}
    speed = Dense(8, 2).operations / 2
    ours, other = empirical_ntk.rows(Dense(8, 2), times, peaks, kernels, 2 * speed)
    assert ours[:6] == ["dense", "8", "2", "ntkflow", "2", "1"]
    assert ours[7:] == ["50%", "1", "1", "0e+00"]
    assert other[7:] == ["20%", "2.5", "3", "1e-02"]
