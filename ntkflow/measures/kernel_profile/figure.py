"""NTK between one point of the circle and all others, before and after training (JGH Figure 1).

One panel per recorded time, one line per network, coloured by width. A last panel shows the change
from the first to the last time, which vanishes in the limit (JGH Theorem 2).
"""

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkflow.analysis.jackknife import mean_with_interval
from ntkflow.plotting import style


def draw(statistics: xr.Dataset) -> Figure:
    """Draw a `kernel_profile` store with the attributes `network_label` and `dataset_label`."""
    angle, ntk, limit = (statistics[name] for name in ("angle", "ntk", "limiting_ntk"))
    colours = style.width_colours(statistics["width"])
    times = statistics["time"].values
    panels = len(times) + (len(times) > 1)
    with style.paper():
        figure = Figure(figsize=(style.FULL_WIDTH, 2.5))
        row = figure.subplots(1, panels, squeeze=False)[0]
        for step, axes in enumerate(row[: len(times)]):
            if step:
                axes.sharey(row[0])
                axes.tick_params(labelleft=False)
            style.network_lines(axes, angle, ntk.isel(step=step), colours)
            axes.plot(angle, limit, **style.LIMIT)
            axes.set_title(style.time_text(times[step]))
            _mark_reference(axes, statistics.attrs["reference_angle"])
        row[0].set_ylabel(style.axis_label(ntk))
        if len(times) > 1:
            _draw_change(row[-1], statistics, colours)
        for axes in row:
            style.angle_axis(axes, angle)
        style.heading(figure, statistics, [*style.width_key(colours), style.limit_key()])
        return style.fixed_layout(figure)


def _draw_change(axes: Axes, profile: xr.Dataset, colours: dict[int, str]) -> None:
    """Draw the change of each kernel in training, with the limit, which is zero."""
    first, last = profile["time"].values[[0, -1]]
    change = profile["ntk"].isel(step=-1) - profile["ntk"].isel(step=0)
    style.network_lines(axes, profile["angle"], change, colours)
    axes.plot(profile["angle"], xr.zeros_like(profile["limiting_ntk"]), **style.LIMIT)
    axes.set_title(f"change, {style.time_text(first)} to ${last:g}$")


def _mark_reference(axes: Axes, angle: float) -> None:
    """Mark x_0 on the horizontal axis, with its name on the side away from the edge."""
    foot = axes.get_xaxis_transform()
    axes.plot(angle, 0, "^", color=style.INK, transform=foot, clip_on=False, zorder=4)
    shift, side = ((-4, 3), "right") if angle > 0 else ((4, 3), "left")
    axes.annotate("$x_0$", (angle, 0), shift, foot, "offset points", ha=side)


def tabulate(statistics: xr.Dataset) -> pd.DataFrame:
    """Distance of the profiles from their limit, one row per width and time.

    Norms are of L^2 over the circle, by the trapezoidal rule in the angle. Each column is a mean
    over initialisations, followed by its 95 % interval:

    - ``relative_error``: ||Theta - Theta_inf|| / ||Theta_inf||
    - ``inflation``: <Theta, Theta_inf> / ||Theta_inf||^2, the mean of Theta / Theta_inf with
      weights Theta_inf^2, which is defined even if the limit crosses zero
    - ``drift``: ||Theta(t) - Theta(0)|| / ||Theta(0)||, from the first recorded time
    """
    statistics = statistics.compute()
    network, limit = statistics["ntk"], statistics["limiting_ntk"]
    first = network.isel(step=0, drop=True)
    overlap = (network * limit).integrate("angle") / _norm(limit) ** 2
    error, drift = _norm(network - limit) / _norm(limit), _norm(network - first) / _norm(first)
    columns = {"relative_error": error, "inflation": overlap, "drift": drift}
    parts = [mean_with_interval(values, name, log=True) for name, values in columns.items()]
    summary = xr.merge(parts)
    dims = ["width", "step"]
    frame: pd.DataFrame = summary.to_dataframe(dims).reset_index()
    return frame[[*dims, "time", *summary.data_vars]]


def _norm(function: xr.DataArray) -> xr.DataArray:
    return (function**2).integrate("angle") ** 0.5
