"""Test error of regression with the limiting kernels, against numbers of points or landmarks."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from ntkflow.plotting import style
from ntkflow.plotting.coordinates import marks_beside_ticks

KERNELS: dict[str, dict[str, Any]] = {
    "nngp": {"color": "#d55e00", "marker": "s", "label": r"NNGP kernel, $\Sigma^L$"},
    "ntk": {"color": style.BLUE, "marker": "o", "label": r"limiting NTK, $\Theta_\infty^L$"},
}
SHIFT = 0.008  # horizontal shift of each kernel, as a fraction of the axis
ROUNDING = 1e-9  # of 1 - accuracy, far less than one test point
FAINTEST = 0.3  # opacity of the curve with the fewest landmarks
ALL = 0  # coordinate of the regression on all points


def draw(statistics: xr.Dataset) -> Figure:
    """Draw a `kernel_regression` store with the attributes `network_label` and `dataset_label`.

    Errors are drawn against the training-set size, one curve for each number of landmarks. If there
    is one size, they are drawn against the number of landmarks.
    """
    with style.paper():
        figure = Figure(figsize=(style.HALF_WIDTH, 2.7))
        axes, errors = figure.subplots(), _errors(statistics)
        axes.set(xscale="log", yscale="log", ylim=_limits(errors))
        several = errors.sizes["landmarks"] > 1
        along = "landmarks" if several and errors.sizes["size"] == 1 else "size"
        ticks = errors[along].values
        ticks = ticks[ticks != ALL]
        left, right = ticks.min() / 1.25, ticks.max() * 1.25
        axes.set_xlim(left, right)
        for side, (name, look) in zip((-1, 1), KERNELS.items(), strict=True):
            scores, shift = errors.sel(kernel=name), (right / left) ** (side * SHIFT)
            if along == "size":
                _draw_curves(axes, scores, look, shift)
            else:
                _draw_landmarks(axes, scores.squeeze("size"), look, shift)
        if "landmarks" in statistics.dims:
            named = (along == "size") | (errors["landmarks"] == ALL)
            _label_curves(axes, errors.sel(kernel="ntk", landmarks=named))
        axes.set_xlabel(style.axis_label(statistics[along]))
        axes.set_ylabel(errors.attrs["long_name"])
        _ticks(axes, ticks, percent=errors.attrs["long_name"] == "test error")
        if several and along == "size":  # curves may be anywhere
            style.heading(figure, statistics, axes.get_legend_handles_labels()[0])
        else:
            axes.legend(loc="upper right")
            style.heading(figure, statistics)
        return style.fixed_layout(figure)


def _errors(statistics: xr.Dataset) -> xr.DataArray:
    """Test error with the ends of its interval (bound, kernel, landmarks, size).

    It is 1 - accuracy for one-hot targets, otherwise the mean square error.
    """
    all_points = statistics.drop_dims("landmarks", errors="ignore").expand_dims(landmarks=[ALL])
    found = [all_points] if statistics["squared_error"].notnull().any() else []
    if "landmarks" in statistics:
        prefix = "landmark_"
        names = [str(name) for name in statistics if str(name).startswith(prefix)]
        found.insert(0, statistics[names].rename({n: n.removeprefix(prefix) for n in names}))
    if all(scores["accuracy"].notnull().all() for scores in found):
        bounds, label = ("accuracy", "accuracy_high", "accuracy_low"), "test error"
        parts = [1 - scores[[*bounds]].to_array("bound") for scores in found]
    else:
        bounds = ("squared_error", "squared_error_low", "squared_error_high")
        parts, label = (
            [scores[[*bounds]].to_array("bound") for scores in found],
            "mean square error",
        )
    return xr.concat([part.drop_vars("bound") for part in parts], "landmarks").assign_attrs(
        long_name=label
    )


def _limits(errors: xr.DataArray) -> tuple[float, float]:
    """Limits around all errors and ends of intervals above zero, for a logarithmic axis."""
    drawn = errors.values[errors.values > ROUNDING]
    return (drawn.min() / 1.5, drawn.max() * 1.5) if drawn.size else (0.01, 1.0)


def _draw_curves(axes: Axes, errors: xr.DataArray, look: dict[str, Any], shift: float) -> None:
    """Draw errors against sizes, fainter for fewer landmarks."""
    counts = errors["landmarks"].values
    for count, alpha in zip(counts, np.linspace(1, FAINTEST, len(counts))[::-1], strict=True):
        label = look["label"] if count == counts[-1] else None
        x = errors["size"].values * shift
        _draw_errors(axes, x, errors.sel(landmarks=count), {**look, "alpha": alpha, "label": label})


def _label_curves(axes: Axes, errors: xr.DataArray) -> None:
    """Write the number of landmarks of each curve at its end."""
    ends = errors.isel(bound=0, size=-1)
    names = ["all points" if m == ALL else f"$m = {m:,}$" for m in errors["landmarks"].values]
    heights = dict(zip(names, ends.where(ends > ROUNDING).values, strict=True))
    style.label_line_ends(axes, heights, dict.fromkeys(names, KERNELS["ntk"]["color"]))


def _draw_landmarks(axes: Axes, errors: xr.DataArray, look: dict[str, Any], shift: float) -> None:
    """Draw errors against numbers of landmarks, and that of all points as a level."""
    some = errors.sel(landmarks=errors["landmarks"] != ALL)
    _draw_errors(axes, some["landmarks"].values * shift, some, look)
    for level in errors.isel(bound=0).sel(landmarks=errors["landmarks"] == ALL).values:
        axes.axhline(level, color=look["color"], linestyle="dashed", linewidth=1.0, zorder=1)


def _draw_errors(axes: Axes, x: np.ndarray, errors: xr.DataArray, look: dict[str, Any]) -> None:
    """Draw the errors of one kernel with 95 % intervals; for an error of 0, only the interval."""
    error, low, high = errors.values
    bottom, _ = axes.get_ylim()
    bars = {"color": look["color"], "linewidth": 1.0, "alpha": look.get("alpha")}
    axes.vlines(x, np.maximum(low, bottom), high, **bars)
    shown = np.where(error > ROUNDING, error, np.nan)
    axes.plot(x, shown, markersize=3.5, linewidth=1.0, markeredgewidth=0, **look)


def _ticks(axes: Axes, numbers: np.ndarray, *, percent: bool) -> None:
    axes.set_xticks(numbers, [f"{number:,}" for number in numbers])
    marks_beside_ticks(axes)
    axes.tick_params(axis="x", rotation=45 if len(numbers) > 5 else 0)
    axes.xaxis.set_minor_locator(NullLocator())
    if percent:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def tabulate(statistics: xr.Dataset) -> pd.DataFrame:
    """One row per kernel and training-set size; with landmarks also per number of them.

    Columns without any number are left out.
    """
    scores = [f"{s}{end}" for s in ("accuracy", "squared_error") for end in ("", "_low", "_high")]
    ordered = [*scores, "iterations", *(f"landmark_{score}" for score in scores)]
    names = [name for name in ordered if name in statistics]
    dims = [dim for dim in ("kernel", "landmarks", "size") if dim in statistics.dims]
    frame: pd.DataFrame = statistics[names].compute().to_dataframe(dims).reset_index()
    return frame[[*dims, *names]].dropna(axis="columns", how="all")
