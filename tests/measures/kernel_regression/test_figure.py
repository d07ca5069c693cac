"""The figure holds the error of both kernels with its interval, on logarithmic axes."""

import numpy as np
import pytest

from ntkflow.measures.kernel_regression import figure as kernel_regression
from ntkflow.plotting import style
from tests.measures import statistics as examples


def test_error_of_both_kernels_on_log_log_axes():
    store = examples.kernel_regression()
    (axes,) = kernel_regression.draw(store).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_xlabel() == "training-set size, $N$"
    lines = {line.get_label().split(",")[0]: line for line in axes.lines}
    assert list(lines) == ["NNGP kernel", "limiting NTK"]
    np.testing.assert_allclose(
        lines["NNGP kernel"].get_ydata(), 1 - store["accuracy"].sel(kernel="nngp")
    )


def test_no_error_at_all_is_not_drawn_but_its_interval_is():
    (axes,) = kernel_regression.draw(examples.kernel_regression()).axes
    assert np.isnan(axes.lines[1].get_ydata()[-1])
    (_, bottom), (_, top) = axes.collections[1].get_segments()[-1]
    assert top == pytest.approx(0.004)
    assert axes.get_ylim()[0] == bottom < top


def test_sizes_are_ticked():
    (axes,) = kernel_regression.draw(examples.kernel_regression()).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["20", "80", "320", "1,280"]


def test_the_kernels_stand_side_by_side_around_their_size():
    store = examples.kernel_regression()
    (axes,) = kernel_regression.draw(store).axes
    nngp, ntk = (line.get_xdata() for line in axes.lines)
    assert np.all(nngp < ntk)
    np.testing.assert_allclose(np.sqrt(nngp * ntk), store["size"])


@pytest.mark.parametrize("sizes", [[0], [0, 1, 2, 3]])
def test_nothing_leaves_the_page(sizes):
    figure = kernel_regression.draw(examples.kernel_regression().isel(size=sizes))
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert 0 <= drawn.x0 < drawn.x1 <= width
    assert 0 <= drawn.y0 < drawn.y1 <= height


def test_all_right_everywhere_leaves_intervals_alone():
    store = examples.kernel_regression()
    for name in ("accuracy", "accuracy_high"):
        store[name][:] = 1.0
    (axes,) = kernel_regression.draw(store).axes
    assert all(np.isnan(line.get_ydata()).all() for line in axes.lines)
    assert 0 < axes.get_ylim()[0] < 0.004


def test_two_savings_are_equal_byte_for_byte(tmp_path):
    for name in ("a.svg", "b.svg"):
        style.save(kernel_regression.draw(examples.kernel_regression()), [tmp_path / name])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
