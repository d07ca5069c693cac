"""Default figure and table of a measure: the panels and numbers of its evidence."""

import textwrap
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ntkflow.measures.common import table
from ntkflow.measures.common.evidence import judged
from ntkflow.plotting import style, width_axes

COLOURS = (style.BLUE, "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours of series without a width (Okabe & Ito 2008)."""

POINT: dict[str, Any] = {"markersize": 4, "markeredgewidth": 0, "zorder": 4}
TITLE_CHARACTERS = 96
CHARACTERS = 15  # of the title of a panel, per inch
HEIGHT = 3.0
MOST_ENTRIES = 8  # of a legend; a panel with more has none
MOST_TICKS = 8
THEORY = ("guide", "limit")  # drawn in fixed colours


def draw(statistics: xr.Dataset) -> Figure:
    """Draw a `claim` store with the attributes `statement`, `dataset_label`, `network_label`."""
    statistics = statistics.load()
    panels = statistics.sizes["panel"]
    widths = np.unique(statistics["width"])
    colours = style.width_colours(xr.DataArray(widths[widths > 0]))
    with style.paper():
        figure = Figure(figsize=(style.FULL_WIDTH, HEIGHT))
        for place, axes in enumerate(figure.subplots(1, panels, squeeze=False)[0]):
            _draw_panel(axes, statistics, place, colours, style.FULL_WIDTH / panels)
        statement = textwrap.fill(statistics.attrs["statement"], TITLE_CHARACTERS)
        style.heading(figure, statistics, style.width_key(colours), f"{statement}\n")
        return style.fixed_layout(figure)


def _draw_panel(
    axes: Axes, statistics: xr.Dataset, place: int, colours: dict[int, str], inches: float
) -> None:
    panel = statistics.isel(panel=place, series=statistics["in_panel"].values == place)
    title, x_label, y_label = (str(panel[k].item()) for k in ("title", "x_label", "y_label"))
    axes.set_title(textwrap.fill(title, int(CHARACTERS * inches)))
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    _set_scales(axes, panel)
    plain = cycle(COLOURS)
    colour, seen = COLOURS[0], set[str]()
    for number in range(panel.sizes["series"]):
        series = panel.isel(series=number)
        width, label = int(series["width"]), str(series["label"].item())
        if width:
            colour = colours[width]
        elif label and str(series["look"].item()) not in THEORY:
            colour = next(plain)  # a series without a label belongs to the previous one
        _draw_series(axes, series, colour, label if label not in seen else "")
        seen.add(label)
    _ticks(axes, panel, inches)
    handles, labels = axes.get_legend_handles_labels()
    if 0 < len(handles) <= MOST_ENTRIES:
        axes.legend(handles, labels, loc="best", labelspacing=0.25, fontsize=6.5)


def _set_scales(axes: Axes, panel: xr.Dataset) -> None:
    """Set the scales of both axes; symlog is linear up to the smallest value above 0."""
    for name, scaled in (("x", axes.set_xscale), ("y", axes.set_yscale)):
        scale, values = str(panel[f"{name}_scale"].item()), np.abs(panel[name].values)
        if scale != "symlog":
            scaled(scale)
        elif (values > 0).any():
            scaled(scale, linthresh=float(values[values > 0].min()))


def _draw_series(axes: Axes, series: xr.Dataset, colour: str, label: str) -> None:
    there = np.isfinite(series["x"].values)
    x, y, low, high = (series[k].values[there] for k in ("x", "y", "y_low", "y_high"))
    match str(series["look"].item()):
        case "points":
            axes.plot(x, y, "o", color=colour, label=label, **POINT)
            axes.vlines(x, low, high, color=colour, linewidth=1.0, zorder=4)
        case "band":
            axes.fill_between(x, low, high, color=colour, alpha=0.22, linewidth=0, label=label)
        case "limit":
            axes.plot(x, y, **style.LIMIT, label=label)
        case "guide":
            axes.plot(x, y, color=style.GREY, linewidth=2.2, zorder=1, label=label)
        case _:
            axes.plot(x, y, color=colour, linewidth=1.1, label=label)


def _ticks(axes: Axes, panel: xr.Dataset, inches: float) -> None:
    """Set ticks at the measured widths or numbers, without powers on logarithmic axes."""
    places = _whole_numbers(panel["x"].values[panel["look"].values == "points"])
    whole = 0 < places.size <= MOST_TICKS
    if axes.get_xscale() == "log" and whole:
        width_axes.set_width_limits(axes, places)
        width_axes.width_ticks(axes, places.astype(int), inches)
    elif whole:
        axes.set_xticks(places)
    elif axes.get_xscale() == "log":
        axes.xaxis.set_minor_formatter(NullFormatter())
    if axes.get_yscale() == "log":
        bottom, top = axes.get_ylim()
        width_axes.value_ticks(axes, bottom, top)


def _whole_numbers(points: np.ndarray) -> np.ndarray:
    """Abscissas, ascending, of those series (series, point) that lie on whole numbers."""
    there = np.isfinite(points)
    whole = (~there | (points == np.round(points))).all(axis=1)
    return np.unique(points[whole][there[whole]])


def tabulate(statistics: xr.Dataset) -> pd.DataFrame:
    """One row per number of the evidence, with its verdict."""
    return table.tabulate([(statistics.attrs, judged(statistics))])
