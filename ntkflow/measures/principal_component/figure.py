"""Training along one kernel principal component (JGH Figure 3).

(a) The training points in the plane of the eigenfunction of that component and the next.
(b) Deviation of networks from the straight line to the goal, ||h_t||. (c) Remaining distance,
||g_t||.
"""

import matplotlib
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ntkflow.plotting import style


def draw(statistics: xr.Dataset) -> Figure:
    """Draw a `principal_component` store with the attributes `network_label`, `dataset_label`."""
    colours = style.width_colours(statistics["width"])
    with style.paper():
        figure = Figure(figsize=(style.FULL_WIDTH, 2.6))
        plane, across, along = figure.subplots(1, 3, width_ratios=[1.15, 1, 1])
        _draw_plane(plane, statistics)
        _draw_across(across, statistics, colours)
        _draw_along(along, statistics, colours)
        for letter, axes in zip("abc", (plane, across, along), strict=True):
            axes.set_title(f"({letter})", loc="left", fontweight="bold")
        style.heading(figure, statistics)
        return style.fixed_layout(figure)


def _draw_plane(axes: Axes, statistics: xr.Dataset) -> None:
    """Draw the training points in the plane of two eigenfunctions, with labels as digits."""
    component = int(statistics.attrs["component"])
    x, y = (statistics["eigenfunction"].sel(component=i) for i in (component, component + 1))
    if "label" in statistics:
        _draw_digits(axes, x, y, statistics["label"])
    else:
        axes.plot(x, y, ".", color=style.BLUE, alpha=0.6, markersize=4, markeredgewidth=0)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel(_eigenfunction_label(statistics, component))
    axes.set_ylabel(_eigenfunction_label(statistics, component + 1))


def _draw_digits(axes: Axes, x: xr.DataArray, y: xr.DataArray, labels: xr.DataArray) -> None:
    """Mark points by their digit; colour (Petroff 2021) repeats what the shape shows."""
    palette = matplotlib.color_sequences["petroff10"]
    for digit in sorted({int(label) for label in labels.values}):
        shown = labels == digit
        axes.plot(
            x[shown],
            y[shown],
            linestyle="none",
            marker=rf"$\mathbf{{{digit}}}$",
            markersize=4.5,
            markeredgewidth=0,
            color=0.78 * np.array(to_rgb(palette[digit % len(palette)])),  # darker: glyphs are thin
        )


def _eigenfunction_label(statistics: xr.Dataset, component: int) -> str:
    """Label of an axis along an eigenfunction."""
    name = statistics["eigenfunction"].attrs["symbol"].replace("(i)", f"({component})")
    return f"eigenfunction, ${name}$"


def _draw_across(axes: Axes, statistics: xr.Dataset, colours: dict[int, str]) -> None:
    """Draw the deviation from the straight line, zero in the limit, with widths at line ends."""
    time, across = statistics["time"], statistics["across"]
    style.network_lines(axes, time, across, colours)
    _time_axis(axes, time, across)
    last = across.isel(step=-1).mean("seed")
    heights = {style.width_text(width): float(last.sel(width=width)) for width in colours}
    style.label_line_ends(axes, heights, dict(zip(heights, colours.values(), strict=True)))


def _draw_along(axes: Axes, statistics: xr.Dataset, colours: dict[int, str]) -> None:
    """Draw the remaining distance along the component, with its limit."""
    time, along = statistics["time"], statistics["along"]
    style.network_lines(axes, time, along, colours)
    axes.plot(time, statistics["limiting_along"], **style.LIMIT)
    _time_axis(axes, time, along)
    axes.legend(handles=[style.limit_key()], loc="upper right")


def _time_axis(axes: Axes, time: xr.DataArray, drawn: xr.DataArray) -> None:
    """Label both axes and start them at zero."""
    axes.set_xlim(0, float(time.max()))
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel(style.axis_label(time))
    axes.set_ylabel(style.axis_label(drawn, wrap=24), linespacing=style.LINE_SPACING)


JGH_EIGENVALUES = {1: 0.0457, 2: 0.00108, 3: 0.00078}
"""JGH Section 6: empirical NTK of one network of width 10000 on 512 digits of MNIST."""


def tabulate(statistics: xr.Dataset) -> pd.DataFrame:
    """Eigenvalues of Theta(X, X) / N, one row per component.

    Columns: those of the limiting kernel; mean and standard deviation over the widest networks at
    t = 0; and the three that JGH Section 6 gives for MNIST (one network of width 10000), else NaN.
    The last are those of MNIST for every data set.
    """
    widest = int(statistics["width"].max())
    networks = statistics["network_eigenvalue"].sel(width=widest).transpose("seed", "component")
    sample = pd.DataFrame(networks.to_numpy(), columns=statistics["component"].to_numpy()).dropna()
    return pd.DataFrame(
        {
            "component": sample.columns,
            "limiting_eigenvalue": statistics["eigenvalue"].to_numpy(),
            "network_width": widest,
            "network_mean": sample.mean().to_numpy(),
            "network_deviation": sample.std(ddof=1).to_numpy(),
            "jgh_2018_mnist": [JGH_EIGENVALUES.get(int(i), np.nan) for i in sample.columns],
        }
    )
