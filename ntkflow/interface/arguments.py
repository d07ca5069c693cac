"""Arguments that several functions take: checked, with their defaults."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from pydantic import ValidationError

from ntkflow import runtime
from ntkflow.configuration.kernels import KernelsConfig
from ntkflow.scheduling.tasks import compute
from ntkflow.stores.grid import Grid, block_bytes
from ntkflow.stores.staging import Inputs, native

__all__ = [
    "GIB",
    "at_once",
    "checked",
    "computing",
    "cores",
    "described",
    "dtype_of",
    "floating",
]

GIB = 2**30


def dtype_of(precision: str) -> np.dtype:
    """Of a precision: ValueError unless it is float32 or float64."""
    if precision not in ("float32", "float64"):
        raise ValueError(f"precision is {precision!r}, expected 'float32' or 'float64'")
    return np.dtype(precision)


def floating(x: ArrayLike) -> np.ndarray:
    """An array of inputs, whole numbers as float64."""
    array = native(x)
    return array.astype(np.float64) if array.dtype.kind in "iub" else array


def checked(block: int, memory: float, scheduler: str | Mapping[str, Any]) -> KernelsConfig:
    """As the configuration's `kernels`: checked, with defaults."""
    try:
        return KernelsConfig.model_validate(
            {"block": block, "memory": memory, "scheduler": scheduler}
        )
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"]))
        raise ValueError(f"{key} is {fault['input']!r}: {fault['msg']}") from None


def cores() -> int:
    """That this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def at_once(grid: Grid, dtype: np.dtype, settings: KernelsConfig, threads: int | None) -> int:
    """Blocks in memory at once, if they fit: two a thread, of which one is on its way to disk.

    `threads` are all cores by default. Workers of a cluster have one block a thread.
    """
    one = block_bytes(grid, dtype) / GIB
    if settings.memory < one:
        raise ValueError(
            f"memory is {settings.memory:g} GiB, expected {one:.2g} or more for one block of "
            f"{grid.chunk} in {dtype}; or make `block` smaller"
        )
    wanted = (threads or cores()) * (2 if settings.scheduler.kind == "threads" else 1)
    return min(wanted, int(settings.memory / one))


def described(x: Inputs) -> xr.Dataset:
    """Points of a store of which nothing is known: all count as training points."""
    return xr.Dataset(coords={"is_train": ("sample", np.ones(x.shape[0], bool))})


def computing(
    scheduler: Mapping[str, Any], threads: int, progress: Callable[[str], None] | None
) -> Callable[..., Any]:
    """What computes Dask tasks, and says how many are done."""
    # Workers are processes of their own; in this one JAX's settings are its owner's.
    device = "cpu" if getattr(jax.config, "jax_platforms", None) == "cpu" else "auto"
    on_workers = partial(runtime.configure_jax, device=device)
    prepare = None if scheduler["kind"] == "threads" else on_workers

    def report(done: int, total: int, _: object) -> None:
        if progress is not None:
            progress(f"kernels: {done} of {total} blocks")

    return partial(compute, scheduler=scheduler, threads=threads, on_done=report, prepare=prepare)
