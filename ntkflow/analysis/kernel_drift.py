"""What training does to the kernel and to the cost (JGH Theorem 2).

The theorem bounds the change of the NTK while networks follow a training direction d_t, whatever
it is, as long as the integral of ||d_t|| over time is bounded. So the cost is free. Of optimisers
it is about gradient descent: steps that do not scale with the gradient, as Adam's, have no bound.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ntkflow.analysis import convergence
from ntkflow.analysis.bootstrap import REPLICATES, mean_with_interval
from ntkflow.analysis.ensembles import recorded_kernels, stack_widths
from ntkflow.analysis.power_law import (
    DRIFT_BOUND,
    Estimate,
    PowerLaw,
    estimate_mean,
    fit_power_law,
)
from ntkflow.stores.schema import conform

__all__ = ["measure_kernel_drift", "tabulate"]

FEWEST_SEEDS = 5
"""Initialisations of a width; with fewer an interval says nothing, and no exponent is fitted."""


def measure_kernel_drift(
    ensembles: Mapping[int, xr.Dataset], *, replicates: int = REPLICATES, seed: int = 0
) -> xr.Dataset:
    """Cost and ||Theta(t) - Theta(0)|| / ||Theta(0)|| of each network, and the drift's exponent.

    The exponent is that of the mean drift at the last record in the width. The fit uses widths
    with 5 initialisations or more, none of which kept its kernel to the last bit: such a mean has
    an interval above zero.

    Parameters
    ----------
    ensembles
        "ensemble" stores by width, with kernels recorded at step 0 and later. Norms are over the
        points and outputs that they hold.
    replicates, seed
        Number of bootstrap replicates and the seed of their generator.

    Returns
    -------
    xr.Dataset
        A "kernel_drift" store. Without two widths to fit, the exponent is NaN.

    Raises
    ------
    ValueError
        If an ensemble has no kernel at step 0 or none later, or two differ in their schedules.
    """
    drift = stack_widths({n: _drift(ensemble, n) for n, ensemble in ensembles.items()})
    cost = stack_widths({n: _cost(ensemble) for n, ensemble in ensembles.items()})
    final = drift.isel(kernel_step=-1)
    estimates = {
        n: estimate_mean(
            final.sel(width=n).dropna("seed").to_numpy(),
            replicates,
            np.random.default_rng([seed, n]),
        )
        for n in sorted(ensembles)
    }
    means = {
        "mean_drift": [e.value for e in estimates.values()],
        "mean_drift_low": [e.interval[0] for e in estimates.values()],
        "mean_drift_high": [e.interval[1] for e in estimates.values()],
    }
    statistics = xr.Dataset(
        {
            "cost": cost,
            "drift": drift,
            **{name: ("width", values) for name, values in means.items()},
            **_fit(estimates)._asdict(),
            "expected": DRIFT_BOUND,
        }
    )
    return conform(statistics, "kernel_drift")


def _drift(ensemble: xr.Dataset, width: int) -> xr.DataArray:
    """Drift (seed, kernel_step) with the steps and times of the kernels."""
    kernels = recorded_kernels(ensemble, width)
    first = int(kernels["kernel_step"][0])
    if first != 0:
        raise ValueError(
            f"the first kernel of the ensemble of width {width} is of step {first}; "
            "drift is from step 0, so record the kernel there"
        )
    kept = ("seed", "kernel_step", "kernel_time")
    return xr.DataArray(
        convergence.kernel_drift(kernels),
        {name: kernels[name].variable for name in kept},
        ("seed", "kernel_step"),
    )


def _cost(ensemble: xr.Dataset) -> xr.DataArray:
    """Cost (seed, step) with the steps and times at which it was recorded."""
    cost = ensemble["cost"]
    kept = {name: ensemble[name] for name in ("seed", "step", "time")}
    return cost.reset_coords(drop=True).assign_coords(kept).astype(np.float64).compute()


def _fit(estimates: Mapping[int, Estimate]) -> PowerLaw:
    used = {
        n: estimate
        for n, estimate in estimates.items()
        if len(estimate.spread) >= FEWEST_SEEDS and estimate.interval[0] > 0
    }
    values = np.array([estimate.value for estimate in used.values()])
    replicates = np.array([estimate.replicates for estimate in used.values()])
    return fit_power_law(np.array(list(used)), values, replicates.T)


def tabulate(statistics: xr.Dataset) -> pd.DataFrame:
    """Cost and drift where training ends, one row a width.

    ``time`` is that of the last cost, ``kernel_time`` that of the last kernel. Means over
    initialisations are followed by their 95 % bootstrap interval.
    """
    statistics = statistics.compute()
    drift = statistics[["mean_drift", "mean_drift_low", "mean_drift_high"]]
    summary = xr.merge(
        [
            mean_with_interval(statistics["cost"].isel(step=-1, drop=True), "cost"),
            drift.rename({name: str(name).removeprefix("mean_") for name in drift}),
        ]
    ).assign(time=statistics["time"][-1].item(), kernel_time=statistics["kernel_time"][-1].item())
    columns = ["time", "cost", "cost_low", "cost_high"]
    columns += ["kernel_time", "drift", "drift_low", "drift_high"]
    return summary.to_dataframe().reset_index()[["width", *columns]]
