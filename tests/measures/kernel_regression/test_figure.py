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


LANDMARKS = (10, 100)


def test_a_curve_for_each_number_of_landmarks_with_its_name():
    store = examples.kernel_regression(landmarks=LANDMARKS)
    (axes,) = kernel_regression.draw(store).axes
    assert len(axes.lines) == 6
    nngp = store.sel(kernel="nngp")
    expected = [*nngp["landmark_accuracy"], nngp["accuracy"]]
    for line, accuracy in zip(axes.lines[:3], expected, strict=True):
        np.testing.assert_allclose(line.get_ydata(), 1 - accuracy)
    names = [text.get_text() for text in axes.texts]
    assert names == ["$m = 100$", "$m = 10$"]  # the last error of the NTK is 0, which has no place


def test_one_size_is_drawn_against_landmarks_with_all_points_as_a_level():
    store = examples.kernel_regression(sizes=(320,), landmarks=LANDMARKS, classes=False)
    (axes,) = kernel_regression.draw(store).axes
    assert axes.get_xlabel() == "number of landmarks, $m$"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["10", "100"]
    some, level, *_ = axes.lines
    errors = store.isel(size=0).sel(kernel="nngp")
    np.testing.assert_allclose(some.get_ydata(), errors["landmark_squared_error"])
    np.testing.assert_allclose(level.get_ydata(), float(errors["squared_error"]))
    assert axes.get_ylabel() == "mean square error"


@pytest.mark.parametrize("landmarks", [(), LANDMARKS])
@pytest.mark.parametrize("sizes", [[0], [0, 1, 2, 3]])
def test_nothing_leaves_the_page(sizes, landmarks):
    figure = kernel_regression.draw(
        examples.kernel_regression(landmarks=landmarks).isel(size=sizes)
    )
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert 0 <= drawn.x0 < drawn.x1 <= width
    assert 0 <= drawn.y0 < drawn.y1 <= height


def test_without_a_regression_on_all_points_landmarks_alone_are_drawn():
    store = examples.kernel_regression(landmarks=LANDMARKS)
    for name in ("accuracy", "squared_error"):
        store[name][:] = np.nan
    (axes,) = kernel_regression.draw(store).axes
    assert [text.get_text() for text in axes.texts] == ["$m = 100$", "$m = 10$"]
    assert len(axes.lines) == 4


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
