"""The figure holds the batch in its eigenfunctions' plane and both parts of the way to the goal."""

import numpy as np

from ntkflow.measures.principal_component import figure as principal_component
from tests.measures import statistics as examples


def test_axes_are_labelled():
    plane, across, along = principal_component.draw(examples.principal_component()).axes
    assert plane.get_xlabel() == "eigenfunction, $f^{(2)}(x)$"
    assert plane.get_ylabel() == "eigenfunction, $f^{(3)}(x)$"
    assert across.get_ylabel() == "deviation from the\nstraight line, $||h_t||$"
    assert along.get_ylabel() == "distance to the goal\nalong the component, $||g_t||$"
    assert across.get_xlabel() == along.get_xlabel() == "training time, $t$"
    assert [axes.get_title(loc="left") for axes in (plane, across, along)] == ["(a)", "(b)", "(c)"]


def test_another_component_shows_its_own_plane():
    store = examples.principal_component(labelled=False).assign_attrs(component=1)
    plane = principal_component.draw(store).axes[0]
    assert plane.get_xlabel() == "eigenfunction, $f^{(1)}(x)$"
    np.testing.assert_array_equal(
        plane.lines[0].get_xydata(), store["eigenfunction"].sel(component=[1, 2])
    )


def test_each_digit_is_marked_by_itself():
    store = examples.principal_component()
    plane = principal_component.draw(store).axes[0]
    points = store["eigenfunction"].sel(component=[2, 3])
    for digit, line in enumerate(plane.lines):
        assert f"{{{digit}}}" in line.get_marker()
        np.testing.assert_array_equal(line.get_xydata(), points[store["label"].values == digit])
    assert digit == 9


def test_lines_are_the_networks_and_the_limit():
    store = examples.principal_component()
    _, across, along = principal_component.draw(store).axes
    for axes, name in ((across, "across"), (along, "along")):
        networks = [line.get_ydata() for line in axes.lines[:6]]
        np.testing.assert_array_equal(networks, store[name].values.reshape(6, -1))
    np.testing.assert_array_equal(along.lines[6].get_ydata(), store["limiting_along"])


def test_widths_are_named_at_the_ends_of_their_lines():
    _, across, _ = principal_component.draw(examples.principal_component()).axes
    names = {text.get_text(): text.get_position()[1] for text in across.texts}
    assert sorted(names, key=names.__getitem__) == ["$n = 10000$", "$n = 1000$", "$n = 100$"]
