"""Trained network functions on the circle against the limiting Gaussian (JGH Figure 2).

One panel per time, one line for each of the first ten networks of a width, coloured by width.
Dashed lines are percentiles of the limiting Gaussian, with a band between the outermost; dots are
training points.
"""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.special import ndtri

from ntkflow.analysis.jackknife import mean_with_interval
from ntkflow.plotting import style

BAND = "#e2e2e2"
SHOWN = 10
"""Networks of each width that are drawn, as in JGH."""
# A white rim separates a dot from the lines behind it.
POINT: dict[str, Any] = dict(
    marker="o", markersize=5, color=style.INK, markeredgecolor="white", linestyle="none", zorder=4
)


def draw(statistics: xr.Dataset) -> Figure:
    """Draw a `function_bands` store with the attributes `network_label` and `dataset_label`."""
    colours = style.width_colours(statistics["width"])
    with style.paper():
        figure = Figure(figsize=(style.FULL_WIDTH, 2.8))
        row = figure.subplots(1, statistics.sizes["time"], sharey=True, squeeze=False)[0]
        for i, axes in enumerate(row):
            _draw_time(axes, statistics.isel(time=i), colours)
            style.angle_axis(axes, statistics["angle"])
        row[0].set_ylabel(style.axis_label(statistics["f"]))
        style.heading(figure, statistics, _key(statistics, colours))
        return style.fixed_layout(figure)


def _draw_time(axes: Axes, functions: xr.Dataset, colours: dict[int, str]) -> None:
    """Networks, percentiles and training points at one time."""
    angle, percentile = functions["angle"], functions["percentile"]
    axes.fill_between(
        angle, percentile.isel(quantile=0), percentile.isel(quantile=-1), color=BAND, linewidth=0
    )
    style.network_lines(axes, angle, functions["f"].isel(seed=slice(SHOWN)), colours)
    for limit in percentile.transpose("quantile", ...):
        axes.plot(angle, limit, **style.LIMIT)
    axes.plot(functions["train_angle"], functions["train_y"], **POINT)
    time, network_time = (float(functions[key]) for key in ("time", "network_time"))
    # Both times, if the networks stopped before that of the Gaussian.
    networks = "" if time == network_time else f" (networks: {style.time_text(network_time)})"
    axes.set_title(style.time_text(time) + networks)


def _key(functions: xr.Dataset, colours: dict[int, str]) -> list[Artist]:
    """Entries for the widths, the percentiles by their levels, and the training points."""
    levels = ", ".join(f"{100 * level:g}" for level in functions["quantile"].values)
    limit = style.limit_key(rf"limit, $n = \infty$: percentiles {levels}")
    point = Line2D([], [], label="training points", **POINT)
    return [*style.width_key(colours), limit, point]


def tabulate(statistics: xr.Dataset) -> pd.DataFrame:
    """Agreement of networks with the limiting Gaussian, one row per width and time.

    - ``inside``: fraction of (network, point) pairs between the lowest and the highest percentile,
      with its 95 % interval over networks (points of one network are not independent),
      and ``inside_expected``, that of the Gaussian
    - ``mean_distance``: root mean square over points of the mean of the ensemble minus that of the
      Gaussian, and ``mean_distance_expected``, that of as many draws from the Gaussian
    """
    statistics = statistics.compute()
    f, band = statistics["f"], statistics["percentile"]
    low, high = band.isel(quantile=0, drop=True), band.isel(quantile=-1, drop=True)
    share = ((low <= f) & (f <= high)).where(f.notnull()).mean("sample")
    level = band["quantile"].to_numpy()[[0, -1]]
    z = ndtri(level)
    deviation = (high - low) / (z[1] - z[0])
    mean = low - z[0] * deviation
    networks = f.notnull().all("sample").sum("seed")
    summary = mean_with_interval(share, "inside").assign(
        inside_expected=level[1] - level[0],
        mean_distance=_root_mean_square(f.mean("seed") - mean),
        mean_distance_expected=_root_mean_square(deviation) / np.sqrt(networks),
    )
    columns = ["width", "time", "network_time", *summary.data_vars]
    return summary.to_dataframe(["time", "width"]).reset_index()[columns]


def _root_mean_square(function: xr.DataArray) -> xr.DataArray:
    return (function**2).mean("sample") ** 0.5
