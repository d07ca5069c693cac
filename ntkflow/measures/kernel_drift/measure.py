"""Cost and drift of the NTK in training (JGH Theorem 2).

The theorem bounds the change of the NTK while networks follow any training direction d_t for which
the integral of ||d_t|| over time is bounded. It therefore covers any cost, but only gradient
descent: steps that do not scale with the gradient, such as those of Adam, have no bound.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ntkflow.analysis import convergence, power_law
from ntkflow.analysis.ensembles import recorded_kernels, stack_widths
from ntkflow.analysis.jackknife import batches, jackknife
from ntkflow.analysis.power_law import DRIFT, DRIFT_BOUND, mean_of
from ntkflow.measures.common.evidence import Quantity
from ntkflow.measures.common.laws import SLOPE_MARGIN, SLOPE_REASON
from ntkflow.measures.common.sources import Sources
from ntkflow.stores.schema import conform
from ntkflow.stores.tolerances import TRAINED
from ntkflow.stores.variables import (
    KERNEL_STEP,
    KERNEL_TIME,
    SEED,
    STEP,
    TIME,
    WIDTH,
    Schema,
    Variable,
)

SCHEMA = Schema(
    "kernel_drift",
    "Cost and drift of the empirical NTK in training, by width (JGH Theorem 2)",
    {
        "cost": Variable(("width", "seed", "step"), "cost on the training points", "C"),
        "drift": Variable(
            ("width", "seed", "kernel_step"),
            "drift of the NTK, in Frobenius norms over the recorded points and outputs",
            r"\|\Theta(t) - \Theta(0)\| / \|\Theta(0)\|",
        ),
        "mean_drift": Variable(("width",), "drift at the last record, mean over networks"),
        "mean_drift_low": Variable(("width",), "lower end of its 95 % interval"),
        "mean_drift_high": Variable(("width",), "upper end of its 95 % interval"),
        "exponent": Variable((), "slope of log mean drift against log n; NaN if not fitted"),
        "exponent_low": Variable((), "lower end of its 95 % interval"),
        "exponent_high": Variable((), "upper end of its 95 % interval"),
        "exponent_error": Variable((), "standard error of the slope"),
        "exponent_degrees": Variable((), "degrees of freedom of the error"),
        "prefactor": Variable((), "mean drift of the fitted line at n = 1"),
        "expected": Variable((), "exponent of the theory, an upper bound"),
    },
    {
        "width": WIDTH,
        "seed": SEED,
        "step": STEP,
        "time": TIME,
        "kernel_step": KERNEL_STEP,
        "kernel_time": KERNEL_TIME,
    },
    tolerance=TRAINED,
)

FEWEST_SEEDS = 5
"""Smallest number of initialisations of a width for an interval and a fitted exponent."""


def measure(sources: Sources) -> xr.Dataset:
    """Cost and ||Theta(t) - Theta(0)|| / ||Theta(0)|| of each network, and the drift's exponent.

    The exponent is that of the mean drift at the last record in the width. The fit uses widths
    with 5 initialisations or more whose kernels all changed: only then is the interval of the mean
    above zero. Without two such widths the exponent is NaN.
    """
    ensembles = sources.ensembles
    drift = stack_widths({n: _drift(ensemble, n) for n, ensemble in ensembles.items()})
    cost = {n: each["cost"].astype(np.float64).compute() for n, each in ensembles.items()}
    final = drift.isel(kernel_step=-1)
    samples = {n: final.sel(width=n).dropna("seed").to_numpy() for n in sorted(ensembles)}
    means = {n: jackknife(lambda each: mean_of(each[0]), [v], log=True) for n, v in samples.items()}
    low, high = np.array([each.interval() for each in means.values()]).T
    statistics = xr.Dataset(
        {
            "cost": stack_widths(cost),
            "drift": drift,
            "mean_drift": ("width", [each.value for each in means.values()]),
            "mean_drift_low": ("width", low),
            "mean_drift_high": ("width", high),
            **_fit(samples).stored(),
            "expected": DRIFT_BOUND,
        }
    )
    return conform(statistics, SCHEMA)


def _drift(ensemble: xr.Dataset, width: int) -> xr.DataArray:
    """Drift (seed, kernel_step) with the steps and times of the kernels."""
    kernels = recorded_kernels(ensemble, width)
    kept = {name: kernels[name].variable for name in ("seed", "kernel_step", "kernel_time")}
    return xr.DataArray(convergence.kernel_drift(kernels), kept, ("seed", "kernel_step"))


def _fit(samples: Mapping[int, np.ndarray]) -> power_law.PowerLaw:
    used = {n: v for n, v in samples.items() if len(v) >= FEWEST_SEEDS and (v > 0).all()}
    return power_law.fit_power_law(list(used), [batches(values) for values in used.values()])


def claims(statistics: xr.Dataset) -> list[Quantity]:
    """Exponent of the drift, with its upper bound."""
    seeds = int(statistics["drift"].isel(kernel_step=-1).notnull().sum("seed").min())
    found, expected = power_law.stored_exponent(statistics), float(statistics["expected"])
    name = f"exponent of the {DRIFT}"
    return [Quantity(name, found, "at most", expected, SLOPE_MARGIN, SLOPE_REASON, seeds)]
