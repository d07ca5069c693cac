"""A statistic over a grid of widths, and the power law in n that is fitted to it.

Every value and every exponent has a jackknife error over initialisations. All widths have the same
weight in a fit: weights from the noise would favour narrow networks, where the next order in 1/n
bends the line. With a term for that order,

    log value = log prefactor + exponent log n + b / n,

the exponent is that of the leading order, and narrow widths need not be left out.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ntkflow.analysis.jackknife import Estimate, jackknife

DRIFT = "drift of the NTK during training"
"""Name of this quantity in a statistics store."""

DRIFT_BOUND = -0.5
"""Exponent in n that bounds the drift of the NTK during training (JGH Theorem 2; Lee et al. 2019).
The sharp order is -1 for smooth activations (Huang & Yau 2019; Dyer & Gur-Ari 2020), so a steeper
drift agrees."""

OfSample = Callable[[NDArray[np.float64]], float]
"""A positive statistic of the independent units (unit, ...) of one width."""


def mean_of(sample: NDArray[np.float64]) -> float:
    """Mean of the values (unit,)."""
    return float(sample.mean())


STORED = (
    *("exponent", "exponent_low", "exponent_high", "exponent_error", "exponent_degrees"),
    "prefactor",
)


class PowerLaw(NamedTuple):
    """value = prefactor x n^exponent x exp(b / n); b is 0 without a term of the next order."""

    exponent: Estimate
    prefactor: float
    b: float

    def stored(self) -> dict[str, float]:
        """Variables of a store of statistics."""
        exponent, (low, high) = self.exponent, self.exponent.interval()
        numbers = (exponent.value, low, high, exponent.error, exponent.degrees, self.prefactor)
        return dict(zip(STORED, numbers, strict=True))

    def __call__(self, widths: ArrayLike) -> NDArray[np.float64]:
        """Fitted values (width,)."""
        n = np.asarray(widths, np.float64)
        return np.asarray(self.prefactor * n**self.exponent.value * np.exp(self.b / n))


NO_FIT = PowerLaw(Estimate(np.nan, np.nan, np.nan), np.nan, np.nan)


def stored_exponent(store: xr.Dataset) -> Estimate:
    """Exponent from the variables () of a store."""
    value, error, degrees = (float(store[f"exponent{end}"]) for end in ("", "_error", "_degrees"))
    return Estimate(value, error, degrees)


def fit_power_law(
    widths: ArrayLike,
    samples: Sequence[ArrayLike],
    statistic: OfSample = mean_of,
    *,
    power: float = 1.0,
    next_order: bool = False,
) -> PowerLaw:
    """Least-squares fit of log statistic(sample)^power against log n and, if wanted, 1/n.

    One sample (unit, ...) per width; power 1/2 gives the root of a mean square. `NO_FIT` if there
    are fewer widths than terms, or a statistic is not positive.
    """
    n = np.asarray(widths, np.float64)
    columns = [np.log(n), np.ones_like(n), *([1 / n] if next_order else [])]
    if len(n) < len(columns):
        return NO_FIT
    design = np.linalg.pinv(np.stack(columns, axis=1)) * power

    def terms(groups: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        values = np.array([statistic(group) for group in groups])
        return np.asarray(design @ np.log(np.where(values > 0, values, np.nan)))

    exponent = jackknife(lambda groups: float(terms(groups)[0]), samples)
    if not np.isfinite(exponent.value):
        return NO_FIT
    _, intercept, *rest = terms([np.asarray(sample, np.float64) for sample in samples])
    return PowerLaw(exponent, float(np.exp(intercept)), float(sum(rest)))
