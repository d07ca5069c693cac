"""The coordinates of a figure as JSON in its SVG, from which a page reads values of points."""

import json
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from ntkflow.words import spoken

POINTS = 72  # per inch, the unit of an SVG
SCALES = ("linear", "log", "symlog")  # the page inverts these
PARAMETERS = ("base", "linthresh", "linscale")  # of the last two


class Places(FixedLocator):
    """Ticks at the abscissae of all points; a mark may be drawn up to 10 % away from its own."""


def marks_beside_ticks(axes: Axes) -> None:
    """State that the points of a logarithmic horizontal axis have the abscissae of its ticks."""
    axes.xaxis.set_major_locator(Places(axes.get_xticks().tolist()))


def name_axes(figure: Figure) -> None:
    """Set the ids that the Axes of a figure have in its SVG, in place of axes_1, ..."""
    for number, axes in enumerate(_all_axes(figure), 1):
        axes.set_gid(f"axes_no_{number}")


def with_coordinates(svg: bytes, figure: Figure) -> bytes:
    """SVG of a figure with the coordinates of its Axes by id, as JSON in ``<metadata>``.

    Each Axes has an `x` and a `y`: the `label` as plain text, the `ends` in points of the SVG, the
    transformed `limits` at these ends, the `scale` and its parameters, and `places` if marks are
    drawn beside them. Axes with other scales are left out. The figure must have been drawn, which
    settles positions and limits.
    """
    known = [axes for axes in _all_axes(figure) if axes.name == "rectilinear" and _readable(axes)]
    text = escape(json.dumps({axes.get_gid(): _coordinates(axes, figure) for axes in known}))
    drawing, end, rest = svg.rpartition(b"</svg>")
    return b'%s<metadata id="coordinates">%s</metadata>\n%s%s' % (drawing, text.encode(), end, rest)


def _all_axes(figure: Figure) -> list[Axes]:
    insets = [child for axes in figure.axes for child in axes.child_axes]
    return [*figure.axes, *(inset for inset in insets if isinstance(inset, Axes))]


def _readable(axes: Axes) -> bool:
    return axes.get_xscale() in SCALES and axes.get_yscale() in SCALES


def _coordinates(axes: Axes, figure: Figure) -> dict[str, dict[str, Any]]:
    width, height = POINTS * figure.get_size_inches()
    box = axes.bbox.transformed(figure.transFigure.inverted())  # independent of the resolution
    x, y = (box.x0 * width, box.x1 * width), ((1 - box.y0) * height, (1 - box.y1) * height)
    # Panels that share an axis, or are one below the other, may have its label only once.
    below = [one for one in figure.axes if _is_below(one, axes)]
    column = [axes, *axes.get_shared_x_axes().get_siblings(axes), *below]
    row = [axes, *axes.get_shared_y_axes().get_siblings(axes)]
    x_labels = [*(one.get_xlabel() for one in column), "x"]
    y_labels = [*(one.get_ylabel() for one in row), axes.get_title(), "y"]
    return {
        "x": {"label": spoken(next(filter(None, x_labels))), "ends": x, **_scale(axes.xaxis)},
        "y": {"label": spoken(next(filter(None, y_labels))), "ends": y, **_scale(axes.yaxis)},
    }


def _is_below(one: Axes, other: Axes) -> bool:
    aligned = np.allclose(one.bbox.intervalx, other.bbox.intervalx)
    return aligned and one.bbox.ymax <= other.bbox.ymin and one.get_xscale() == other.get_xscale()


def _scale(axis: Axis) -> dict[str, Any]:
    transform = axis.get_transform()
    limits = transform.transform(np.asarray(axis.get_view_interval(), float))
    given = {key: float(getattr(transform, key)) for key in PARAMETERS if hasattr(transform, key)}
    locator = axis.get_major_locator()
    places = {"places": [*map(float, locator())]} if isinstance(locator, Places) else {}
    return {"scale": axis.get_scale(), "limits": limits.tolist(), **given, **places}
