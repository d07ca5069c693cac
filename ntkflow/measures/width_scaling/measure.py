"""Approach to the infinite-width limit over a grid of widths, with fitted exponents.

Intervals and fits are those of `jackknife` and `power_law`. All widths of a fit have equal weight.
The bias is estimated from its square, without the noise of the mean over draws, and fits use it
where the lower end of the interval of the square is above zero.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from ntkflow.analysis import convergence, power_law
from ntkflow.analysis.ensembles import recorded_kernels
from ntkflow.analysis.jackknife import Estimate, batches, jackknife
from ntkflow.analysis.power_law import DRIFT, DRIFT_BOUND, OfSample, mean_of
from ntkflow.measures.common.evidence import Quantity, Relation
from ntkflow.measures.common.laws import SLOPE_MARGIN, SLOPE_REASON
from ntkflow.measures.common.sources import Sources
from ntkflow.stores.schema import conform
from ntkflow.stores.tolerances import TRAINED
from ntkflow.stores.variables import QUANTITY, SEED, WIDTH, Schema, Variable

BY_WIDTH = ("quantity", "width")
SCHEMA = Schema(
    "width_scaling",
    "Approach of finite networks to the limit, with fitted exponents (JGH Theorems 1, 2)",
    {
        "value": Variable(BY_WIDTH, "statistic at one width"),
        "value_low": Variable(BY_WIDTH, "lower end of its 95 % interval"),
        "value_high": Variable(BY_WIDTH, "upper end of its 95 % interval"),
        "used": Variable(BY_WIDTH, "whether the fit uses it", kinds="b"),
        "spread": Variable((*BY_WIDTH, "seed"), "statistic of one initialisation; NaN if none"),
        "exponent": Variable(("quantity",), "slope of log value against log n"),
        "exponent_low": Variable(("quantity",), "lower end of its 95 % interval"),
        "exponent_high": Variable(("quantity",), "upper end of its 95 % interval"),
        "exponent_error": Variable(("quantity",), "standard error of the slope"),
        "exponent_degrees": Variable(("quantity",), "degrees of freedom of the error"),
        "prefactor": Variable(("quantity",), "value of the fitted line at n = 1"),
        "seeds": Variable(("quantity",), "fewest initialisations of a fitted width"),
        "expected": Variable(("quantity",), "exponent the theory gives"),
    },
    {"width": WIDTH, "seed": SEED, "quantity": QUANTITY},
    tolerance=TRAINED,
)

BIAS = "bias of its mean, off the diagonal"
DISTANCE = "distance of f from its limiting dynamics"
EXPECTED: Mapping[str, float] = {
    "spread of the NTK at initialisation": -0.5,
    BIAS: -1.0,
    DRIFT: DRIFT_BOUND,
    DISTANCE: -0.5,
}
"""Exponents of the theory by quantity."""

BOUNDS = (DRIFT, DISTANCE)
"""Those that the theory bounds from above. The distance is of order n^(-1/2) once the fluctuation
of the NTK is small; at widths where it is a tenth or more, higher orders make it fall faster."""

BIAS_MARGIN = 0.25
BIAS_REASON = "half the distance between n^(-1/2) and n^(-1); the noise of the mean leaves no less"

DRAWN = 50
"""Largest number of initialisations stored one by one for drawing."""


class Sample(NamedTuple):
    """Independent units (unit, ...) of one width, and the statistic of them."""

    units: np.ndarray
    statistic: OfSample = mean_of
    power: float = 1.0
    networks: np.ndarray = np.empty(0)  # the statistic of each initialisation, if it has one
    seeds: int = 0

    @property
    def estimate(self) -> Estimate:
        """The statistic, to be raised to `power`."""
        log = self.power == 1  # a mean of norms
        return jackknife(lambda groups: self.statistic(groups[0]), [self.units], log=log)


def measure(sources: Sources) -> xr.Dataset:
    """The four quantities of `EXPECTED` at each width, and the exponent of each in the width.

    Spread, drift and distance are means over initialisations of `convergence.initial_spread`,
    `kernel_drift` and `distance_from_dynamics`. The spread uses the initial kernels or, at widths
    without them, the first kernels recorded in training. The bias is the square root of
    `convergence.squared_bias`. The fit uses widths at which the lower end of the interval is above
    zero, which excludes single initialisations. A quantity is NaN, and not used, at widths without
    it.
    """
    widths = sorted({*sources.ensembles, *sources.initial})
    by_width = [_samples(sources, n) for n in widths]
    return _assemble(widths, list(zip(*by_width, strict=True)))


def _samples(sources: Sources, width: int) -> tuple[Sample | None, ...]:
    """The quantities of `EXPECTED` at one width."""
    bias, drift, distance = None, None, None
    ensemble, limiting = sources.ensembles.get(width), sources.limiting
    if width in sources.initial:
        untrained = sources.initial[width].compute()
        errors = convergence.mean_errors(untrained, limiting)
        bias = Sample(batches(errors), convergence.squared_bias, 0.5, seeds=len(errors))
    else:
        untrained = sources.ensembles[width].isel(kernel_step=0).compute()
    spread = _of_networks(convergence.initial_spread(untrained, limiting))
    if ensemble is not None:
        drifts = convergence.kernel_drift(recorded_kernels(ensemble, width))
        drift = _of_networks(drifts[:, -1])
        dynamics = sources.dynamics[width]
        distance = _of_networks(convergence.distance_from_dynamics(ensemble, dynamics))
    return spread, bias, drift, distance


def _of_networks(values: np.ndarray) -> Sample:
    return Sample(batches(values), networks=values, seeds=len(values))


def _assemble(widths: Sequence[int], by_quantity: Sequence[Sequence[Sample | None]]) -> xr.Dataset:
    """Store from samples by quantity and width."""
    rows = [[_values(sample) for sample in row] for row in by_quantity]
    value, low, high = np.moveaxis(np.array(rows), 2, 0)
    used = low > 0
    laws = [
        _fit(np.array(widths)[u], [each for each, kept in zip(row, u, strict=True) if kept])
        for row, u in zip(by_quantity, used, strict=True)
    ]
    networks = [[np.empty(0) if s is None else s.networks for s in row] for row in by_quantity]
    drawn = min(DRAWN, max(len(each) for row in networks for each in row))
    spread = np.full((*value.shape, drawn), np.nan)
    for q, w in np.ndindex(value.shape):
        kept = networks[q][w][:drawn]
        spread[q, w, : len(kept)] = kept
    seeds = [
        min((each.seeds for each, kept in zip(row, u, strict=True) if kept and each), default=0)
        for row, u in zip(by_quantity, used, strict=True)
    ]
    variables = {
        "value": (BY_WIDTH, value),
        "value_low": (BY_WIDTH, low),
        "value_high": (BY_WIDTH, high),
        "used": (BY_WIDTH, used),
        "spread": ((*BY_WIDTH, "seed"), spread),
        "expected": ("quantity", list(EXPECTED.values())),
        "seeds": ("quantity", np.array(seeds, np.float64)),
    }
    for name in power_law.STORED:
        variables[name] = ("quantity", [law.stored()[name] for law in laws])
    coordinates = {"quantity": list(EXPECTED), "width": list(widths), "seed": np.arange(drawn)}
    return conform(xr.Dataset(variables, coordinates), SCHEMA)


def _values(sample: Sample | None) -> tuple[float, float, float]:
    """Value and interval of one width; NaN if there is no sample."""
    if sample is None:
        return np.nan, np.nan, np.nan
    found = sample.estimate
    ends = np.maximum([found.value, *found.interval()], 0) ** sample.power
    return float(ends[0]), float(ends[1]), float(ends[2])


def _fit(widths: np.ndarray, samples: Sequence[Sample | None]) -> power_law.PowerLaw:
    there = [sample for sample in samples if sample is not None]
    if not there:
        return power_law.NO_FIT
    units, (statistic, power) = [s.units for s in there], (there[0].statistic, there[0].power)
    return power_law.fit_power_law(widths, units, statistic, power=power)


def claims(statistics: xr.Dataset) -> list[Quantity]:
    """Exponents that the theorems predict, or bound."""
    return [_exponent(statistics.sel(quantity=name)) for name in statistics["quantity"].values]


def _exponent(row: xr.Dataset) -> Quantity:
    name = str(row["quantity"].item())
    relation: Relation = "at most" if name in BOUNDS else "equals"
    margin, reason = (BIAS_MARGIN, BIAS_REASON) if name == BIAS else (SLOPE_MARGIN, SLOPE_REASON)
    found, expected, seeds = power_law.stored_exponent(row), float(row["expected"]), row["seeds"]
    name = f"exponent of the {name}"
    return Quantity(name, found, relation, expected, margin, reason, seeds=int(seeds))
