"""Style sheet, colours, labels and saving of figures.

Colour means width, from light for narrow to dark for wide, which is distinguishable in greyscale
and by colour-blind readers. The infinite-width limit is black and dashed.
"""

import io
import math
import os
import textwrap
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ntkflow.plotting.coordinates import name_axes, with_coordinates

FULL_WIDTH = 6.75  # inches: text width of a two-column paper
HALF_WIDTH = 3.4
INK = "#000000"
MINUS = "−"
GREY = "#b4b4b4"
BLUE = "#0072b2"  # Okabe & Ito (2008)
# Dashed, so that networks remain visible below the limit.
LIMIT: dict[str, Any] = {"color": INK, "linestyle": "dashed", "linewidth": 1.0}
NETWORK_LINE: dict[str, Any] = {"linewidth": 0.7, "markersize": 2.5, "markeredgewidth": 0}
LINE_SPACING = 1.0  # STIX has tall lines
LABEL_GAP = 0.085  # smallest distance of two line-end labels, as a fraction of the axes' height

# Files must not contain metadata that change from run to run.
FORMATS: dict[str, tuple[type[FigureCanvasBase], dict[str, str | None]]] = {
    ".pdf": (FigureCanvasPdf, {"CreationDate": None}),
    ".svg": (FigureCanvasSVG, {"Date": None}),
    ".png": (FigureCanvasAgg, {"Software": None}),
}


def paper() -> AbstractContextManager[None]:
    """Context with the style of the figures, independent of the style of the user."""
    return matplotlib.style.context("ntkflow.plotting.paper", after_reset=True)


def width_colours(widths: xr.DataArray) -> dict[int, str]:
    """One colour for each width, darker for wider, from a perceptually uniform colour map."""
    ordered = sorted(int(width) for width in widths.values)
    positions = [0.3] if len(ordered) == 1 else np.linspace(0.69, 0.2, len(ordered))
    colours = matplotlib.colormaps["plasma"](positions)
    return dict(zip(ordered, map(to_hex, colours), strict=True))


def axis_label(array: xr.DataArray, wrap: int = 60) -> str:
    """Label of an axis from the attributes `long_name`, `symbol` (LaTeX) and `units`.

    The part of `long_name` after a comma is an explanation and is omitted; lines break at `wrap`.
    """
    name = textwrap.fill(array.attrs["long_name"].partition(",")[0], wrap)
    symbol = f", ${array.attrs['symbol']}$" if array.attrs.get("symbol") else ""
    units = array.attrs.get("units", "1")
    return name + symbol + (f" ({units})" if units != "1" else "")


def number(value: float) -> str:
    """`value` to two decimals, with a true minus sign."""
    return f"{value:.2f}".replace("-", MINUS)


def time_text(time: float) -> str:
    """The equation t = `time` in LaTeX."""
    return r"$t = \infty$" if math.isinf(time) else f"$t = {time:g}$"


def width_text(width: int) -> str:
    """The equation n = `width` in LaTeX."""
    return f"$n = {width}$"


def fraction(value: float) -> str:
    """`value` as a simple fraction such as -1/2 if it is one, else to two decimals."""
    simple = Fraction(value).limit_denominator(6)
    if not math.isclose(simple, value):
        return number(value)
    return str(simple).replace("-", MINUS)


def network_lines(
    axes: Axes, x: xr.DataArray, networks: xr.DataArray, colours: dict[int, str], marker: str = ""
) -> None:
    """Draw one thin line per network (width, seed, dimension of `x`), wide over narrow ones.

    Values are NaN for networks that were not trained.
    """
    # The more networks, the more transparent: overlapping lines must not hide each other.
    alpha = float(np.clip(1.6 / math.sqrt(networks.sizes["seed"]), 0.2, 0.9))
    for width, colour in colours.items():
        lines = networks.sel(width=width).transpose(*x.dims, "seed")
        axes.plot(x, lines, color=colour, alpha=alpha, marker=marker, **NETWORK_LINE)


def width_key(colours: dict[int, str]) -> list[Artist]:
    """Legend entries of the networks of each width."""
    return [
        Line2D([], [], color=colour, linewidth=1.6, label=width_text(width))
        for width, colour in colours.items()
    ]


def limit_key(label: str = r"limit, $n = \infty$") -> Line2D:
    """Legend entry of the infinite-width limit."""
    return Line2D([], [], **LIMIT, label=label)


def heading(
    figure: Figure, statistics: xr.Dataset, key: Sequence[Artist] = (), before: str = ""
) -> None:
    """Write `before`, data set and network from the attributes, and the legend above the panels."""
    title = f"{before}{statistics.attrs['dataset_label']}; {statistics.attrs['network_label']}"
    if key:
        where: dict[str, Any] = {"loc": "outside upper left", "alignment": "left"}
        figure.legend(handles=key, ncols=len(key), title=title, **where)
    else:
        figure.suptitle(title, x=0.01, ha="left", fontsize=8.5)


def angle_axis(axes: Axes, angle: xr.DataArray) -> None:
    """Make the horizontal axis one turn of the circle, with ticks at multiples of pi / 2."""
    axes.set_xlim(-np.pi, np.pi)
    labels = [r"$-\pi$", r"$-\pi/2$", "$0$", r"$\pi/2$", r"$\pi$"]
    axes.set_xticks(np.pi * np.array([-1, -0.5, 0, 0.5, 1]), labels)
    axes.set_xlabel(axis_label(angle))


def label_line_ends(axes: Axes, heights: dict[str, float], colours: dict[str, str]) -> None:
    """Write labels to the right of the axes at the heights of their lines, without overlap.

    The axes have their final vertical limits. Heights and colours are by label.
    """
    known = {label: height for label, height in heights.items() if math.isfinite(height)}
    labels = sorted(known, key=known.__getitem__)
    to_axes = axes.transData + axes.transAxes.inverted()
    right = axes.get_xlim()[1]
    places = [float(to_axes.transform((right, known[label]))[1]) for label in labels]
    for label, place in zip(labels, _spread_apart(places, LABEL_GAP), strict=True):
        axes.text(1.02, place, label, color=colours[label], transform=axes.transAxes, va="center")


def _spread_apart(places: Sequence[float], gap: float) -> list[float]:
    """Move sorted `places` up until neighbours are `gap` apart, then down below 1."""
    spread = list(places)
    for i in range(1, len(spread)):
        spread[i] = max(spread[i], spread[i - 1] + gap)
    ceiling = 1.0
    for i in reversed(range(len(spread))):
        spread[i] = min(spread[i], ceiling)
        ceiling = spread[i] - gap
    return spread


def fixed_layout(figure: Figure) -> Figure:
    """Fix the layout of the figure, so that every file format shows the same picture."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def save(figure: Figure, paths: Iterable[str | Path]) -> None:
    """Write `figure` to each path in the format of its suffix: .pdf, .svg or .png.

    With one version of Matplotlib, the same figure gives the same bytes. Files are never
    incomplete: every format is rendered before the first is written, and each file is renamed.
    An SVG contains the coordinates of its Axes, so that the report can show values.
    """
    targets = [Path(path) for path in paths]
    dpi, shown = figure.dpi, figure.canvas
    name_axes(figure)
    with paper():
        contents = [_rendered(figure, target.suffix) for target in targets]
    figure.dpi = dpi
    figure.set_canvas(shown)
    for target, content in zip(targets, contents, strict=True):
        _write_whole(target, content)


def _rendered(figure: Figure, suffix: str) -> bytes:
    canvas, metadata = FORMATS[suffix]
    buffer = io.BytesIO()
    figure.dpi = matplotlib.rcParams["savefig.dpi"]  # which a canvas may change
    # `Figure.savefig` would first draw the figure once more.
    getattr(canvas(figure), f"print_{suffix[1:]}")(buffer, metadata=metadata)
    content = buffer.getvalue()
    return with_coordinates(content, figure) if suffix == ".svg" else content


def _write_whole(target: Path, content: bytes) -> None:
    """Write to a temporary file in the same folder, then rename it to `target`."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
