"""The benchmark of landmarks fits what it says, in processes whose figures it prints."""

import numpy as np
import pytest

from benchmarks import landmark_digits, landmarks


@pytest.mark.slow
def test_a_run_that_was_killed_has_the_same_bits(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(landmarks, "TEST", 100)
    given = "--sizes 300 --peer-sizes --landmarks 20 --kills 1 --directory"
    landmarks.main([*given.split(), str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert "same bits" in lines[-1]
    assert not any(tmp_path.iterdir())


def test_points_of_the_peer_are_those_of_the_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(landmarks, "TEST", 400)
    landmarks.write_points(tmp_path, 300)
    found = landmarks.fit_peer(str(tmp_path), 300, 20)
    x, y = landmarks.opened(tmp_path)
    assert x.shape == (700, 784)
    assert abs(float(y.std()) - 1) < 0.1
    assert 0 < found["error"] < 2


def test_digits_are_shifted_and_test_digits_are_others(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (10_000, 784), np.uint8)
    labels = np.arange(10_000) % 10
    monkeypatch.setattr("ntkflow.datasets.idx.read_mnist", lambda split: (images, labels))
    x, y, others, expected = landmark_digits.digits(every=1)
    assert x.shape == (60_000, 784)
    assert len(others) == 4000
    np.testing.assert_array_equal(others * 255, images[6000:])
    moved = x[6000].reshape(28, 28) * 255
    np.testing.assert_array_equal(moved[:, 1:], images[0].reshape(28, 28)[:, :-1])
    np.testing.assert_allclose(y.sum(axis=1), 0, atol=1e-12)
    assert (y.argmax(axis=1) == np.tile(labels[:6000], 10)).all()
    assert (expected.argmax(axis=1) == labels[6000:]).all()


def test_scores_count_the_wrong_ones():
    y = np.eye(4)
    assert landmark_digits.scored(y, y) == {"wrong": 0, "error": 0}
    found = landmark_digits.scored(y[[1, 0, 2, 3]], y)
    assert found["wrong"] == pytest.approx(0.5)
    assert found["error"] == pytest.approx(4 / 16)
