"""Estimates from independent networks or draws, with jackknife errors and Student's t.

A statistic T is a smooth function of means over independent units: networks, draws, or batches of
them. Leaving out unit i of group w gives T_wi. With S_w units in a group and M_w the mean of T_wi,

    v_w       = (S_w - 1) / S_w sum_i (T_wi - M_w)^2
    error^2   = sum_w v_w
    degrees   = error^4 / sum_w v_w^2 / (S_w - 1)

(Efron & Tibshirani 1993, chapter 11; the degrees of freedom are those of Welch 1947). The interval
is T +- t error, with t from Student's distribution.

Positive statistics are estimated on the scale of their logarithm, where the distributions of their
means are nearly symmetric. `make benchcoverage` measures how often an interval of one mean covers,
here as log / linear; at 0.995, the level of each of ten simultaneous numbers, see docs/benchmarks.

======================  =============  =============  =============  =============
level 0.95              S = 4          S = 5          S = 10         S = 20
======================  =============  =============  =============  =============
normal                  0.95 / 0.95    0.95 / 0.95    0.95 / 0.95    0.95 / 0.95
log-normal, sigma 0.5   0.94 / 0.91    0.94 / 0.92    0.94 / 0.92    0.94 / 0.93
chi squared, 4 degrees  0.95 / 0.91    0.95 / 0.92    0.95 / 0.92    0.95 / 0.93
chi squared, 1 degree   0.94 / 0.81    0.94 / 0.83    0.94 / 0.86    0.94 / 0.89
======================  =============  =============  =============  =============
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit  # importing scipy.stats takes half a second

UNITS = 50
"""Most units of a group; more draws are averaged in batches."""


@dataclass(frozen=True)
class Estimate:
    """A statistic with its standard error, on the scale of its logarithm if `log`."""

    value: float
    error: float = 0.0  # standard error of `value`, or of its logarithm
    degrees: float = np.inf  # degrees of freedom of the error
    log: bool = False

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Ends of the equal-tailed interval; NaN if there is no error, as for a single unit."""
        if self.error == 0:
            return self.value, self.value
        reach = -stdtrit(min(self.degrees, 1e9), (1 - level) / 2) * self.error
        if self.log:
            return float(self.value * np.exp(-reach)), float(self.value * np.exp(reach))
        return float(self.value - reach), float(self.value + reach)

    def over(self, constant: float) -> "Estimate":
        """The statistic over a positive constant."""
        error = self.error if self.log else self.error / constant
        return Estimate(self.value / constant, error, self.degrees, self.log)


Statistic = Callable[[Sequence[NDArray[np.float64]]], float]


def jackknife(statistic: Statistic, groups: Sequence[ArrayLike], *, log: bool = False) -> Estimate:
    """Estimate a statistic of groups of independent units, each (unit, ...).

    `statistic` takes the groups, of which one may lack a unit. The error is NaN if a group has a
    single unit, or `log` and the statistic is not positive.
    """
    samples = [np.asarray(group, np.float64) for group in groups]

    def on_scale(values: Sequence[NDArray[np.float64]]) -> float:
        found = float(statistic(values))
        if not log:
            return found
        return float(np.log(found)) if found > 0 else np.nan

    value = float(statistic(samples))
    variances, degrees = [], []
    for place, sample in enumerate(samples):
        size = len(sample)
        if size < 2:
            return Estimate(value, np.nan, np.nan, log)
        rest = samples[:place], samples[place + 1 :]
        without = np.array(
            [
                on_scale([*rest[0], np.delete(sample, unit, axis=0), *rest[1]])
                for unit in range(size)
            ]
        )
        spread = np.sum((without - without.mean()) ** 2)
        variances.append((size - 1) / size * spread)
        degrees.append(size - 1)
    v, total = np.array(variances), float(np.sum(variances))
    freedom = total**2 / float(np.sum(v**2 / degrees)) if total else np.inf
    return Estimate(value, float(np.sqrt(total)), freedom, log)


def mean_with_interval(values: xr.DataArray, name: str, *, log: bool = False) -> xr.Dataset:
    """Mean over `seed` as `name`, with the ends of its 95 % interval as `name`_low and `name`_high.

    The interval is that of Student's t, for values from 0 with `log` on the scale of the logarithm.
    `values` has one number per initialisation along `seed`, NaN for an initialisation that does not
    exist; a single one has no interval.
    """
    seeds, mean = values.notnull().sum("seed"), values.mean("seed")
    deviation = values.std("seed", ddof=1) / np.sqrt(seeds)
    reach = deviation * xr.apply_ufunc(lambda size: stdtrit(size - 1, 0.975), seeds)
    low, high = mean - reach, mean + reach
    if log:
        factor = np.exp((reach / mean).where(mean > 0, reach))  # a mean of 0 has no deviation
        low, high = mean / factor, mean * factor
    return xr.Dataset({name: mean, f"{name}_low": low, f"{name}_high": high})


def batches(values: ArrayLike, units: int = UNITS) -> NDArray[np.float64]:
    """Means (unit, ...) of consecutive draws (draw, ...), in at most `units` batches of equal size.

    The batches are as small as possible. Draws that do not fill one, fewer than its size, are left
    out.
    """
    draws = np.asarray(values, np.float64)
    size = max(1, -(-len(draws) // units))
    count = len(draws) // size
    return draws[: count * size].reshape(count, size, *draws.shape[1:]).mean(axis=1)
