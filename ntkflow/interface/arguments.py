"""Argument types shared by public functions, each with its check, and their common steps."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

import jax
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ntkflow.device import configure_jax
from ntkflow.interface import arrays, settings
from ntkflow.interface.checks import COUNT, instance, listed, number, one_of, whole
from ntkflow.interface.recipes import ActivationSpec
from ntkflow.jobs.tasks import Report, compute
from ntkflow.stores.blocks import Compute
from ntkflow.stores.grams import Recipe, write_grams
from ntkflow.stores.grid import Grid, block_bytes, grid_between
from ntkflow.stores.staging import Inputs

GIB = 2**30

Matrix: TypeAlias = Annotated[ArrayLike, arrays.matrix]
StoredMatrix: TypeAlias = Annotated[Inputs, arrays.stored_matrix]
Activation: TypeAlias = Annotated[ActivationSpec, settings.named_function]
Kinks: TypeAlias = Annotated[Sequence[float], partial(listed, each=number)]
Beta: TypeAlias = Annotated[float, partial(number, low=0, high=1e100)]
WeightGain: TypeAlias = Annotated[float, partial(number, low=1e-100, high=1e100)]
Precision: TypeAlias = Annotated[str, partial(one_of, names=("float64", "float32"))]
Seed: TypeAlias = Annotated[int, partial(whole, low=0, high=2**64 - 1)]
Block: TypeAlias = Annotated[int, COUNT]
Memory: TypeAlias = Annotated[float, partial(number, above=0, high=2**20)]
Threads: TypeAlias = Annotated[int, partial(whole, low=1, high=4096)]
Tolerance: TypeAlias = Annotated[float, partial(number, above=0, high=1)]
Scheduler: TypeAlias = Annotated[str | Mapping[str, Any], settings.scheduler]
Overwrite: TypeAlias = Annotated[
    bool, partial(instance, kind=bool | np.bool_, expected="True or False")
]
Points: TypeAlias = Annotated[
    xr.Dataset, partial(instance, kind=xr.Dataset, expected="an xarray Dataset")
]
Attributes: TypeAlias = Annotated[Mapping[str, object], settings.attributes]
Progress: TypeAlias = Annotated[
    Callable[[str], None],
    partial(instance, kind=Callable, expected="a function of one line of text, such as print"),
]


def cores() -> int:
    """Number of cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class Work(NamedTuple):
    """How blocks are computed: arguments of public functions."""

    block: int
    memory: float  # GiB for all blocks together
    scheduler: Any  # as plain values
    threads: int | None  # all cores by default
    progress: Callable[[str], None] | None


def write_kernels(
    x1: Inputs,
    x2: Inputs | None,
    store: str | Path,
    recipe: Recipe,
    precision: str,
    work: Work,
    points: xr.Dataset | None,
    attributes: Mapping[str, object] | None = None,
    overwrite: bool = False,
    share: tuple[int, int] | None = None,
) -> None:
    """Write a store, or a share (i, n) of its blocks, from the arguments of a public function.

    ValueError if the memory is too little for a block, `points` do not have one sample per row of
    x1, or the attributes contain another precision than `precision`.
    """
    grid = grid_between(x1, x2, work.block)
    computing = _computing(work, grid, recipe.dtype)
    if points is None:  # every row is a training point
        points = xr.Dataset(coords={"is_train": ("sample", np.ones(x1.shape[0], bool))})
    samples = points.sizes.get("sample", 0)
    if samples != x1.shape[0] or "is_train" not in points.coords:
        found = f"{samples} samples and the coordinates {sorted(map(str, points.coords))}"
        expected = f"{x1.shape[0]} samples, one per row of x1, and the coordinate is_train"
        raise ValueError(f"points: found {found}, expected {expected}")
    given = {"precision": precision, **(attributes or {})}
    if given["precision"] != precision:
        raise ValueError(
            f"attributes: found the precision {given['precision']!r}, expected {precision!r}, that "
            "of the store, or none"
        )
    write_grams(
        *(points, x1, x2, store, recipe),
        grid=grid,
        compute=computing,
        attributes=given,
        overwrite=overwrite,
        share=share,
    )


def _computing(work: Work, grid: Grid, dtype: np.dtype) -> Compute:
    """Function that computes Dask tasks and reports the number of finished blocks."""
    one = block_bytes(grid, dtype) / GIB
    if work.memory < one:
        raise ValueError(
            f"memory: found {work.memory:g} GiB, expected {one:.2g} or more for one block of "
            f"{grid.chunk} in {dtype}; or make `block` smaller"
        )
    # Two blocks per thread, since one of them is being written. Workers of a cluster have one each.
    on_threads = work.scheduler["kind"] == "threads"
    wanted = (work.threads or cores()) * (2 if on_threads else 1)

    def report(done: int, total: int, _: object) -> None:
        if work.progress is not None:
            work.progress(f"kernels: {done} of {total} blocks")

    return computing(work.scheduler, min(wanted, int(work.memory / one)), report)


def computing(scheduler: Mapping[str, Any], threads: int, on_done: Report | None = None) -> Compute:
    """Function that computes Dask tasks on a scheduler, with JAX set up on each worker."""
    # Workers are separate processes. The settings of JAX in this process belong to the caller.
    device = "cpu" if getattr(jax.config, "jax_platforms", None) == "cpu" else "auto"
    local = scheduler["kind"] == "threads"
    return partial(
        compute,
        scheduler=scheduler,
        threads=threads,
        on_done=on_done,
        prepare=None if local else partial(configure_jax, device=device),
    )
