"""The figure holds costs, drifts and their last values, and an exponent only where there is one."""

from itertools import pairwise

import numpy as np
import pytest

from ntkflow.measures.kernel_drift import figure as kernel_drift
from ntkflow.plotting import style
from tests.measures import statistics as examples


def lines(axes, colour):
    return [line.get_ydata() for line in axes.lines if line.get_color() == colour]


def with_times(store, first, last):
    """The same store with times spaced evenly from 0, `first` being the first after it."""
    steps = np.append(0, np.linspace(first, last, store.sizes["step"] - 1))
    kernels = np.append(0, np.linspace(first, last, store.sizes["kernel_step"] - 1))
    return store.assign_coords(
        time=("step", steps, store["time"].attrs),
        kernel_time=("kernel_step", kernels, store["kernel_time"].attrs),
    )


def test_axes_are_labelled():
    axes = kernel_drift.draw(examples.kernel_drift()).axes
    times = "training time, $t$"
    assert [each.get_xlabel() for each in axes] == [times, times, "network width, $n$"]
    assert axes[0].get_ylabel() == "cost on the training points, $C$"
    assert axes[1].get_ylabel().startswith("drift of the NTK,\n$")
    assert axes[2].get_title() == "$t = 400$"


def test_a_line_a_network_coloured_by_width():
    store = examples.kernel_drift((64, 256), seeds=3)
    cost, drift, _ = kernel_drift.draw(store).axes
    for width, colour in style.width_colours(store["width"]).items():
        np.testing.assert_array_equal(lines(cost, colour), store["cost"].sel(width=width))
        later = store["drift"].sel(width=width).isel(kernel_step=slice(1, None))
        drawn = np.array(lines(drift, colour))
        assert np.isnan(drawn[:, 0]).all()  # no drift at t = 0 has no place on the axis
        np.testing.assert_array_equal(drawn[:, 1:], later)


def test_time_begins_at_zero_and_every_record_is_inside():
    for axes in kernel_drift.draw(examples.kernel_drift()).axes[:2]:
        assert axes.get_xscale() == "symlog"
        left, right = axes.get_xlim()
        assert left == 0
        assert right > 400
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "1", "10", "100"]


@pytest.mark.parametrize(("first", "last"), [(100, 400), (0.02, 0.2), (3, 3)])
def test_few_decades_of_time_are_linear(first, last):
    figure = kernel_drift.draw(with_times(examples.kernel_drift(), first, last))
    for axes in figure.axes[:2]:
        assert axes.get_xscale() == "linear"
        assert axes.get_xlim()[0] == 0
        assert axes.get_xlim()[1] == pytest.approx(last)


@pytest.mark.parametrize(("first", "last"), [(1e-4, 2e3), (0.5, 300), (7, 900)])
def test_ticks_of_time_are_few_and_do_not_overlap(first, last):
    axes = kernel_drift.draw(with_times(examples.kernel_drift(), first, last)).axes[0]
    boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert 3 <= len(boxes) <= 5
    assert all(one.x1 < other.x0 for one, other in pairwise(boxes))


def test_drift_at_the_last_record_shares_the_axis_of_drift_in_time():
    store = examples.kernel_drift(seeds=8)
    _, drift, last = kernel_drift.draw(store).axes
    assert last.get_ylim() == drift.get_ylim()
    points = [line for line in last.lines if line.get_marker() == "."]
    shown = np.stack([line.get_ydata() for line in points])
    np.testing.assert_array_equal(shown, store["drift"].isel(kernel_step=-1))
    (means,) = [line for line in last.lines if line.get_marker() == "_"]
    np.testing.assert_array_equal(means.get_ydata(), store["mean_drift"])
    bars = np.array(last.collections[0].get_segments())[..., 1]
    np.testing.assert_allclose(bars, store[["mean_drift_low", "mean_drift_high"]].to_array().T)


def test_the_exponent_is_told_with_its_interval_over_the_slope_that_bounds_it():
    store = examples.kernel_drift()
    last = kernel_drift.draw(store).axes[2]
    slope = float(store["exponent"])
    told = [style.number(value) for value in (slope, slope - 0.1, slope + 0.1)]
    fit, bound = last.get_legend().get_texts()
    assert fit.get_text() == f"slope {told[0]} [{told[1]}, {told[2]}]"
    assert bound.get_text() == "bound −1/2"
    (line,) = [each for each in last.lines if each.get_label() == "bound −1/2"]
    start, end = line.get_xydata()
    np.testing.assert_allclose(start, [64, store["mean_drift"][0]])
    assert np.log(end[1] / start[1]) / np.log(end[0] / start[0]) == pytest.approx(-0.5)


def test_without_a_fit_nothing_is_said_of_an_exponent():
    last = kernel_drift.draw(examples.kernel_drift(fitted=False)).axes[2]
    assert last.get_legend() is None
    assert {line.get_marker() for line in last.lines} == {".", "_"}


def test_a_single_width_has_no_panel_against_width():
    assert len(kernel_drift.draw(examples.kernel_drift((500,))).axes) == 2


def test_a_cost_that_is_zero_leaves_a_gap_and_one_below_zero_a_linear_axis():
    store = examples.kernel_drift((500,), seeds=1)
    for value, scale in ((0.0, "log"), (-1.0, "linear")):
        store["cost"][..., -1] = value
        axes = kernel_drift.draw(store).axes[0]
        assert axes.get_yscale() == scale
        assert np.isnan(axes.lines[0].get_ydata()[-1]) == (value == 0)


@pytest.mark.parametrize("name", ["cost", "drift"])
def test_nothing_above_zero_is_an_empty_panel(name):
    store = examples.kernel_drift(fitted=False)
    store[name][:] = 0.0
    if name == "drift":
        store = store.assign({each: 0 * store[each] for each in store if "mean" in each})
    for axes in kernel_drift.draw(store).axes:
        assert np.isfinite(axes.get_ylim()).all()


def test_seeds_that_a_width_does_not_have_are_left_out():
    store = examples.kernel_drift((64, 256), seeds=3)
    store["cost"][0, 2], store["drift"][0, 2] = np.nan, np.nan
    figure = kernel_drift.draw(store)
    assert all(np.isfinite(axes.get_ylim()).all() for axes in figure.axes)


def test_two_records_of_the_kernel_are_seen():
    store = examples.kernel_drift().isel(kernel_step=[0, -1])
    drift = kernel_drift.draw(store).axes[1]
    assert {line.get_marker() for line in drift.lines} == {"."}


@pytest.mark.parametrize("kernel_step", [[0, -1], slice(None)])
@pytest.mark.parametrize("widths", [(32, 64), (100, 300, 1000, 10000)])
def test_the_exponent_is_not_told_over_a_network(widths, kernel_step):
    store = examples.kernel_drift(widths, seeds=30).isel(kernel_step=kernel_step)
    last = kernel_drift.draw(store).axes[2]
    told = last.get_legend().get_window_extent()
    points = [line for line in last.lines if line.get_marker() == "."]
    assert len(points) == len(widths)
    for line in points:
        places = last.transData.transform(line.get_xydata())
        assert not any(told.contains(x, y) for x, y in places)
