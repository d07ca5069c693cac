"""Network functions on the circle against percentiles of the limiting Gaussian (JGH Figure 2)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import scipy.stats
import xarray as xr
from numpy.typing import NDArray

from ntkflow.analysis.bootstrap import mean_with_interval
from ntkflow.analysis.ensembles import circle_points, stack_widths
from ntkflow.stores.schema import conform

__all__ = ["measure_function_bands", "tabulate"]


def measure_function_bands(
    ensembles: Mapping[int, xr.Dataset],
    gaussian: xr.Dataset,
    dataset: xr.Dataset,
    quantiles: Sequence[float] = (0.1, 0.5, 0.9),
) -> xr.Dataset:
    """Network functions and Gaussian percentiles at each time of the Gaussian.

    Networks are taken at their last recorded step for the time infinity, and at the nearest
    recorded step otherwise. Of several outputs the first is taken.

    Parameters
    ----------
    ensembles
        "ensemble" stores by width.
    gaussian
        The "gaussian" store of the same points: mean and variance of f_t in the limit.
    dataset
        The "dataset" store, for the training targets.
    quantiles
        Probability levels of the percentiles, at least two.

    Returns
    -------
    xr.Dataset
        A "function_bands" store, over the test points by increasing angle.

    Raises
    ------
    ValueError
        If the points have no angle, none is a test point, or no recorded time lies within 1 % or
        one training step of a time of the Gaussian.
    """
    points = circle_points(gaussian)
    times = gaussian["time"].to_numpy()
    functions = stack_widths(
        {width: _at_times(ensemble, times, points) for width, ensemble in ensembles.items()}
    )
    law = gaussian.isel(sample=points, output=0, drop=True).reset_coords(drop=True).compute()
    level = xr.DataArray(list(quantiles), dims="quantile")
    z = xr.DataArray(scipy.stats.norm.ppf(level), dims="quantile")
    train = dataset.isel(sample=np.flatnonzero(dataset["is_train"]), output=0)
    bands = xr.Dataset(
        {
            "f": functions,
            "percentile": (law["mean"] + z * np.sqrt(law["variance"])).astype(np.float64),
            "train_y": ("train_sample", train["y"].to_numpy().astype(np.float64)),
        },
        coords={
            "quantile": level,
            "angle": ("sample", gaussian["angle"].to_numpy()[points]),
            "train_angle": ("train_sample", train["angle"].to_numpy()),
        },
    )
    return conform(bands, "function_bands")


def _at_times(
    ensemble: xr.Dataset, times: NDArray[np.float64], points: NDArray[np.intp]
) -> xr.DataArray:
    """f of output 0 (seed, time, sample) at the records nearest to `times`."""
    records = [_nearest_record(ensemble, time) for time in times]
    selected = ensemble["f"].isel(step=records, sample=points, output=0, drop=True)
    network_times = selected["time"].to_numpy()
    bare = selected.drop_vars("step").reset_coords(drop=True).rename(step="time")
    return (
        bare.astype(np.float64)
        .compute()
        .assign_coords(time=times, network_time=("time", network_times))
    )


def _nearest_record(ensemble: xr.Dataset, time: float) -> int:
    recorded = ensemble["time"].to_numpy()
    if np.isposinf(time):
        return len(recorded) - 1
    nearest = int(np.argmin(np.abs(recorded - time)))
    learning_rate = recorded[-1] / max(int(ensemble["step"][-1]), 1)
    if abs(recorded[nearest] - time) > max(0.01 * time, learning_rate):
        raise ValueError(
            f"time {time:g}: the nearest recorded time is {recorded[nearest]:g}, expected one "
            f"within 1 % or one step ({learning_rate:g}); record a step there or train longer"
        )
    return nearest


def tabulate(statistics: xr.Dataset) -> pd.DataFrame:
    """How well networks follow the limiting Gaussian, one row a width and a time.

    - ``inside``: share of (network, point) pairs between the lowest and the highest percentile,
      with its 95 % bootstrap interval over networks (points of one network are not independent),
      and ``inside_expected``, the share of the Gaussian
    - ``mean_distance``: root mean square over points of the ensemble's mean less the Gaussian's,
      and ``mean_distance_expected``, what as many draws from the Gaussian itself would show
    """
    statistics = statistics.compute()
    f, band = statistics["f"], statistics["percentile"].sortby("quantile")
    low, high = band.isel(quantile=0, drop=True), band.isel(quantile=-1, drop=True)
    share = ((low <= f) & (f <= high)).where(f.notnull()).mean("sample")
    level = band["quantile"].to_numpy()[[0, -1]]
    z = scipy.stats.norm.ppf(level)
    deviation = (high - low) / (z[1] - z[0])
    mean = low - z[0] * deviation
    networks = f.notnull().all("sample").sum("seed")
    summary = mean_with_interval(share, "inside").assign(
        inside_expected=level[1] - level[0],
        mean_distance=_root_mean_square(f.mean("seed") - mean),
        mean_distance_expected=_root_mean_square(deviation) / np.sqrt(networks),
    )
    columns = ["width", "time", "network_time", *summary.data_vars]
    return summary.to_dataframe().reset_index()[columns]


def _root_mean_square(function: xr.DataArray) -> xr.DataArray:
    return (function**2).mean("sample") ** 0.5
