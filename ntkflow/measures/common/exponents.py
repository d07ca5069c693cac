"""Quantities from several initialisations: means, and exponents of power laws in n or P."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ntkflow.analysis.bootstrap import REPLICATES, percentile_interval, resampling_weights
from ntkflow.analysis.power_law import Estimate, estimate_mean, fit_power_law
from ntkflow.measures.common.evidence import Quantity, Relation, Series

TOLERANCE, RESOLUTION = 0.1, 0.25
"""Margin and resolution of exponents. The next order in 1/n contributes about the margin over the
given widths. The resolution distinguishes 0, -1/2 and -1."""


def mean(
    name: str,
    values: ArrayLike,
    relation: Relation,
    expected: float,
    tolerance: float,
    resolution: float = np.inf,
) -> Quantity:
    """Mean of independent values (seed,) with its 95 % bootstrap interval."""
    draws, random = np.asarray(values, np.float64), np.random.default_rng(0)
    value, (low, high), *_ = estimate_mean(draws, REPLICATES, random)
    return Quantity(name, value, low, high, relation, expected, tolerance, resolution)


def resampled(statistic: Callable[[np.ndarray], np.ndarray], draws: int) -> Estimate:
    """Statistic of weights (replicate, draw) of the draws: equal ones, and those of a bootstrap."""
    value = float(statistic(np.full((1, draws), 1 / draws))[0])
    weights = resampling_weights(draws, REPLICATES, np.random.default_rng(0))
    replicates = np.concatenate([statistic(batch) for batch in weights])
    return Estimate(value, percentile_interval(replicates), replicates, np.empty(0))


def exponent(
    name: str,
    by_width: Mapping[int, ArrayLike],
    expected: float,
    relation: Relation = "equals",
    *,
    power: float = 1.0,
) -> tuple[Quantity, list[Series]]:
    """Exponent in n of the mean over initialisations, and the points and line that show it.

    The values (seed,) by width n, or by the number P of functions, are positive. The mean is
    raised to a power before the fit: 1/2 gives the root mean square of squared values.
    """
    widths = np.array(sorted(by_width))
    estimates = []
    for n in widths:
        values, random = np.asarray(by_width[n], np.float64), np.random.default_rng([0, int(n)])
        of_mean = estimate_mean(values, REPLICATES, random)
        estimates.append(Estimate._make(part**power for part in of_mean))
    return fitted(name, widths, estimates, expected, relation)


def fitted(
    name: str,
    widths: NDArray[np.int64],
    estimates: Sequence[Estimate],
    expected: float,
    relation: Relation = "equals",
) -> tuple[Quantity, list[Series]]:
    """Exponent, points and line as from `exponent`, from given estimates."""
    values = np.array([e.value for e in estimates])
    law = fit_power_law(widths, values, np.array([e.replicates for e in estimates]).T)
    quantity = Quantity(name, *law[:3], relation, expected, TOLERANCE, RESOLUTION)
    low, high = np.array([e.interval for e in estimates]).T
    ends = widths[[0, -1]].astype(np.float64)
    slope = f"{law.exponent:.2f} [{law.exponent_low:.2f}, {law.exponent_high:.2f}]"
    guide = values[0] * (ends / ends[0]) ** expected
    theory = {"equals": "expected slope", "at most": "bound", "at least": "bound"}[relation]
    return quantity, [
        Series(f"{theory} {expected:g}".replace("-", "−"), ends, guide, look="guide"),
        Series(f"slope {slope}".replace("-", "−"), ends, law.prefactor * ends**law.exponent),
        Series("", widths, values, low, high, look="points"),
    ]


def recorded(statistics: xr.Dataset, name: str, relation: Relation) -> Quantity:
    """Quantity from the variables ``exponent`` to ``expected`` () of a store."""
    value, low, high, expected = (
        float(statistics[key]) for key in ("exponent", "exponent_low", "exponent_high", "expected")
    )
    label = f"exponent of the {name}"
    return Quantity(label, value, low, high, relation, expected, TOLERANCE, RESOLUTION)
