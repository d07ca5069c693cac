"""A statistic over a grid of widths, and the power law in n that is fitted to it.

Every value and every exponent has a 95 % interval from a bootstrap over initialisations. Seeds are
resampled within each width, and the line is fitted to each resample. Means have the expanded
percentile interval of `bootstrap`. Exponents have the plain one, because a slope pools the degrees
of freedom of all widths. With six widths and S = 5, 10 and 20 initialisations, the interval of a
slope covers 0.91, 0.93 and 0.94 for normal values, and 0.91, 0.92 and 0.93 for log-normal values
with sigma 0.5 (4000 trials).

All widths have the same weight in a fit. Weights from the noise would favour narrow networks, where
the next order in 1/n bends the line, and the interval would miss the exponent far more often than
its nominal level.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ntkflow.analysis.bootstrap import interval_of_mean, percentile_interval, resampled_means

DRIFT = "drift of the NTK during training"
"""Name of this quantity in a statistics store."""

DRIFT_BOUND = -0.5
"""Exponent in n that bounds the drift of the NTK during training (JGH Theorem 2; Lee et al. 2019).
The sharp order is -1 (Huang & Yau 2019; Dyer & Gur-Ari 2020), so a steeper drift agrees."""


class Estimate(NamedTuple):
    """A statistic at one width."""

    value: float
    interval: NDArray[np.float64]
    """Lower and upper ends (2,) of the 95 % interval."""
    replicates: NDArray[np.float64]
    """Bootstrap replicates of `value`, (replicate,)."""
    spread: NDArray[np.float64]
    """Statistic of each initialisation (seed,); empty if it is defined for the ensemble only."""


class PowerLaw(NamedTuple):
    """value = prefactor x n^exponent, with the bootstrap interval of the exponent."""

    exponent: float
    exponent_low: float
    exponent_high: float
    prefactor: float


def estimate_mean(
    values: NDArray[np.float64], replicates: int, rng: np.random.Generator
) -> Estimate:
    """Mean of `values` (seed,) with its interval, which is NaN for a single initialisation."""
    means = resampled_means(values, replicates, rng)
    return Estimate(float(values.mean()), interval_of_mean(means, len(values)), means, values)


def fit_power_law(
    widths: NDArray[np.int64], values: NDArray[np.float64], replicates: NDArray[np.float64]
) -> PowerLaw:
    """Least-squares fit of log value against log n, with the percentile interval of the slope.

    Widths and positive values are (width,), bootstrap replicates of the values (replicate, width).
    At each width replicates are clipped below at their 2.5 % quantile, because a replicate of 0 has
    no logarithm. With fewer than two widths all results are NaN.
    """
    if len(widths) < 2:
        return PowerLaw(np.nan, np.nan, np.nan, np.nan)
    log_width = np.log(widths)
    design = np.linalg.pinv(np.stack([log_width, np.ones_like(log_width)], axis=1))
    slope, intercept = design @ np.log(values)
    floor = percentile_interval(replicates)[0]
    slopes = np.log(np.maximum(replicates, floor)) @ design[0]
    low, high = percentile_interval(slopes)
    return PowerLaw(float(slope), float(low), float(high), float(np.exp(intercept)))
