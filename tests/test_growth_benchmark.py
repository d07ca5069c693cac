"""The benchmark of the growth of cost with the number of points."""

import numpy as np
import pytest

from benchmarks import growth, landmarks


def test_row_divides_by_entries():
    row = growth.Row(growth.LANDMARKS, 10_000, 30_000_000, 3.0, 1.5)
    assert row.cells() == [growth.LANDMARKS, "10,000", "3", "100.0", "1.5", "2.00"]


def test_dense_kernels_are_measured_with_their_floor():
    (row,) = growth.dense_rows([64], [], repeats=1)
    assert (row.what, row.points, row.entries) == (growth.MEMORY, 64, 64**2)
    assert row.seconds > 0
    assert row.floor > 0


def test_every_fit_is_given_its_points(monkeypatch):
    given = []
    monkeypatch.setattr(landmarks, "write_points", lambda folder, points: given.append(points))
    monkeypatch.setattr(landmarks, "floor", lambda m, precision: (1e-8, 1e-11))
    monkeypatch.setattr(landmarks, "run", lambda *what: given.append(what[2:4]) or {"seconds": 9.0})
    rows = [*growth.landmark_rows([100, 200])]
    assert given == [200, (100, 3000), (200, 3000)]
    assert [row.entries for row in rows] == [300_000, 600_000]
    assert [row.floor for row in rows] == pytest.approx([0.012, 0.024])  # N m (entry + m operation)


def test_figure_draws_each_row_and_its_floor():
    rows = [growth.Row(growth.MEMORY, n, n**2, n**2 * 8e-9, n**2 * 4e-9) for n in (100, 1000)]
    (axes,) = growth.draw(rows).axes
    taken, floor = axes.lines[:2]
    assert np.allclose(taken.get_xydata(), [[100, 8], [1000, 8]])
    assert np.allclose(floor.get_ydata(), 4)
