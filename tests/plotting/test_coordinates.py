"""Coordinates in an SVG: its points, taken back to data, are the values that were drawn."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.scale import SymmetricalLogTransform

from ntkflow.plotting import style
from ntkflow.plotting.coordinates import marks_beside_ticks

SVG = "{http://www.w3.org/2000/svg}"
Saved = Callable[[Figure], ElementTree.Element]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """Function that saves a figure and reads its SVG."""

    def read(figure: Figure) -> ElementTree.Element:
        style.save(figure, [tmp_path / "figure.svg"])
        return ElementTree.parse(tmp_path / "figure.svg").getroot()  # noqa: S314 (written here)

    return read


def coordinates(svg: ElementTree.Element) -> dict[str, Any]:
    (found,) = svg.findall(f"{SVG}metadata[@id='coordinates']")
    return json.loads(found.text or "")


def vertices(svg: ElementTree.Element) -> np.ndarray:
    """Vertices of the only line."""
    (line,) = (path.get("d", "") for path in svg.iter(f"{SVG}path") if "clip-path" in path.attrib)
    return np.array(re.findall(r"[ML] (\S+) (\S+)", line), float)


def values(axis: dict[str, Any], places: np.ndarray) -> np.ndarray:
    (start, end), (low, high) = axis["ends"], axis["limits"]
    transformed = low + (high - low) * (places - start) / (end - start)
    if axis["scale"] == "linear":
        return transformed
    if axis["scale"] == "log":
        return axis["base"] ** transformed
    parameters = (axis[name] for name in ("base", "linthresh", "linscale"))
    return SymmetricalLogTransform(*parameters).inverted().transform(transformed)


def labels(svg: ElementTree.Element) -> dict[str, tuple[str, str]]:
    found = coordinates(svg)
    return {name: (axes["x"]["label"], axes["y"]["label"]) for name, axes in found.items()}


@pytest.mark.parametrize(
    "scales", [{}, {"xscale": "log", "yscale": "log", "ylim": (10, 0.1)}, {"xlim": (3, 1)}]
)
def test_vertices_of_a_long_line_are_its_points(saved, scales):
    """Matplotlib omits points of long lines, but moves none."""
    curve = lambda x: np.exp(np.sin(5 * x))  # noqa: E731
    x = np.linspace(1, 3, 500)
    with style.paper():
        axes = Figure().subplots()
        axes.plot(x, curve(x))
        axes.set(**scales)
    svg = saved(axes.figure)
    found, axis = vertices(svg), coordinates(svg)["axes_no_1"]
    assert 50 < len(found) < len(x)
    places = values(axis["x"], found[:, 0])
    assert np.abs(places[:, None] - x).min(axis=1).max() < 1e-5
    np.testing.assert_allclose(values(axis["y"], found[:, 1]), curve(places), rtol=1e-4)


def test_symlog_axis(saved):
    x, y = np.array([-500.0, -1.0, 0.0, 0.5, 3.0, 2000.0]), np.arange(6.0)
    axes = Figure().subplots()
    axes.plot(x, y)
    axes.set_xscale("symlog", linthresh=2, linscale=0.4, base=3)
    svg = saved(axes.figure)
    found, axis = vertices(svg), coordinates(svg)["axes_no_1"]
    np.testing.assert_allclose(values(axis["x"], found[:, 0]), x, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(values(axis["y"], found[:, 1]), y, atol=1e-5)


def test_panels_without_a_label_have_that_of_their_column_or_row(saved):
    figure = Figure()
    (first, right), (below, other) = figure.subplots(2, 2)
    right.sharey(first)
    below.set(xlabel="width, $n$", ylabel="cost", xlim=(2, 3))
    first.set(ylabel=r"drift, $\Theta$")
    right.set_title("other\npanel")
    other.set(xlabel="time", xscale="log")
    assert labels(saved(figure)) == {
        "axes_no_1": ("width, n", "drift, Θ"),
        "axes_no_2": ("x", "drift, Θ"),
        "axes_no_3": ("width, n", "cost"),
        "axes_no_4": ("time", "y"),
    }


def test_title_names_what_no_label_does(saved):
    axes = Figure().subplots()
    axes.set_title("other\npanel")
    assert labels(saved(axes.figure)) == {"axes_no_1": ("x", "other panel")}


def test_twins_and_insets_have_coordinates_of_their_own(saved):
    axes = Figure().subplots()
    axes.set(xlabel="time", ylabel="cost", ylim=(0, 1))
    axes.twinx().set(ylabel="drift", ylim=(1e-3, 1), yscale="log")
    axes.inset_axes((0.5, 0.5, 0.4, 0.4)).set(xlabel="inset")
    axes.secondary_xaxis("top")
    svg = saved(axes.figure)
    assert labels(svg) == {
        "axes_no_1": ("time", "cost"),
        "axes_no_2": ("time", "drift"),
        "axes_no_3": ("inset", "y"),
    }
    groups = [one.get("id") for one in svg.iter(f"{SVG}g")]
    assert [groups.count(name) for name in ("axes_no_1", "axes_no_2", "axes_no_3")] == [1, 1, 1]


def test_axes_that_a_page_cannot_invert_are_left_out(saved):
    figure = Figure()
    figure.add_subplot(131, projection="polar")
    figure.add_subplot(132, xscale="logit")
    figure.add_subplot(133)
    assert [*coordinates(saved(figure))] == ["axes_no_3"]


def test_marks_beside_their_ticks_are_at_them(saved):
    axes = Figure().subplots()
    axes.set_xscale("log")
    axes.set_xticks([64, 128], ["64", ""])
    marks_beside_ticks(axes)
    svg = saved(axes.figure)
    assert coordinates(svg)["axes_no_1"]["x"]["places"] == [64, 128]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["64", ""]


def test_labels_are_escaped(saved):
    axes = Figure().subplots()
    axes.set_xlabel("</metadata><script>&")
    assert labels(saved(axes.figure))["axes_no_1"][0] == "</metadata><script>&"


def test_other_formats_do_not_change(tmp_path: Path, monkeypatch):
    def saving(name: str) -> list[bytes]:
        axes: Axes = Figure().subplots()
        axes.plot([1, 2], [3, 4])
        paths = [tmp_path / f"{name}{suffix}" for suffix in (".pdf", ".png", ".svg")]
        style.save(axes.figure, paths)
        return [path.read_bytes() for path in paths]

    *with_coordinates, svg = saving("with")
    monkeypatch.setattr(style, "name_axes", lambda figure: None)
    monkeypatch.setattr(style, "with_coordinates", lambda content, figure: content)
    *without, plain = saving("without")
    assert with_coordinates == without
    svg = re.sub(rb'<metadata id="coordinates">.*</metadata>\n', b"", svg)
    assert svg.replace(b"axes_no_1", b"axes_1") == plain
