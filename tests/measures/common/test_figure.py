"""The figure of a claim draws the panels of its store."""

import numpy as np
import pytest

from ntkflow.measures.common import figure as claim
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.plotting import style

SAID = {"statement": "A is B.", "dataset_label": "points", "network_label": "ReLU, L = 4"}
WIDTHS = [16, 64, 256]
NUMBER = Quantity.check("error", 0.0, 1e-12, "rounding")


def store():
    slopes = [
        Series("expected slope −1", [16, 256], [1, 1 / 16], look="guide"),
        Series("slope −1.02", [16, 256], [1.1, 1 / 17]),
        Series("", WIDTHS, [1, 0.25, 0.06], [0.9, 0.2, 0.05], [1.1, 0.3, 0.07], look="points"),
    ]
    times = np.linspace(0, 1, 5)
    curves = [Series("", times, times * n, width=n) for n in WIDTHS]
    curves += [Series("limit", times, times, look="limit")]
    curves += [Series("band", times, times, times - 1, times + 1, look="band")]
    panels = [
        Panel("slopes", "$n$", "error", slopes, "log", "log"),
        Panel("curves", "$t$", "f", curves, "symlog"),
    ]
    return evidence([NUMBER], panels).assign_attrs(SAID)


def test_panels_have_their_labels_and_scales():
    slopes, curves = claim.draw(store()).axes
    assert [axes.get_title() for axes in (slopes, curves)] == ["slopes", "curves"]
    assert (slopes.get_xlabel(), slopes.get_ylabel()) == ("$n$", "error")
    assert (slopes.get_xscale(), slopes.get_yscale()) == ("log", "log")
    assert curves.get_xscale() == "symlog"
    assert slopes.get_xticks().tolist() == WIDTHS


def test_series_are_drawn_as_they_say():
    slopes, curves = claim.draw(store()).axes
    guide, line, points = slopes.lines
    assert guide.get_color() == style.GREY
    assert points.get_color() == line.get_color() == style.BLUE
    assert points.get_marker() == "o"
    *networks, limit = curves.lines
    colours = style.width_colours(store()["width"][3:6])
    assert [each.get_color() for each in networks] == list(colours.values())
    assert limit.get_linestyle() == "--"
    for each, n in zip(networks, WIDTHS, strict=True):
        np.testing.assert_array_equal(each.get_ydata(), np.linspace(0, 1, 5) * n)
    assert len(curves.collections) == 1


def test_key_names_every_series_once():
    slopes, curves = claim.draw(store()).axes
    texts = [text.get_text() for text in slopes.get_legend().get_texts()]
    assert texts == ["expected slope −1", "slope −1.02"]
    texts = [text.get_text() for text in curves.get_legend().get_texts()]
    assert texts == ["limit", "band"]
    (widths,) = claim.draw(store()).legends
    assert [text.get_text() for text in widths.get_texts()] == ["$n = 16$", "$n = 64$", "$n = 256$"]
    assert widths.get_title().get_text().startswith("A is B.")


@pytest.mark.parametrize("panels", [1, 3])
def test_any_number_of_panels(panels):
    shown = [Panel(f"panel {i}", "x", "y", [Series("", [0, 1], [0, 1])]) for i in range(panels)]
    figure = claim.draw(evidence([NUMBER], shown).assign_attrs(SAID))
    assert len(figure.axes) == panels
