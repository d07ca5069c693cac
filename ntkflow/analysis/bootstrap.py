"""Percentile bootstrap over initialisations (Efron & Tibshirani 1993, chapter 13).

Resamples of S values have S - 1 members, so that the variance of their mean is the unbiased s^2 / S
(Rao & Wu 1988); with S members it would be smaller by the factor (S - 1) / S, which matters for
ensembles of ten networks or fewer.
"""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

__all__ = [
    "REPLICATES",
    "mean_with_interval",
    "percentile_interval",
    "resampled_means",
    "resampling_weights",
]

CONFIDENCE = 0.95
REPLICATES = 1000
BATCH_ENTRIES = 2**22
"""Weights held at once: 32 MB, whatever the number of draws."""


def resampling_weights(
    draws: int, replicates: int, rng: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """Weights (replicate, draw), batch by batch, whose product with values is resampled means.

    Each row sums to 1. A single draw cannot be resampled: its weights are NaN, and so is every
    interval made with them.
    """
    size = draws - 1
    batch = max(1, BATCH_ENTRIES // draws)
    for start in range(0, replicates, batch):
        rows = min(batch, replicates - start)
        if size == 0:
            yield np.full((rows, draws), np.nan)
        else:
            yield rng.multinomial(size, np.full(draws, 1 / draws), size=rows) / size


def resampled_means(
    values: NDArray[np.float64], replicates: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Bootstrap replicates (replicate,) of the mean of `values` (draw,)."""
    weights = resampling_weights(len(values), replicates, rng)
    return np.concatenate([batch @ values for batch in weights])


def percentile_interval(replicates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower and upper end (2, ...) of the equal-tailed 95 % interval over the first axis."""
    tail = (1 - CONFIDENCE) / 2
    return np.quantile(replicates, [tail, 1 - tail], axis=0)


def _interval_of_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    present = values[~np.isnan(values)]
    if len(present) == 0:
        return np.full(2, np.nan)
    return percentile_interval(resampled_means(present, REPLICATES, np.random.default_rng(0)))


def mean_with_interval(values: xr.DataArray, name: str) -> xr.Dataset:
    """Mean over `seed` as `name`, its 95 % bootstrap interval as `name`_low and `name`_high.

    `values` holds one number an initialisation; NaN marks an initialisation that does not exist.
    The resampling is the same at every call, so equal input gives equal intervals.
    """
    interval = xr.apply_ufunc(
        _interval_of_mean,
        values,
        input_core_dims=[["seed"]],
        output_core_dims=[["bound"]],
        vectorize=True,
    )
    return xr.Dataset(
        {
            name: values.mean("seed"),
            f"{name}_low": interval.isel(bound=0),
            f"{name}_high": interval.isel(bound=1),
        }
    )
