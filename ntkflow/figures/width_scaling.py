"""Approach of finite networks to the limit: statistics against width, with fitted exponents.

A log-log panel for each quantity: small points for initialisations, their mean with its 95 %
interval, the fitted power law, and under them the slope that the theory gives.
"""

import math
import textwrap
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

from ntkflow.figures import style

__all__ = ["draw"]

SHOWN_SEEDS = 50  # more points than this per width only add size to the file
DIGIT_INCHES = 0.07  # width of a digit in a tick label, with some air
TITLE_CHARACTERS = 15  # per inch
SPREAD_POINT: dict[str, Any] = {"color": "#8fc1de", "markersize": 2.5, "markeredgewidth": 0}
MEAN_POINT: dict[str, Any] = {"markeredgecolor": style.BLUE, "markersize": 3.5, "zorder": 4}
BAR: dict[str, Any] = {"color": style.BLUE, "linewidth": 1.2, "zorder": 3}


def draw(statistics: xr.Dataset) -> Figure:
    """Draw the figure.

    Parameters
    ----------
    statistics
        A `width_scaling` store: ``value``, ``value_low``, ``value_high``, ``used`` (quantity,
        width), ``spread`` (quantity, width, seed), ``exponent``, ``exponent_low``,
        ``exponent_high``, ``prefactor``, ``expected`` (quantity); attributes ``network_label``,
        ``dataset_label``. Of ``spread``, the first 50 initialisations are drawn.
    """
    statistics = statistics.sortby("width")
    quantities = statistics.sizes["quantity"]
    columns = 2 if quantities == 4 else min(quantities, 3)
    rows = math.ceil(quantities / columns)
    width = style.FULL_WIDTH if columns > 1 else style.HALF_WIDTH
    with style.paper():
        figure = Figure(figsize=(width, 2.3 * rows + 0.3))
        panels = figure.subplots(rows, columns, squeeze=False)
        for i, axes in enumerate(panels.flat):
            if i < quantities:
                _draw_quantity(axes, _measured(statistics.isel(quantity=i)), width / columns)
                if i + columns >= quantities:  # nothing below it
                    axes.set_xlabel(style.axis_label(statistics["width"]))
            else:
                axes.set_axis_off()
        style.heading(figure, statistics)
        return style.fixed_layout(figure)


def _measured(panel: xr.Dataset) -> xr.Dataset:
    """The widths this quantity was measured at; all of them if it never was."""
    measured = np.isfinite(panel["value"].values)
    return panel.isel(width=measured) if measured.any() else panel


def _draw_quantity(axes: Axes, panel: xr.Dataset, inches: float) -> None:
    """One quantity (dims width, seed) in axes about `inches` wide."""
    bottom, top = _limits(panel)
    widths = panel["width"].values
    # Limits come before the data: autoscaled to a single width, they would be no interval.
    axes.set(xscale="log", yscale="log", ylim=(bottom, top))
    axes.set_xlim(widths.min() / 1.25, widths.max() * 1.25)
    title = textwrap.fill(str(panel["quantity"].item()), width=int(TITLE_CHARACTERS * inches))
    axes.set_title(title, linespacing=style.LINE_SPACING)
    lines = [*_draw_fit(axes, panel), *_draw_expected(axes, panel)]
    _draw_spread(axes, panel)
    _draw_means(axes, panel, bottom)
    _width_ticks(axes, widths, inches)
    _value_ticks(axes, bottom, top)
    axes.legend(handles=lines, loc="upper right", labelspacing=0.25)


def _limits(panel: xr.Dataset) -> tuple[float, float]:
    """Vertical limits around what the fit uses, upper ends and initialisations.

    Lower ends at or below zero, and unused values far under their own noise, would stretch a
    logarithmic axis without end; they may leave it at the bottom. Room is left above for text.
    """
    used = panel.where(panel["used"])
    drawn = [used["value"], used["value_low"], panel["value_high"], _shown_spread(panel)]
    values = np.concatenate([np.ravel(array) for array in drawn])
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return 0.1, 1.0
    decades = max(math.log10(values.max() / values.min()), 0.3)
    return values.min() * 10 ** (-0.08 * decades), values.max() * 10 ** (0.3 * decades)


def _shown_spread(panel: xr.Dataset) -> xr.DataArray:
    """The initialisations that are drawn, (width, seed)."""
    return panel["spread"].isel(seed=slice(SHOWN_SEEDS)).transpose("width", "seed")


def _draw_spread(axes: Axes, panel: xr.Dataset) -> None:
    """A small point for each initialisation, set side by side around its width."""
    spread = _shown_spread(panel)
    seeds = spread.sizes["seed"]
    beside = np.exp(0.14 * ((np.arange(seeds) + 0.5) / seeds - 0.5))
    x = panel["width"].values[:, None] * beside
    axes.plot(x.ravel(), spread.values.ravel(), ".", **SPREAD_POINT)


def _draw_means(axes: Axes, panel: xr.Dataset, bottom: float) -> None:
    """Means with their 95 % intervals, hollow where the fit does not use them."""
    axes.vlines(panel["width"], panel["value_low"].clip(min=bottom), panel["value_high"], **BAR)
    for used, face in ((True, style.BLUE), (False, "white")):
        chosen = panel.isel(width=panel["used"].values == used)
        axes.plot(chosen["width"], chosen["value"], "o", markerfacecolor=face, **MEAN_POINT)


def _draw_fit(axes: Axes, panel: xr.Dataset) -> list[Line2D]:
    """The fitted power law over the widths it uses, labelled with its slope and interval."""
    if not math.isfinite(panel["exponent"]):
        return [Line2D([], [], linestyle="none", label="no fit")]
    ends = panel["width"].values[panel["used"].values][[0, -1]].astype(float)
    slope, low, high = (
        style.number(float(panel[name])) for name in ("exponent", "exponent_low", "exponent_high")
    )
    return axes.plot(
        ends,
        float(panel["prefactor"]) * ends ** float(panel["exponent"]),
        color=style.BLUE,
        label=f"slope {slope} [{low}, {high}]",
    )


def _draw_expected(axes: Axes, panel: xr.Dataset) -> list[Line2D]:
    """The slope that theory gives, through the first mean that the fit uses."""
    expected, used = float(panel["expected"]), panel.isel(width=panel["used"].values)
    if not math.isfinite(expected):
        return []
    label = f"theory {style.fraction(expected)}"
    if not used.sizes["width"]:
        return [Line2D([], [], linestyle="none", label=label)]
    first = used.isel(width=0)
    widths = np.array([float(first["width"]), float(panel["width"].max())])
    values = float(first["value"]) * (widths / widths[0]) ** expected
    return axes.plot(widths, values, color=style.GREY, linewidth=2.2, zorder=1, label=label)


def _width_ticks(axes: Axes, widths: np.ndarray, inches: float) -> None:
    """Ticks at the measured widths, labelled from the widest down as far as there is room."""
    left, right = axes.get_xlim()
    digit = DIGIT_INCHES * math.log(right / left) / (0.8 * inches)  # in units of log n
    labels: list[str] = []
    taken = math.inf
    for width in widths[::-1]:
        half = digit * (len(str(width)) + 1) / 2
        fits = math.log(width) + half < taken
        labels.append(str(width) if fits else "")
        taken = math.log(width) - half if fits else taken
    axes.set_xticks(widths, labels[::-1])
    axes.xaxis.set_minor_locator(NullLocator())


def _value_ticks(axes: Axes, bottom: float, top: float) -> None:
    """Plain numbers, at 1, 2 and 5 times powers of ten over a short span."""
    if top / bottom < 200:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    if bottom > 1e-5:
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
