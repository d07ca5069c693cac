"""Datasets from plain arrays of kernels and networks.

`points` is a Dataset whose coordinates describe the samples: the data set or anything made from it.
Axes of arrays are in the order of the dimensions in `schema`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ntkflow.stores.schema import SCHEMAS


def training_count(points: xr.Dataset) -> int:
    """Number of training points, which come first."""
    return int(points["is_train"].sum())


def probe(points: xr.Dataset, which: str) -> slice:
    """Positions of the `train` or `test` points, or of `all`."""
    samples = training_count(points)
    return {"all": slice(None), "train": slice(samples), "test": slice(samples, None)}[which]


def kernels(points: xr.Dataset, grams: Mapping[str, ArrayLike]) -> xr.Dataset:
    """Kernels by name, NNGP or NTK, between all points."""
    return _labelled("limiting", points, grams)


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
    """Records of trained networks; without the variable `ntk` if no kernel was recorded."""
    steps, kernels = np.asarray(function_steps), np.asarray(kernel_steps, dtype=int)
    variables = {"f": f, "goal": goal, "cost": cost}
    if len(kernels):
        variables["ntk"] = ntk
    records = _labelled("ensemble", points, variables).assign_coords(
        step=steps,
        time=("step", steps * learning_rate),
        kernel_step=kernels,
        kernel_time=("kernel_step", kernels * learning_rate),
    )
    return _numbered(records)


def initial_kernels(points: xr.Dataset, ntk: ArrayLike) -> xr.Dataset:
    """Empirical NTKs at initialisation, one per seed."""
    return _numbered(_labelled("initial_kernels", points, {"ntk": ntk}))


def dynamics(records: xr.Dataset, f: ArrayLike) -> xr.Dataset:
    """Limiting dynamics at the seeds, steps and points of the ensemble `records`."""
    flow = _labelled("dynamics", records, {"f": f})
    return flow.assign_coords({name: records[name] for name in ("seed", "step", "time")})


def gaussian(
    points: xr.Dataset, mean: ArrayLike, variance: ArrayLike, times: ArrayLike
) -> xr.Dataset:
    """Mean and variance of the limiting Gaussian at some times."""
    law = _labelled("gaussian", points, {"mean": mean, "variance": variance})
    return law.assign_coords(time=np.asarray(times, dtype=float))


def _labelled(kind: str, points: xr.Dataset, arrays: Mapping[str, ArrayLike]) -> xr.Dataset:
    """Variables of a kind of store, with the coordinates of the samples."""
    dims = {name: variable.dims for name, variable in SCHEMAS[kind].variables.items()}
    samples = {name: c for name, c in points.coords.items() if c.dims == ("sample",)}
    return xr.Dataset({name: (dims[name], array) for name, array in arrays.items()}, samples)


def _numbered(records: xr.Dataset) -> xr.Dataset:
    return records.assign_coords(seed=np.arange(records.sizes["seed"]))
