"""Sums over points: the same bits after interruptions, damage, and work divided among tasks."""

from functools import partial

import dask
import numpy as np
import pytest

from ntkflow.jobs import landmark_sums
from ntkflow.jobs.landmark_sums import Visit, parts, sums_over_points
from ntkflow.stores.blocks import Shared

POINTS, LANDMARKS = 150, 7


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    for name, value in {"BLOCK": 8, "SAVED": 2, "PARTS": 4}.items():
        monkeypatch.setattr(landmark_sums, name, value)


class Killed(Exception):
    """Stands for the end of a process."""


class Points:
    """Inputs that can be read so many times."""

    def __init__(self, reads=10**6):
        self.x = np.random.default_rng(0).normal(size=(POINTS, 3))
        self.shape, self.reads, self.starts = self.x.shape, reads, []

    def __getitem__(self, rows):
        if len(self.starts) == self.reads:
            raise Killed
        self.starts.append(rows.start)
        return self.x[rows]


def directed(part):
    return np.linalg.norm(part, axis=1), part


def kernel(one, two, apply):
    """Two kernels; the second is Gaussian."""
    squares = (one[0] ** 2)[:, None] + two[0] ** 2 - 2 * one[1] @ two[1].T
    (values,) = apply(np.exp, [-squares])
    return None, values


def visit(x, held_out=0.25):
    targets = np.random.default_rng(1).normal(size=(POINTS, 2))
    landmarks = directed(x.x[:LANDMARKS])
    return Visit(x, targets, landmarks, directed, Shared(kernel), 1, held_out, 0)


def computed(x, folder=None, compute=None, lines=None, held_out=0.25):
    report = (lambda line: None) if lines is None else lines.append
    return sums_over_points(visit(x, held_out), folder, 2, report, compute)


def assert_same_bits(one, two):
    for sums, others in zip(one, two, strict=True):
        for array, other in zip(sums, others, strict=True):
            np.testing.assert_array_equal(array, other)


def test_parts_are_consecutive_blocks():
    found = parts(POINTS)
    assert [start for part in found for start in part] == list(range(0, POINTS, 8))
    assert len(found) <= 4


def test_sums_are_those_of_the_kernel():
    found = computed(Points(), held_out=0.0).fitted
    plan = visit(Points())
    whole = kernel(directed(plan.x.x), plan.landmarks, map)[1]
    np.testing.assert_allclose(np.tril(found.gram), np.tril(whole.T @ whole), rtol=1e-12)
    np.testing.assert_allclose(found.cross, whole.T @ plan.targets, rtol=1e-11, atol=1e-12)
    assert found.points == POINTS


def test_each_point_is_either_fitted_or_held_out():
    found = computed(Points())
    assert found.fitted.points + found.held_out.points == POINTS
    assert 10 < found.held_out.points < 65
    np.testing.assert_allclose(
        found.fitted.squares + found.held_out.squares,
        computed(Points(), held_out=0.0).fitted.squares,
    )


@pytest.mark.parametrize("reads", [1, 2, 3, 5, 11, 18])
def test_a_killed_run_resumes_with_the_same_bits(tmp_path, reads):
    expected, count = computed(Points()), len(range(0, POINTS, 8))
    with pytest.raises(Killed):
        computed(Points(reads), tmp_path)
    again = Points()
    assert_same_bits(computed(again, tmp_path), expected)
    assert count - len(again.starts) >= reads - 2  # at most the blocks since the last save


def test_sums_that_are_complete_are_not_computed_again(tmp_path):
    expected = computed(Points(), tmp_path)
    assert_same_bits(computed(Points(0), tmp_path), expected)
    assert [file.name for file in tmp_path.iterdir()] == ["total.npz"]


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9])
def test_damaged_sums_are_computed_again(tmp_path, where):
    expected = computed(Points(), tmp_path)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[int(where * len(content))] ^= 16
    file.write_bytes(content)
    lines = []
    assert_same_bits(computed(Points(), tmp_path, lines=lines), expected)
    assert "found a damaged file" in lines[0]


def test_tasks_in_any_order_give_the_same_bits(tmp_path):
    expected = computed(Points())
    backwards = partial(_compute_backwards, failing=1)
    with pytest.raises(Killed):
        computed(Points(), tmp_path, backwards)
    assert_same_bits(computed(Points(), tmp_path, partial(_compute_backwards, failing=0)), expected)


def _compute_backwards(tasks, failing):
    for task in tasks[:failing:-1]:
        dask.compute(task, scheduler="synchronous")
    if failing:
        raise Killed
    dask.compute(*tasks[:1], scheduler="synchronous")
