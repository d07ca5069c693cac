"""Approach of finite networks to the limit: statistics against width, with fitted exponents.

One log-log panel per quantity: small points for initialisations, their mean with its 95 % interval,
the fitted power law, and below them the slope of the theory.
"""

import math
import textwrap
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ntkflow.measures.common import table
from ntkflow.measures.common.evidence import judge
from ntkflow.measures.width_scaling.measure import claims
from ntkflow.plotting import style, width_axes
from ntkflow.plotting.coordinates import marks_beside_ticks

TITLE_CHARACTERS = 15  # per inch
SPREAD_POINT: dict[str, Any] = {"color": "#8fc1de", "markersize": 2.5, "markeredgewidth": 0}
MEAN_POINT: dict[str, Any] = {"markeredgecolor": style.BLUE, "markersize": 3.5, "zorder": 4}
BAR: dict[str, Any] = {"color": style.BLUE, "linewidth": 1.2, "zorder": 3}


def draw(statistics: xr.Dataset) -> Figure:
    """Draw a `width_scaling` store with the attributes `network_label` and `dataset_label`.

    The first 50 initialisations of ``spread`` are drawn.
    """
    with style.paper():
        figure = Figure(figsize=(style.FULL_WIDTH, 2 * 2.3 + 0.3))
        panels = figure.subplots(2, 2)
        for i, axes in enumerate(panels.flat):
            panel = statistics.isel(quantity=i)
            measured = panel.isel(width=np.isfinite(panel["value"].values))
            _draw_quantity(axes, measured, style.FULL_WIDTH / 2)
        for axes in panels[1]:
            axes.set_xlabel(style.axis_label(statistics["width"]))
        style.heading(figure, statistics)
        return style.fixed_layout(figure)


def _draw_quantity(axes: Axes, panel: xr.Dataset, inches: float) -> None:
    """Draw one quantity (dims width, seed) in axes about `inches` wide."""
    bottom, top = _limits(panel)
    widths = panel["width"].values
    # Set limits before the data: autoscaling to a single width would give an empty interval.
    axes.set(yscale="log", ylim=(bottom, top))
    width_axes.set_width_limits(axes, widths)
    title = textwrap.fill(str(panel["quantity"].item()), width=int(TITLE_CHARACTERS * inches))
    axes.set_title(title, linespacing=style.LINE_SPACING)
    lines = [*_draw_fit(axes, panel), *_draw_expected(axes, panel)]
    spread = _shown_spread(panel)
    x = width_axes.beside(widths, spread.sizes["seed"])
    axes.plot(x.ravel(), spread.values.ravel(), ".", **SPREAD_POINT)
    _draw_means(axes, panel, bottom)
    width_axes.width_ticks(axes, widths, inches)
    marks_beside_ticks(axes)
    width_axes.value_ticks(axes, bottom, top)
    axes.legend(handles=lines, loc="upper right", labelspacing=0.25)


def _limits(panel: xr.Dataset) -> tuple[float, float]:
    """Vertical limits around values of the fit, upper ends and initialisations.

    Lower ends at or below zero, and unused values far below their noise, would stretch a
    logarithmic axis; they may be outside it at the bottom.
    """
    used = panel.where(panel["used"])
    drawn = [used["value"], used["value_low"], panel["value_high"], _shown_spread(panel)]
    return width_axes.log_limits(np.concatenate([np.ravel(array) for array in drawn]))


def _shown_spread(panel: xr.Dataset) -> xr.DataArray:
    """Initialisations that are drawn, (width, seed)."""
    return panel["spread"].isel(seed=slice(width_axes.SHOWN_SEEDS)).transpose("width", "seed")


def _draw_means(axes: Axes, panel: xr.Dataset, bottom: float) -> None:
    """Draw means with their 95 % intervals, hollow if the fit does not use them."""
    axes.vlines(panel["width"], panel["value_low"].clip(min=bottom), panel["value_high"], **BAR)
    for used, face in ((True, style.BLUE), (False, "white")):
        chosen = panel.isel(width=panel["used"].values == used)
        axes.plot(chosen["width"], chosen["value"], "o", markerfacecolor=face, **MEAN_POINT)


def _draw_fit(axes: Axes, panel: xr.Dataset) -> list[Line2D]:
    """Draw the fitted power law over its widths, labelled with slope and interval."""
    if not math.isfinite(panel["exponent"]):
        return [Line2D([], [], linestyle="none", label="no fit")]
    return width_axes.draw_fit(axes, panel, panel["width"].values[panel["used"].values])


def _draw_expected(axes: Axes, panel: xr.Dataset) -> list[Line2D]:
    """Draw the slope of the theory through the first mean that the fit uses."""
    expected, used = float(panel["expected"]), panel.isel(width=panel["used"].values)
    label = f"theory {style.fraction(expected)}"
    if not used.sizes["width"]:
        return [Line2D([], [], linestyle="none", label=label)]
    first = used.isel(width=0)
    start = float(first["width"]), float(first["value"])
    return width_axes.draw_slope(axes, start, float(panel["width"].max()), expected, label)


def tabulate(statistics: xr.Dataset) -> pd.DataFrame:
    """One row per exponent, with its verdict."""
    return table.tabulate([(statistics.attrs, judge(claims(statistics)))])


def tabulate_widths(statistics: xr.Dataset) -> pd.DataFrame:
    """One row per quantity and width: value, interval, and whether the fit uses it."""
    dims, names = ["quantity", "width"], ["value", "value_low", "value_high", "used"]
    frame: pd.DataFrame = statistics[names].to_dataframe(dims).reset_index()
    return frame[[*dims, *names]]
