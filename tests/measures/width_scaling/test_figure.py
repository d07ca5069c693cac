"""The figure holds means, intervals, fits and expected slopes, and says where there is no fit."""

from itertools import pairwise

import numpy as np
import pytest

from ntkflow.measures.width_scaling import figure as width_scaling
from ntkflow.plotting import style, width_axes
from tests.measures import statistics as examples

SPREAD, BIAS, DRIFT, DISTANCE = examples.QUANTITIES


def line(axes, label):
    """The one line whose entry in the key begins with `label`."""
    (found,) = [each for each in axes.lines if str(each.get_label()).startswith(label)]
    return found


def panel(store, quantity):
    """The axes of one quantity."""
    return width_scaling.draw(store).axes[list(examples.QUANTITIES).index(quantity)]


def without_fit(store):
    """The same store, no width of any quantity in a fit."""
    names = ("exponent", "exponent_low", "exponent_high", "prefactor")
    return store.assign(
        used=store["used"] & False, **{name: store[name] * np.nan for name in names}
    )


def test_a_titled_log_log_panel_for_each_quantity():
    panels = width_scaling.draw(examples.width_scaling()).axes
    titles = [axes.get_title().replace("\n", " ") for axes in panels]
    assert titles == list(examples.QUANTITIES)
    assert {(axes.get_xscale(), axes.get_yscale()) for axes in panels} == {("log", "log")}
    assert [axes.get_xlabel() for axes in panels] == ["", "", *["network width, $n$"] * 2]


def test_the_fit_is_drawn_where_it_was_made_and_its_slope_told_with_the_interval():
    fit = line(panel(examples.width_scaling(), BIAS), "slope")
    assert fit.get_label() == "slope −1.02 [−1.05, −0.99]"
    np.testing.assert_array_equal(fit.get_xdata(), [32, 512])
    np.testing.assert_allclose(fit.get_ydata(), 2.2 * np.array([32.0, 512.0]) ** -1.02)


def test_theory_starts_at_the_first_mean_in_the_fit_and_lies_under_the_data():
    store = examples.width_scaling()
    store["used"].loc[DRIFT, 32] = False
    axes = panel(store, DRIFT)
    theory = line(axes, "theory −1")
    start, end = theory.get_xydata()
    np.testing.assert_allclose(start, [64, store["value"].loc[DRIFT, 64]])
    assert np.log(end[1] / start[1]) / np.log(end[0] / start[0]) == pytest.approx(-1)
    assert theory.get_zorder() < min(each.get_zorder() for each in axes.lines if each is not theory)


def test_unused_means_are_hollow():
    axes = panel(examples.width_scaling(), BIAS)
    faces = {
        width: each.get_markerfacecolor()
        for each in axes.lines
        if each.get_marker() == "o"
        for width in each.get_xdata()
    }
    hollow = {1024, 2048}
    assert faces == {n: "white" if n in hollow else style.BLUE for n in (2 ** np.arange(5, 12))}


def test_initialisations_are_small_points_up_to_a_number():
    store = examples.width_scaling(seeds=200)
    (points,) = [each for each in panel(store, SPREAD).lines if each.get_marker() == "."]
    shown = store["spread"].isel(quantity=0, seed=slice(width_axes.SHOWN_SEEDS))
    np.testing.assert_array_equal(points.get_ydata(), shown.values.ravel())


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("quantity", [SPREAD, BIAS])
def test_a_single_width_stands_in_the_middle(quantity, seeds):
    axes = panel(examples.width_scaling((100,), seeds=seeds), quantity)
    left, right = axes.get_xlim()
    assert left * right == pytest.approx(100**2)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["100"]


def test_a_quantity_without_a_fit_says_so():
    axes = panel(without_fit(examples.width_scaling()), DISTANCE)
    told = [text.get_text() for text in axes.get_legend().get_texts()]
    assert told == ["no fit", "theory −1/2"]
    assert not [each for each in axes.lines if str(each.get_label()).startswith("slope")]


def test_a_quantity_without_a_single_positive_value_is_an_empty_panel():
    store = without_fit(examples.width_scaling())
    for name in ("value", "value_low", "value_high"):
        store[name].loc[BIAS] = -1e-9
    axes = panel(store, BIAS)
    assert all(0 < limit < np.inf for limit in axes.get_ylim())


def test_values_lost_in_the_noise_do_not_stretch_the_axis():
    store = examples.width_scaling()
    store["value"].loc[BIAS, 2048], store["value_low"].loc[BIAS, 2048] = 1e-15, -1e-3
    axes = panel(store, BIAS)
    assert axes.get_ylim()[0] > 1e-4


def test_tick_labels_of_many_widths_do_not_overlap():
    widths = (50, 70, 100, 140, 200, 280, 400, 800, 1600, 3200, 6400, 10000)
    for axes in width_scaling.draw(examples.width_scaling(widths)).axes:
        labels = [label for label in axes.get_xticklabels() if label.get_text()]
        boxes = [label.get_window_extent() for label in labels]
        assert all(one.x1 < other.x0 for one, other in pairwise(boxes))
        assert labels[-1].get_text() == "10000"
        assert len(axes.get_xticks()) == len(widths)
