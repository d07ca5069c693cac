"""Cost and drift of the empirical NTK in training (JGH Theorem 2).

Cost and drift against time, one line per network, coloured by width. With several widths, also the
drift at the last record against width, on the same vertical axis: initialisations, their mean with
its 95 % interval, and the fitted power law, if any, over the slope that bounds it.
"""

import math

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from ntkflow.analysis.jackknife import mean_with_interval
from ntkflow.plotting import style, width_axes
from ntkflow.plotting.coordinates import marks_beside_ticks

LEGEND_ROOM = 0.45  # height of the legend over that of the last drifts
FEWEST_DECADES = 1.5  # decades of time for a logarithmic axis
END_ROOM = 1.08  # so that the last records are inside the axes
LINEAR_PART = 0.16  # length of the axis from 0 to the first time, over that of the rest


def draw(statistics: xr.Dataset) -> Figure:
    """Draw a `kernel_drift` store with the attributes `network_label` and `dataset_label`."""
    colours = style.width_colours(statistics["width"])
    panels = 2 + (len(colours) > 1)
    with style.paper():
        figure = Figure(figsize=(style.FULL_WIDTH, 2.6))
        cost, drift, *last = figure.subplots(1, panels)
        _draw_cost(cost, statistics, colours)
        _draw_drift(drift, statistics, colours)
        for axes in (cost, drift):
            _time_axis(axes, statistics)
        for axes in last:
            axes.sharey(drift)
            axes.tick_params(labelleft=False)
            _draw_last(axes, statistics, colours, style.FULL_WIDTH / panels)
        style.heading(figure, statistics, style.width_key(colours))
        return style.fixed_layout(figure)


def _draw_cost(axes: Axes, statistics: xr.Dataset, colours: dict[int, str]) -> None:
    """Draw the cost of each network, on a logarithmic axis if no cost is negative."""
    cost = statistics["cost"]
    if (cost > 0).any() and not (cost < 0).any():
        axes.set_yscale("log")
        cost = cost.where(cost > 0)
    style.network_lines(axes, statistics["time"], cost, colours)
    if axes.get_yscale() == "log":
        width_axes.value_ticks(axes, *axes.get_ylim())
    axes.set_ylabel(style.axis_label(statistics["cost"]))


def _draw_drift(axes: Axes, statistics: xr.Dataset, colours: dict[int, str]) -> None:
    """Draw the drift of each network, without t = 0, where it is 0 and has no logarithm."""
    drift = statistics["drift"]
    bottom, top = _drift_limits(statistics)
    axes.set(yscale="log", ylim=(bottom, top))
    style.network_lines(
        axes, statistics["kernel_time"], drift.where(drift > 0), colours, marker="."
    )
    width_axes.value_ticks(axes, bottom, top)
    # On two lines: the symbol is as long as the axis.
    axes.set_ylabel(style.axis_label(drift).replace(", ", ",\n"), linespacing=1.15)


def _drift_limits(statistics: xr.Dataset) -> tuple[float, float]:
    """Limits around all drifts, with space for the legend of a fitted exponent below the last."""
    bottom, top = width_axes.log_limits(statistics["drift"].values, room=0.1)
    if math.isfinite(statistics["exponent"]):
        last = statistics["drift"].isel(kernel_step=-1)
        lowest = float(last.where(last > 0).min())
        bottom = min(bottom, lowest * (lowest / top) ** LEGEND_ROOM)
    return bottom, top


def _time_axis(axes: Axes, statistics: xr.Dataset) -> None:
    """Set the axis of time from 0, logarithmic from the first record over enough decades."""
    times = np.concatenate([statistics[name].values for name in ("time", "kernel_time")])
    first, last = times[times > 0].min(), times.max()
    axes.set_xlabel(style.axis_label(statistics["time"]))
    span = math.log10(last / first)
    if span < FEWEST_DECADES:
        axes.set_xlim(0, last)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        return
    axes.set_xscale("symlog", linthresh=first, linscale=LINEAR_PART * span)
    axes.set_xlim(0, last * END_ROOM)
    decades = 10.0 ** np.arange(math.floor(math.log10(first)), math.log10(last) + 1)
    shown = decades[(decades >= first * (1 - 1e-9)) & (decades <= last * (1 + 1e-9))]
    between = np.outer(decades, np.arange(2, 10)).ravel()
    axes.xaxis.set_major_locator(FixedLocator([0, *shown[:: math.ceil(len(shown) / 4)]]))
    axes.xaxis.set_minor_locator(FixedLocator(between[(between > first) & (between < last)]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw_last(axes: Axes, statistics: xr.Dataset, colours: dict[int, str], inches: float) -> None:
    """Draw the drift at the last record against width, in axes about `inches` wide."""
    widths = statistics["width"].values
    width_axes.set_width_limits(axes, widths)
    last = statistics["drift"].isel(kernel_step=-1, seed=slice(width_axes.SHOWN_SEEDS))
    networks = last.transpose("width", "seed").values
    places = width_axes.beside(widths, networks.shape[1])
    for place, values, colour in zip(places, networks, colours.values(), strict=True):
        axes.plot(place, values, ".", color=colour, alpha=0.7, markersize=4.5, markeredgewidth=0)
    mean, low, high = (statistics[f"mean_drift{end}"] for end in ("", "_low", "_high"))
    axes.plot(widths, mean, "_", color=style.INK, markersize=6, zorder=4)
    axes.vlines(widths, low, high, color=style.INK, linewidth=1.0, zorder=4)
    if math.isfinite(statistics["exponent"]):
        _draw_exponent(axes, statistics)
    width_axes.width_ticks(axes, widths, inches)
    marks_beside_ticks(axes)
    axes.set_xlabel(style.axis_label(statistics["width"]))
    axes.set_title(style.time_text(float(statistics["kernel_time"][-1])))


def _draw_exponent(axes: Axes, statistics: xr.Dataset) -> None:
    """Draw the fitted power law, and the bounding slope through the first mean above zero."""
    moved = statistics.isel(width=statistics["mean_drift"].values > 0)
    widths, expected = moved["width"].values, float(statistics["expected"])
    start = float(widths[0]), float(moved["mean_drift"][0])
    label = f"bound {style.fraction(expected)}"
    lines = [
        *width_axes.draw_fit(axes, statistics, widths),
        *width_axes.draw_slope(axes, start, float(widths[-1]), expected, label),
    ]
    axes.legend(handles=lines, loc="best", labelspacing=0.25)


def tabulate(statistics: xr.Dataset) -> pd.DataFrame:
    """Cost and drift at the end of training, one row per width.

    ``time`` is that of the last cost, ``kernel_time`` that of the last kernel. Means over
    initialisations are followed by their 95 % interval.
    """
    statistics = statistics.compute()
    drift = statistics[["mean_drift", "mean_drift_low", "mean_drift_high"]]
    summary = xr.merge(
        [
            mean_with_interval(statistics["cost"].isel(step=-1, drop=True), "cost"),
            drift.rename({name: str(name).removeprefix("mean_") for name in drift}),
        ]
    ).assign(time=statistics["time"][-1].item(), kernel_time=statistics["kernel_time"][-1].item())
    columns = ["time", "cost", "cost_low", "cost_high"]
    columns += ["kernel_time", "drift", "drift_low", "drift_high"]
    return summary.to_dataframe().reset_index()[["width", *columns]]
