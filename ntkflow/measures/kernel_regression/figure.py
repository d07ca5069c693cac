"""Test error of regression with the limiting kernels, against the number of training points."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from ntkflow.plotting import style

KERNELS: dict[str, dict[str, Any]] = {
    "nngp": {"color": "#d55e00", "marker": "s", "label": r"NNGP kernel, $\Sigma^L$"},
    "ntk": {"color": style.BLUE, "marker": "o", "label": r"limiting NTK, $\Theta_\infty^L$"},
}
SHIFT = 0.008  # horizontal shift of each kernel, as a fraction of the axis
ROUNDING = 1e-9  # of 1 - accuracy, far less than one test point


def draw(statistics: xr.Dataset) -> Figure:
    """Draw a `kernel_regression` store with the attributes `network_label` and `dataset_label`."""
    with style.paper():
        figure = Figure(figsize=(style.HALF_WIDTH, 2.7))
        axes = figure.subplots()
        axes.set(xscale="log", yscale="log", ylim=_limits(statistics))
        sizes = statistics["size"].values
        left, right = sizes.min() / 1.25, sizes.max() * 1.25
        for side, (name, look) in zip((-1, 1), KERNELS.items(), strict=True):
            shift = (right / left) ** (side * SHIFT)
            _draw_kernel(axes, statistics.sel(kernel=name), look, shift)
        axes.set_xlim(left, right)
        axes.set_xlabel(style.axis_label(statistics["size"]))
        axes.set_ylabel("test error")
        _ticks(axes, sizes)
        axes.legend(loc="upper right")
        style.heading(figure, statistics)
        return style.fixed_layout(figure)


def _draw_kernel(axes: Axes, scores: xr.Dataset, look: dict[str, Any], shift: float) -> None:
    """Draw the error of one kernel with its 95 % interval; for an error of 0, only the interval."""
    size = scores["size"].values * shift
    error, low, high = _errors(scores)
    bottom, _ = axes.get_ylim()
    axes.vlines(size, np.maximum(low, bottom), high, color=look["color"], linewidth=1.0)
    shown = np.where(error > ROUNDING, error, np.nan)
    axes.plot(size, shown, markersize=3.5, linewidth=1.0, markeredgewidth=0, **look)


def _errors(scores: xr.Dataset) -> np.ndarray:
    """Test error and the ends of its interval, along the first axis."""
    names = ("accuracy", "accuracy_high", "accuracy_low")
    return np.stack([1 - scores[name].values for name in names])


def _limits(statistics: xr.Dataset) -> tuple[float, float]:
    """Limits around all errors and ends of intervals above zero, for a logarithmic axis."""
    errors = _errors(statistics)
    drawn = errors[errors > ROUNDING]
    return (drawn.min() / 1.5, drawn.max() * 1.5) if drawn.size else (0.01, 1.0)


def _ticks(axes: Axes, sizes: np.ndarray) -> None:
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.tick_params(axis="x", rotation=45 if len(sizes) > 5 else 0)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def tabulate(statistics: xr.Dataset) -> pd.DataFrame:
    """One row per kernel and training-set size."""
    names = ["accuracy", "accuracy_low", "accuracy_high", "squared_error", "iterations"]
    dims = ["kernel", "size"]
    frame: pd.DataFrame = statistics[names].compute().to_dataframe(dims).reset_index()
    return frame[[*dims, *names]]
