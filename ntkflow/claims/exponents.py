"""Numbers from several initialisations: means, and exponents of power laws in n or in P."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ntkflow.analysis.bootstrap import REPLICATES, interval_of_mean, resampled_means
from ntkflow.analysis.power_law import DRIFT, Estimate, estimate_mean, fit_power_law
from ntkflow.claims.evidence import Quantity, Relation, Series

__all__ = ["TOLERANCE", "exponent", "fitted", "from_statistics", "mean"]

TOLERANCE, RESOLUTION = 0.1, 0.25
"""Of exponents: what the next order may add over the widths at hand; and a quarter, because the
exponents to be told apart, 0, -1/2 and -1, lie half a unit from each other."""


def mean(
    name: str,
    values: ArrayLike,
    relation: Relation,
    expected: float,
    tolerance: float,
    resolution: float = np.inf,
) -> Quantity:
    """The mean of independent values (seed,) with its 95 % bootstrap interval."""
    draws = np.asarray(values, np.float64)
    replicates = resampled_means(draws, REPLICATES, np.random.default_rng(0))
    low, high = interval_of_mean(replicates, len(draws))
    return Quantity(name, float(draws.mean()), low, high, relation, expected, tolerance, resolution)


def exponent(
    name: str,
    by_width: Mapping[int, ArrayLike],
    expected: float,
    relation: Relation = "equals",
    *,
    power: float = 1.0,
) -> tuple[Quantity, list[Series]]:
    """Exponent in n of the mean over initialisations, and the points and line that show it.

    Parameters
    ----------
    by_width
        Positive values (seed,) by width n, or by the number P of functions.
    power
        The statistic is the mean to this power: 1/2 makes a root mean square of squares.
    """
    widths = np.array(sorted(by_width))
    estimates = [
        _to_power(
            estimate_mean(
                np.asarray(by_width[n], np.float64), REPLICATES, np.random.default_rng([0, int(n)])
            ),
            power,
        )
        for n in widths
    ]
    return fitted(name, widths, estimates, expected, relation)


def _to_power(estimate: Estimate, power: float) -> Estimate:
    if power == 1:
        return estimate
    return Estimate(
        float(estimate.value**power),
        estimate.interval**power,
        estimate.replicates**power,
        estimate.spread**power,
    )


def fitted(
    name: str,
    widths: NDArray[np.int64],
    estimates: Sequence[Estimate],
    expected: float,
    relation: Relation = "equals",
) -> tuple[Quantity, list[Series]]:
    """As `exponent`, from estimates that are at hand."""
    values = np.array([e.value for e in estimates])
    law = fit_power_law(widths, values, np.array([e.replicates for e in estimates]).T)
    quantity = Quantity(
        name,
        law.exponent,
        law.exponent_low,
        law.exponent_high,
        relation,
        expected,
        TOLERANCE,
        RESOLUTION,
    )
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


def from_statistics(statistics: xr.Dataset) -> list[Quantity]:
    """The exponents that a "width_scaling" or a "kernel_drift" store holds.

    The drift of the kernel has a bound, the others a value.
    """
    if statistics.attrs["store"] == "kernel_drift":
        statistics = statistics.expand_dims(quantity=[DRIFT])
    found = []
    for name in statistics["quantity"].values.tolist():
        part = statistics.sel(quantity=name)
        relation: Relation = "at most" if name == DRIFT else "equals"
        value, low, high, expected = (
            float(part[key]) for key in ("exponent", "exponent_low", "exponent_high", "expected")
        )
        label = f"exponent of the {name}"
        found.append(Quantity(label, value, low, high, relation, expected, TOLERANCE, RESOLUTION))
    return found
