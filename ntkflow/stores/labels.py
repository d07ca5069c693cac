"""Arrays of the kernels and networks rooms, given the names of their dimensions.

`points` is a Dataset whose coordinates describe the samples: the data set or anything made from it.
Arrays are in the order of `schema`'s dimensions.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ntkflow.stores.schema import KERNEL_DIMS


def training_count(points: xr.Dataset) -> int:
    """n, the number of training points; they come first."""
    return int(points["is_train"].sum())


def probe(points: xr.Dataset, which: str) -> slice:
    """The `train` or `test` points, or all."""
    samples = training_count(points)
    return {"all": slice(None), "train": slice(samples), "test": slice(samples, None)}[which]


def kernels(points: xr.Dataset, grams: Mapping[str, ArrayLike]) -> xr.Dataset:
    """Kernels by name, between all points."""
    pairs = ("sample", "sample_prime")
    return _at(points, {name: (pairs, gram) for name, gram in grams.items()})


def ensemble(
    points: xr.Dataset,
    *,
    f: ArrayLike,
    goal: ArrayLike,
    cost: ArrayLike,
    ntk: np.ndarray,
    function_steps: Sequence[int],
    kernel_steps: Sequence[int],
    learning_rate: float,
) -> xr.Dataset:
    """Records of trained networks; no `ntk` variable where no kernel was recorded."""
    steps, kernels = np.asarray(function_steps), np.asarray(kernel_steps, dtype=int)
    variables = {
        "f": (("seed", "step", "sample", "output"), f),
        "goal": (("seed", "sample", "output"), goal),
        "cost": (("seed", "step"), cost),
    }
    if len(kernels):
        variables["ntk"] = (("seed", "kernel_step", *KERNEL_DIMS), ntk)
    records = _at(points, variables).assign_coords(
        step=steps,
        time=("step", steps * learning_rate),
        kernel_step=kernels,
        kernel_time=("kernel_step", kernels * learning_rate),
    )
    return _numbered(records)


def initial_kernels(points: xr.Dataset, ntk: ArrayLike) -> xr.Dataset:
    """Empirical NTKs at initialisation, one a seed."""
    return _numbered(_at(points, {"ntk": (("seed", *KERNEL_DIMS), ntk)}))


def dynamics(records: xr.Dataset, f: ArrayLike) -> xr.Dataset:
    """Limiting dynamics at the seeds, steps and points of an ensemble store."""
    flow = _at(records, {"f": (("seed", "step", "sample", "output"), f)})
    return flow.assign_coords({name: records[name] for name in ("seed", "step", "time")})


def gaussian(
    points: xr.Dataset, mean: ArrayLike, variance: ArrayLike, times: ArrayLike
) -> xr.Dataset:
    """Mean and variance of the limiting Gaussian at some times."""
    law = _at(
        points,
        {
            "mean": (("time", "sample", "output"), mean),
            "variance": (("time", "sample"), variance),
        },
    )
    return law.assign_coords(time=np.asarray(times, dtype=float))


def _points(described: xr.Dataset) -> dict[str, xr.DataArray]:
    """The coordinates of the samples."""
    return {str(n): c for n, c in described.coords.items() if c.dims == ("sample",)}


def _at(points: xr.Dataset, variables: dict[str, tuple[tuple[str, ...], ArrayLike]]) -> xr.Dataset:
    return xr.Dataset(variables, coords=_points(points))


def _numbered(records: xr.Dataset) -> xr.Dataset:
    return records.assign_coords(seed=np.arange(records.sizes["seed"]))
