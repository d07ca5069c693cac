"""Network functions on the circle against percentiles of the limiting Gaussian (JGH Figure 2)."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtri

from ntkflow.analysis.ensembles import circle_points, stack_widths
from ntkflow.measures.common.sources import Sources
from ntkflow.stores.schema import conform
from ntkflow.stores.tolerances import TRAINED
from ntkflow.stores.variables import SEED, WIDTH, Schema, Variable

SCHEMA = Schema(
    "function_bands",
    "Network functions against percentiles of the limiting Gaussian (JGH Figure 2)",
    {
        "f": Variable(("width", "seed", "time", "sample"), "network function", r"f_\theta(\gamma)"),
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
    law = gaussian.isel(sample=points, output=0, drop=True).reset_coords(drop=True).compute()
    level = xr.DataArray(QUANTILES, dims="quantile")
    z = xr.DataArray(ndtri(level), dims="quantile")
    train = dataset.isel(sample=np.flatnonzero(dataset["is_train"]), output=0)
    bands = xr.Dataset(
        {
            "f": functions,
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
