"""Logarithmic axes of network width: ticks, limits, points of networks, power laws."""

import math

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    StrMethodFormatter,
)

from ntkflow.plotting import style

SHOWN_SEEDS = 50
"""Largest number of points per width; more only increase the size of the file."""

DIGIT_INCHES = 0.07  # width of a digit in a tick label, with some air


def beside(widths: np.ndarray, seeds: int) -> np.ndarray:
    """Abscissae (width, seed) that place networks of one width side by side around it."""
    shift = np.exp(0.14 * ((np.arange(seeds) + 0.5) / seeds - 0.5))
    return np.asarray(widths)[:, None] * shift


def log_limits(values: np.ndarray, room: float = 0.3) -> tuple[float, float]:
    """Vertical limits around the values above zero, with a fraction `room` for text above them."""
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return 0.1, 1.0
    decades = max(math.log10(values.max() / values.min()), 0.3)
    return values.min() * 10 ** (-0.08 * decades), values.max() * 10 ** (room * decades)


def set_width_limits(axes: Axes, widths: np.ndarray) -> None:
    """Set a logarithmic axis around the widths; a single width is in the middle."""
    axes.set_xscale("log")
    axes.set_xlim(widths.min() / 1.25, widths.max() * 1.25)


def draw_fit(axes: Axes, fit: xr.Dataset, widths: np.ndarray) -> list[Line2D]:
    """Draw the fitted power law from the first to the last of `widths`, labelled with its slope.

    `fit` contains the numbers ``exponent``, ``exponent_low``, ``exponent_high`` and ``prefactor``.
    """
    slope, low, high = (
        style.number(float(fit[name])) for name in ("exponent", "exponent_low", "exponent_high")
    )
    ends = widths[[0, -1]].astype(float)
    values = float(fit["prefactor"]) * ends ** float(fit["exponent"])
    label = f"slope {slope} [{low}, {high}]"
    return axes.plot(ends, values, color=style.BLUE, label=label)


def draw_slope(
    axes: Axes, start: tuple[float, float], last: float, exponent: float, label: str
) -> list[Line2D]:
    """Draw the slope of the theory from the point `start` to the width `last`, under the data."""
    widths = np.array([start[0], last])
    values = start[1] * (widths / widths[0]) ** exponent
    return axes.plot(widths, values, color=style.GREY, linewidth=2.2, zorder=1, label=label)


def width_ticks(axes: Axes, widths: np.ndarray, inches: float) -> None:
    """Set ticks at the measured widths, labelled from the widest down without overlap.

    `inches` is the approximate width of the axes with their labels.
    """
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


def value_ticks(axes: Axes, bottom: float, top: float) -> None:
    """Set ticks with plain numbers, equally spaced or at 1, 2, 5, 10, ... over a short range."""
    if top / bottom < 4:
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10)))
        axes.yaxis.set_minor_locator(NullLocator())
    elif top / bottom < 200:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    if bottom > 1e-5:
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
