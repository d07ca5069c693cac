"""Argument types shared by public functions, each with its check, and their common steps."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, TypeAlias

import jax
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ntkflow.device import configure_jax
from ntkflow.interface import arrays, checks, settings
from ntkflow.interface.recipes import ActivationSpec
from ntkflow.jobs.tasks import compute
from ntkflow.stores.grid import Grid, block_bytes
from ntkflow.stores.staging import Inputs

GIB = 2**30

Matrix: TypeAlias = Annotated[ArrayLike, arrays.Matrix()]
StoredMatrix: TypeAlias = Annotated[Inputs, arrays.StoredMatrix()]
Activation: TypeAlias = Annotated[ActivationSpec, settings.NamedFunction()]
Kinks: TypeAlias = Annotated[Sequence[float], checks.Listed(checks.Number())]
Beta: TypeAlias = Annotated[float, checks.Number(low=0, high=1e100)]
WeightGain: TypeAlias = Annotated[float, checks.Number(low=1e-100, high=1e100)]
Precision: TypeAlias = Annotated[str, checks.OneOf(("float64", "float32"))]
Seed: TypeAlias = Annotated[int, checks.Whole(0, 2**64 - 1)]
Block: TypeAlias = Annotated[int, checks.COUNT]
Memory: TypeAlias = Annotated[float, checks.Number(above=0, high=2**20)]
Threads: TypeAlias = Annotated[int, checks.Whole(1, 4096)]
Tolerance: TypeAlias = Annotated[float, checks.Number(above=0, high=1)]
Scheduler: TypeAlias = Annotated[str | Mapping[str, Any], settings.Scheduler()]
Overwrite: TypeAlias = Annotated[bool, checks.Flag()]
Points: TypeAlias = Annotated[xr.Dataset, checks.Instance(xr.Dataset, "an xarray Dataset")]
Attributes: TypeAlias = Annotated[Mapping[str, object], settings.Attributes()]
Progress: TypeAlias = Annotated[Callable[[str], None], checks.Callback()]


def cores() -> int:
    """Number of cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def at_once(
    grid: Grid, dtype: np.dtype, memory: float, scheduler: Mapping[str, Any], threads: int | None
) -> int:
    """Number of blocks in memory at once: two per thread, since one of them is being written.

    Parameters
    ----------
    memory
        GiB for all blocks together.
    scheduler
        Scheduler as plain values. The workers of a cluster have one block per thread.
    threads
        Number of threads, all cores by default.

    Raises
    ------
    ValueError
        If `memory` is too little for one block.
    """
    one = block_bytes(grid, dtype) / GIB
    if memory < one:
        raise checks.refusal(
            "memory",
            checks.Found(f"{memory:g} GiB"),
            f"{one:.2g} or more for one block of {grid.chunk} in {dtype}; or make `block` smaller",
        )
    wanted = (threads or cores()) * (2 if scheduler["kind"] == "threads" else 1)
    return min(wanted, int(memory / one))


def described(x: Inputs, points: xr.Dataset | None) -> xr.Dataset:
    """Dataset with coordinates of the rows of x: `points`, or every row as a training point.

    Raises
    ------
    ValueError
        If `points` does not have one sample per row.
    """
    if points is None:
        return xr.Dataset(coords={"is_train": ("sample", np.ones(x.shape[0], bool))})
    found = points.sizes.get("sample", 0)
    if found != x.shape[0] or "is_train" not in points.coords:
        raise checks.refusal(
            "points",
            checks.Found(f"{found} samples and the coordinates {sorted(map(str, points.coords))}"),
            f"{x.shape[0]} samples, one per row of x1, and the coordinate is_train",
        )
    return points


def with_precision(attributes: Mapping[str, object] | None, precision: str) -> dict[str, object]:
    """Attributes of a store with its precision; ValueError if they contain another precision."""
    given = {"precision": precision, **(attributes or {})}
    if given["precision"] != precision:
        found = checks.Found(f"the precision {given['precision']!r}")
        raise checks.refusal("attributes", found, f"{precision!r}, that of the store, or none")
    return given


def computing(
    scheduler: Mapping[str, Any], threads: int, progress: Callable[[str], None] | None
) -> Callable[..., Any]:
    """Function that computes Dask tasks and reports the number of finished blocks."""
    # Workers are separate processes. The settings of JAX in this process belong to the caller.
    device = "cpu" if getattr(jax.config, "jax_platforms", None) == "cpu" else "auto"
    on_workers = partial(configure_jax, device=device)
    prepare = None if scheduler["kind"] == "threads" else on_workers

    def report(done: int, total: int, _: object) -> None:
        if progress is not None:
            progress(f"kernels: {done} of {total} blocks")

    return partial(compute, scheduler=scheduler, threads=threads, on_done=report, prepare=prepare)
