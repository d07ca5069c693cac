"""Sums over points: the same bits after interruptions, damage, and work divided among tasks."""

import tempfile
from functools import partial
from pathlib import Path

import cloudpickle
import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.analysis.landmarks import Basis
from ntkflow.interface import landmark_parts as parts
from ntkflow.interface import landmark_sums
from ntkflow.interface.landmark_sums import Visit, keep_parts, sums_over_points
from ntkflow.stores.blocks import Shared
from ntkflow.stores.places import StoreError

POINTS, LANDMARKS = 150, 7


@pytest.fixture(autouse=True, scope="module")
def _small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "BLOCK", 8)
        patch.setattr(parts, "PARTS", 4)
        patch.setattr(landmark_sums, "EVERY", 0)
        patch.setattr(landmark_sums, "SAVING", np.inf)
        yield


class Killed(Exception):
    """Stands for the end of a process."""


class Points:
    """Inputs of which at most `reads` blocks can be read."""

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
    basis = Basis(np.arange(LANDMARKS), np.ones(LANDMARKS), np.eye(LANDMARKS), early=False)
    return Visit(x, targets, landmarks, basis, directed, Shared(kernel), 1, held_out, 0)


def computed(x, folder=None, compute=None, lines=None, held_out=0.25):
    report = (lambda line: None) if lines is None else lines.append
    return sums_over_points(visit(x, held_out), folder, 2, report, compute)


def assert_same_bits(one, two):
    for sums, others in zip(one, two, strict=True):
        for array, other in zip(sums, others, strict=True):
            np.testing.assert_array_equal(array, other)


def test_parts_are_consecutive_blocks():
    found = parts.cut(POINTS)
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
    assert len(again.starts) == count - reads


def test_sums_that_are_complete_are_not_computed_again(tmp_path):
    expected = computed(Points(), tmp_path)
    assert_same_bits(computed(Points(0), tmp_path), expected)
    assert [file.name for file in tmp_path.iterdir()] == ["total.npz"]


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_any_flipped_bit_of_saved_sums_is_noticed(data):
    with tempfile.TemporaryDirectory() as folder:
        expected = computed(Points(), Path(folder))
        (file,) = Path(folder).iterdir()
        content = bytearray(file.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= 1 << data.draw(st.integers(0, 7))
        file.write_bytes(content)
        lines = []
        assert_same_bits(computed(Points(), Path(folder), lines=lines), expected)
        assert not lines or "found a damaged file" in lines[0]  # some bytes are of no use


def test_what_killed_runs_have_left_is_removed(tmp_path):
    computed(Points(), tmp_path)
    for name in ("total.npz.0123.fresh", "part-2.npz"):
        (tmp_path / name).write_bytes(b"left")
    computed(Points(0), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["total.npz"]


def test_a_folder_that_has_gone_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"gone.*cannot be written \(No such file or directory\)"):
        computed(Points(), tmp_path / "gone")


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


def _share(x, folder, share, compute=None):
    numbers = range(share, len(parts.cut(POINTS)), 2)
    keep_parts(visit(x), numbers, folder, 1, lambda line: None, compute)


@pytest.mark.parametrize("compute", [None, partial(_compute_backwards, failing=0)])
def test_shares_in_any_order_give_the_same_bits(tmp_path, compute):
    for share in (1, 0):
        _share(Points(), tmp_path, share, compute)
    assert_same_bits(computed(Points(0), tmp_path), computed(Points()))


def test_a_share_that_was_killed_computes_what_is_missing(tmp_path):
    with pytest.raises(Killed):
        _share(Points(reads=3), tmp_path, 0)
    again = Points()
    _share(again, tmp_path, 0)
    assert len(again.starts) == sum(map(len, parts.cut(POINTS)[::2])) - 3
    _share(Points(0), tmp_path, 0)  # nothing is left to compute


def test_tasks_are_sent_for_missing_parts_alone(tmp_path):
    found = []
    _share(Points(), tmp_path, 0)
    _share(Points(), tmp_path, 1, lambda tasks: found.append(len(tasks)))
    assert found == [len(parts.cut(POINTS)[1::2])]
    _share(Points(0), tmp_path, 0, lambda tasks: found.append(len(tasks)))
    assert len(found) == 1


def test_a_share_of_a_finished_sum_has_nothing_to_do(tmp_path):
    computed(Points(), tmp_path)
    _share(Points(0), tmp_path, 1)


def test_tasks_do_not_carry_the_landmarks(tmp_path):
    found = []

    def compute(tasks):
        found.extend(tasks)
        raise Killed

    plan = visit(Points())._replace(x=None, targets=np.zeros((POINTS, 1)))
    many = Basis(np.arange(500), np.ones(500), np.eye(500), early=True)
    plan = plan._replace(basis=many, landmarks=directed(np.ones((500, 40))))
    with pytest.raises(Killed):
        sums_over_points(plan, tmp_path, 1, lambda line: None, compute)
    assert all(len(cloudpickle.dumps(task)) < 10_000 for task in found)
    assert len(found) == len(parts.cut(POINTS))
