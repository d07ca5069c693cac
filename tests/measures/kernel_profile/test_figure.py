"""The figure holds the kernels of the store, their change, and the limit."""

import numpy as np
import pytest

from ntkflow.measures.kernel_profile import figure as kernel_profile
from tests.measures import statistics as examples


def test_axes_are_labelled():
    figure = kernel_profile.draw(examples.kernel_profile())
    assert figure.axes[0].get_ylabel() == r"empirical NTK, $\Theta(x_0, x)$"
    assert {axes.get_xlabel() for axes in figure.axes} == {r"angle of x, $\gamma$ (rad)"}
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert ticks == [r"$-\pi$", r"$-\pi/2$", "$0$", r"$\pi/2$", r"$\pi$"]


@pytest.mark.parametrize(
    ("times", "titles"),
    [
        ((0.0,), ["$t = 0$"]),
        ((0.0, 200.0), ["$t = 0$", "$t = 200$", "change, $t = 0$ to $200$"]),
        ((0.0, 20.0, 200.0), ["$t = 0$", "$t = 20$", "$t = 200$", "change, $t = 0$ to $200$"]),
    ],
)
def test_a_panel_for_each_time_and_one_for_the_change(times, titles):
    figure = kernel_profile.draw(examples.kernel_profile((50,), times))
    assert [axes.get_title() for axes in figure.axes] == titles
    assert figure.get_tightbbox().x1 <= figure.get_figwidth()


def test_lines_are_the_networks_of_the_store_then_the_limit():
    store = examples.kernel_profile(widths=(50, 500), seeds=3)
    first, second, change = kernel_profile.draw(store).axes
    for step, axes in enumerate((first, second)):
        *networks, limit = (line.get_ydata() for line in axes.lines[:7])
        expected = store["ntk"].isel(step=step).values.reshape(6, -1)
        np.testing.assert_array_equal(networks, expected)
        np.testing.assert_array_equal(limit, store["limiting_ntk"])
    moved = store["ntk"].diff("step").values.reshape(6, -1)
    np.testing.assert_array_equal([line.get_ydata() for line in change.lines[:6]], moved)
    assert not np.any(change.lines[6].get_ydata())  # the limit does not move
    assert first.get_ylim() == second.get_ylim()


@pytest.mark.parametrize("angle", [-3.0, 0.0, 3.0])
def test_the_mark_of_the_reference_point_stays_in_its_panel(angle):
    store = examples.kernel_profile((50,), (0.0,), seeds=1)
    figure = kernel_profile.draw(store.assign_attrs(reference_angle=angle))
    axes = figure.axes[0]
    assert axes.lines[-1].get_xdata() == [angle]
    name, panel = axes.texts[0].get_window_extent(), axes.get_window_extent()
    assert panel.x0 <= name.x0 < name.x1 <= panel.x1
