"""The NTK between one point of the circle and all others, before and after training (JGH Figure 1).

One line a network, coloured by width: a panel for each recorded time, then one for the change from
the first to the last, which vanishes in the limit (JGH Theorem 2).
"""

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkflow.figures import style

__all__ = ["draw"]


def draw(statistics: xr.Dataset) -> Figure:
    """Draw the figure.

    Parameters
    ----------
    statistics
        A `kernel_profile` store: ``ntk`` (width, seed, step, sample), ``limiting_ntk`` (sample),
        ``angle`` (sample); attributes ``network_label``, ``dataset_label``, ``reference_angle``.
    """
    profile = statistics.sortby("angle")
    colours = style.width_colours(profile["width"])
    times = profile["time"].values
    panels = len(times) + (len(times) > 1)
    with style.paper():
        figure = Figure(figsize=(style.FULL_WIDTH, 2.5))
        row = figure.subplots(1, panels, squeeze=False)[0]
        for step, axes in enumerate(row[: len(times)]):
            if step:
                axes.sharey(row[0])
                axes.tick_params(labelleft=False)
            _draw_kernel(axes, profile.isel(step=step), colours)
            _mark_reference(axes, statistics.attrs["reference_angle"])
        row[0].set_ylabel(style.axis_label(profile["ntk"]))
        if len(times) > 1:
            _draw_change(row[-1], profile, colours)
        for axes in row:
            style.angle_axis(axes, profile["angle"])
        style.heading(figure, statistics, [*style.width_key(colours), style.limit_key()])
        return style.fixed_layout(figure)


def _draw_kernel(axes: Axes, profile: xr.Dataset, colours: dict[int, str]) -> None:
    """The kernel of every network at one time, with the limit."""
    style.network_lines(axes, profile["angle"], profile["ntk"], colours)
    style.limit_line(axes, profile["angle"], profile["limiting_ntk"])
    axes.set_title(style.time_text(float(profile["time"])))


def _draw_change(axes: Axes, profile: xr.Dataset, colours: dict[int, str]) -> None:
    """What training changed in the kernel of every network, with the limit, no change."""
    first, last = profile["time"].values[[0, -1]]
    change = profile["ntk"].isel(step=-1) - profile["ntk"].isel(step=0)
    style.network_lines(axes, profile["angle"], change, colours)
    style.limit_line(axes, profile["angle"], xr.zeros_like(profile["limiting_ntk"]))
    axes.set_title(f"change, {style.time_text(first)} to ${last:g}$")


def _mark_reference(axes: Axes, angle: float) -> None:
    """Mark x_0 on the horizontal axis, its name on the side away from the edge."""
    foot = axes.get_xaxis_transform()
    axes.plot(angle, 0, "^", color=style.INK, transform=foot, clip_on=False, zorder=4)
    side = -1 if angle > 0 else 1
    axes.annotate(
        "$x_0$",
        (angle, 0),
        xycoords=foot,
        xytext=(4 * side, 3),
        textcoords="offset points",
        ha="right" if side < 0 else "left",
    )
