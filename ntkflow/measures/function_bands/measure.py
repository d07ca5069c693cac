"""Network functions on the circle against percentiles of the limiting Gaussian (JGH Figure 2).

The claim has, for the widest networks at each time, over the points at which f is free:

- the squared error of the mean, in deviations of the Gaussian and without the noise of the networks
  (`squared_bias`). The limiting dynamics from the same f_0 are subtracted. They have the mean of
  the Gaussian and most of the noise of f_0;
- the fraction of points at which a network is between the 10th and the 90th percentile.

The distance of f from these dynamics at the last time falls at least as n^(-1/2).
"""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtri

from ntkflow.analysis.convergence import squared_bias
from ntkflow.analysis.ensembles import circle_points, stack_widths
from ntkflow.analysis.jackknife import batches, jackknife
from ntkflow.kernels.dynamics import Components, kernel_flow
from ntkflow.measures.common.components import limiting_components
from ntkflow.measures.common.evidence import Quantity
from ntkflow.measures.common.laws import exponent, mean
from ntkflow.measures.common.sources import Sources
from ntkflow.stores.schema import conform
from ntkflow.stores.tolerances import TRAINED
from ntkflow.stores.variables import SEED, WIDTH, Schema, Variable

SCHEMA = Schema(
    "function_bands",
    "Network functions against percentiles of the limiting Gaussian (JGH Figure 2)",
    {
        "f": Variable(("width", "seed", "time", "sample"), "network function", r"f_\theta(\gamma)"),
        "limiting_f": Variable(
            ("width", "seed", "time", "sample"),
            "limiting dynamics from the network function at t = 0",
        ),
        "percentile": Variable(
            ("quantile", "time", "sample"), "percentile of the limiting Gaussian"
        ),
        "train_y": Variable(("train_sample",), "target of a training point", "f^*"),
    },
    {
        "width": WIDTH,
        "seed": SEED,
        "time": Variable(("time",), "training time of the Gaussian; inf is the limit", "t"),
        "network_time": Variable(("time",), "training time of the networks", "t"),
        "quantile": Variable(("quantile",), "probability level"),
        "angle": Variable(("sample",), "angle of x", r"\gamma", "rad"),
        "train_angle": Variable(("train_sample",), "angle of a training point", "", "rad"),
    },
    tolerance=TRAINED,
)


QUANTILES = [0.1, 0.5, 0.9]
LEAST_DEVIATION = 0.1
"""Smallest deviation of a tested point, relative to the largest: f is known at training points."""

MEAN = 0.1**2, "the square of a tenth of a deviation"
SHARE = 0.1, "it changes by a tenth if the deviation does by a quarter"
FUNCTIONS = ("f", "limiting_f")


def measure(sources: Sources) -> xr.Dataset:
    """Network functions and Gaussian percentiles at each time of the Gaussian.

    Networks are evaluated at the nearest recorded step, for infinite time the last. Only the first
    output is used. Points are the test points by increasing angle.
    """
    gaussian, dataset = sources.gaussian, sources.dataset
    points = circle_points(gaussian)
    times = gaussian["time"].to_numpy()
    functions = stack_widths(
        {width: _at_times(ensemble, times, points) for width, ensemble in sources.ensembles.items()}
    )
    basis = limiting_components(sources.limiting)
    flows = stack_widths(
        {width: _flow(each, basis, times, points) for width, each in sources.ensembles.items()}
    )
    law = gaussian.isel(sample=points, output=0, drop=True).reset_coords(drop=True).compute()
    level = xr.DataArray(QUANTILES, dims="quantile")
    z = xr.DataArray(ndtri(level), dims="quantile")
    train = dataset.isel(sample=np.flatnonzero(dataset["is_train"]), output=0)
    bands = xr.Dataset(
        {
            "f": functions,
            "limiting_f": flows,
            "percentile": (law["mean"] + z * np.sqrt(law["variance"])).astype(np.float64),
            "train_y": ("train_sample", train["y"].to_numpy().astype(np.float64)),
        },
        coords={
            "quantile": level,
            "angle": ("sample", gaussian["angle"].to_numpy()[points]),
            "train_angle": ("train_sample", train["angle"].to_numpy()),
        },
    )
    return conform(bands, SCHEMA)


def _at_times(
    ensemble: xr.Dataset, times: NDArray[np.float64], points: NDArray[np.intp]
) -> xr.DataArray:
    """f of output 0 (seed, time, sample) at the records nearest to `times`."""
    recorded = ensemble["time"].to_numpy()
    records = [int(np.abs(recorded - min(time, recorded[-1])).argmin()) for time in times]
    selected = ensemble["f"].isel(step=records, sample=points, output=0, drop=True)
    bare = selected.drop_vars("step").reset_coords(drop=True).rename(step="time")
    moments = {"time": times, "network_time": ("time", selected["time"].to_numpy())}
    return bare.astype(np.float64).compute().assign_coords(moments)


def _flow(
    ensemble: xr.Dataset, basis: Components, times: NDArray[np.float64], points: NDArray[np.intp]
) -> xr.DataArray:
    """Limiting dynamics of output 0 from f_0 of each network, (seed, time, sample)."""
    first = ensemble[["f", "goal"]].isel(output=[0]).compute()
    start = first["f"].isel(step=0).transpose("seed", "sample", "output").values
    train = ensemble["is_train"].to_numpy()
    goal = first["goal"].transpose("seed", "sample", "output").values[:, train]
    f = kernel_flow(basis, start.astype(np.float64), goal.astype(np.float64), times)
    kept = {"seed": ensemble["seed"].to_numpy(), "time": times}
    return xr.DataArray(
        np.asarray(f, np.float64)[:, :, points, 0], kept, ("seed", "time", "sample")
    )


def claims(statistics: xr.Dataset) -> list[Quantity]:
    """Mean and coverage of the widest networks at each time, and the distance from the limit."""
    statistics = statistics.compute()
    widest = statistics.isel(width=-1).dropna("seed", subset=["f"])
    found = [each for time in range(widest.sizes["time"]) for each in _at(widest.isel(time=time))]
    if statistics.sizes["width"] > 1:
        last = statistics.isel(time=-1)
        distances = ((last["f"] - last["limiting_f"]) ** 2).mean("sample", skipna=False) ** 0.5
        by_width = {int(n): distances.sel(width=n).dropna("seed").values for n in last["width"]}
        name = "exponent of the distance from the limiting dynamics at the end"
        found.append(exponent(name, by_width, -0.5, "at most")[0])
    return found


def _at(networks: xr.Dataset) -> Iterator[Quantity]:
    """Mean and coverage at one time."""
    low, middle, high = networks["percentile"].transpose("quantile", ...).values
    spread = (high - middle) / ndtri(QUANTILES[-1])
    free = spread >= LEAST_DEVIATION * spread.max()
    f, limit = (networks[name].transpose("seed", ...).values[:, free] for name in FUNCTIONS)
    time, width = float(networks["time"]), int(networks["width"])
    when = f"n = {width}, t = {'∞' if np.isinf(time) else f'{time:g}'}"
    errors = batches((f - limit) / spread[free]) / free.sum() ** 0.5
    square = jackknife(lambda groups: squared_bias(groups[0]), [errors])
    yield Quantity(f"{when}: squared error of the mean", square, "equals", 0.0, *MEAN, len(f))
    inside = ((low[free] < f) & (f < high[free])).mean(axis=1)
    share = QUANTILES[-1] - QUANTILES[0]
    yield mean(f"{when}: share in the 10-90 % band", inside, "equals", share, *SHARE)
