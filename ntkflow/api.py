"""Limiting kernels without the workflow: arrays in, arrays or an xarray Dataset out.

    from ntkflow import api

    kernels = api.limiting_kernels(x, depth=4)  # in memory: kernels.nngp, kernels.ntk
    store = api.store_limiting_kernels(x, depth=4, store="kernels.zarr")  # of any size
    spectrum = api.extreme_eigenpairs(store["ntk"], 10)  # spectrum.values, spectrum.vectors
    fit = api.kernel_regression(store["ntk"], targets, ridge=1e-6)
    f = api.predict(cross_kernel, fit.coefficients)  # cross_kernel: test points x training points

What takes a kernel takes an array, or one opened from a store, which is then read block by block.

JAX's settings are left as they are; float64 is used where it is needed, and products of matrices
have full precision on every device.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from pydantic import ValidationError

from ntkflow import runtime
from ntkflow.analysis import eigenpairs, regression
from ntkflow.analysis.blocks import Kernel
from ntkflow.analysis.eigenpairs import Eigenpairs
from ntkflow.analysis.regression import Regression
from ntkflow.configuration.kernels import KernelsConfig
from ntkflow.kernels import tiles
from ntkflow.recipes import Chosen, directed, limiting_network, limiting_recipe, planned
from ntkflow.scheduling.tasks import compute
from ntkflow.stores.grams import Grid, block_bytes, grid_between, write_grams
from ntkflow.stores.staging import Inputs, check_inputs, native
from ntkflow.stores.zarr import open_store

__all__ = [
    "Eigenpairs",
    "Kernels",
    "Regression",
    "extreme_eigenpairs",
    "kernel_regression",
    "limiting_kernels",
    "predict",
    "store_limiting_kernels",
]

GIB = 2**30

Filled = tuple[np.ndarray, np.ndarray]


class Kernels(NamedTuple):
    """NNGP kernel Sigma^L and limiting NTK Theta_inf^L, each (n, m)."""

    nngp: np.ndarray
    ntk: np.ndarray


def limiting_kernels(
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    *,
    depth: int,
    activation: Chosen = "relu",
    kinks: Sequence[float] = (),
    beta: float = 0.1,
    weight_gain: float = 1.0,
    precision: str = "float64",
    threads: int | None = None,
) -> Kernels:
    """NNGP kernel and limiting NTK between all rows of x1 and of x2, or of x1, in memory.

    Parameters
    ----------
    x1, x2
        Inputs, (n, d) and (m, d).
    depth
        L, the number of weight layers.
    activation
        A name in the registry, a mapping of ``name`` and parameters, or a function of JAX arrays.
    kinks
        Where a function is not smooth.
    beta, weight_gain
        Factors of biases and weights: z^{l+1} = weight_gain W a^l / sqrt(n_l) + beta b.
    precision
        ``float64`` or ``float32``, of the kernels. In float32 they are off by some 1e-6 of
        sqrt(K(x, x) K(x', x')), for near-duplicates too.
    threads
        Tiles at work at once; two a core by default, of which one waits for memory.

    Returns
    -------
    Kernels
        ``nngp`` Sigma^L and ``ntk`` Theta_inf^L, NumPy arrays (n, m).

    Raises
    ------
    ValueError
        If an argument is not what it should be; the message says which.
    DualError
        If the activation's dual is not accurate for these inputs.
    """
    network = limiting_network(activation, kinks, depth, beta, weight_gain)
    dtype = _dtype(precision)
    lists = [_floating(x) for x in (x1, x2) if x is not None]
    check_inputs(*lists)
    inputs = [directed(x, dtype=dtype) for x in lists]
    norms = np.concatenate([norm for norm, _ in inputs])
    chosen = planned(norms, lists[0].shape[1], network, dtype)
    with jax.enable_x64(True):
        strips = [tiles.strips(rows, chosen) for rows in inputs]
    shape = len(lists[0]), len(lists[-1])
    kernels = np.empty(shape, dtype), np.empty(shape, dtype)
    pairs = tiles.tile_pairs(strips[0], strips[-1])
    fill = partial(_fill_tile, kernels, chosen, x2 is None)
    with ThreadPoolExecutor(threads or 2 * _cores()) as pool:
        for _ in pool.map(lambda pair: fill(*pair), pairs):
            pass
    return Kernels(*kernels)


def store_limiting_kernels(
    x1: Inputs,
    x2: Inputs | None = None,
    *,
    store: str | Path,
    depth: int,
    activation: Chosen = "relu",
    kinks: Sequence[float] = (),
    beta: float = 0.1,
    weight_gain: float = 1.0,
    precision: str = "float64",
    block: int = 2048,
    memory: float = 2.0,
    scheduler: str | Mapping[str, Any] = "threads",
    threads: int | None = None,
    points: xr.Dataset | None = None,
    attributes: Mapping[str, object] | None = None,
    progress: Callable[[str], None] | None = None,
) -> xr.Dataset:
    """The same, of any size, into a Zarr store; returned opened, its arrays read on demand.

    Killed at any moment, the next call computes the blocks that are missing and no others. A store
    that is finished, for the same inputs, settings and code, is opened and nothing is computed.

    Parameters
    ----------
    x1, x2, depth, activation, kinks, beta, weight_gain, precision
        As in `limiting_kernels`; inputs may also be arrays that are read by rows from a disk.
    store
        Folder of the store.
    block
        Rows and columns of a block, that is of a chunk of the store, about.
    memory
        GiB for the blocks that are computed at once.
    scheduler
        ``threads``, or as the key `kernels.scheduler` of the configuration.
    threads
        Blocks computed at once with ``threads``, within `memory`; all cores by default.
    points
        Dataset whose coordinates describe the rows of x1; by default all count as training points.
    attributes
        Further attributes of the store.
    progress
        Called with a line of text as blocks are done.

    Raises
    ------
    ValueError, DualError
        As `limiting_kernels`; a `StoreError`, which is a ValueError, if another run is at work on
        the store or the disk is full.
    """
    network = limiting_network(activation, kinks, depth, beta, weight_gain)
    dtype = _dtype(precision)
    settings = _checked(block, memory, scheduler)
    grid = grid_between(x1, x2, settings.block)
    at_once = _at_once(grid, dtype, settings.memory, threads or _cores())
    write_grams(
        _described(x1) if points is None else points,
        x1,
        x2,
        store,
        limiting_recipe(activation, kinks, network, dtype),
        grid=grid,
        compute=_computing(settings.scheduler.model_dump(), at_once, progress),
        attributes={"precision": precision, **(attributes or {})},
    )
    return open_store(store, "limiting")


def extreme_eigenpairs(
    kernel: Kernel,
    count: int,
    *,
    which: Literal["largest", "smallest"] = "largest",
    memory: float = 2.0,
    tolerance: float = 1e-6,
    progress: Callable[[str], None] | None = None,
) -> Eigenpairs:
    """Some eigenvalues of K / N, with eigenvectors and residuals; `memory` is in GiB.

    See `analysis.eigenpairs.extreme_eigenpairs`.
    """
    return eigenpairs.extreme_eigenpairs(
        kernel, count, which=which, memory=memory * GIB, tolerance=tolerance, progress=progress
    )


def kernel_regression(
    kernel: Kernel,
    targets: ArrayLike,
    *,
    ridge: float = 0.0,
    memory: float = 2.0,
    tolerance: float = 1e-8,
    progress: Callable[[str], None] | None = None,
) -> Regression:
    """Solve (K + N ridge I) a = y for targets y (N, k); `memory` is in GiB.

    See `analysis.regression.fit_kernel_regression`.
    """
    y = np.asarray(targets, float)
    return regression.fit_kernel_regression(
        kernel, y, ridge=ridge, memory=memory * GIB, tolerance=tolerance, progress=progress
    )


def predict(cross_kernel: Kernel, coefficients: np.ndarray, *, memory: float = 2.0) -> np.ndarray:
    """f (M, k) from a kernel (M, N) between test and training points; `memory` is in GiB."""
    return regression.predict(cross_kernel, coefficients, memory=memory * GIB)


def _dtype(precision: str) -> np.dtype:
    if precision not in ("float32", "float64"):
        raise ValueError(f"precision is {precision!r}, expected 'float32' or 'float64'")
    return np.dtype(precision)


def _floating(x: ArrayLike) -> np.ndarray:
    array = native(x)
    return array.astype(np.float64) if array.dtype.kind in "iub" else array


def _checked(block: int, memory: float, scheduler: str | Mapping[str, Any]) -> KernelsConfig:
    """As the configuration's `kernels`: checked, with defaults."""
    try:
        return KernelsConfig.model_validate(
            {"block": block, "memory": memory, "scheduler": scheduler}
        )
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"]))
        raise ValueError(f"{key} is {fault['input']!r}: {fault['msg']}") from None


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _at_once(grid: Grid, dtype: np.dtype, memory: float, threads: int) -> int:
    """Blocks in memory at once: as many as threads, if they fit."""
    one = block_bytes(grid, dtype) / 2**30
    if memory < one:
        raise ValueError(
            f"memory is {memory:g} GiB, expected {one:.2g} or more for one block of {grid.chunk} "
            f"in {dtype}; or make `block` smaller"
        )
    return min(threads, int(memory / one))


def _fill_tile(kernels: Filled, chosen: tiles.Plan, mirrored: bool, row: Any, column: Any) -> None:
    with jax.enable_x64(True):
        tiles.fill_tile(kernels, row, column, chosen, mirrored=mirrored)


def _described(x: Inputs) -> xr.Dataset:
    return xr.Dataset(coords={"is_train": ("sample", np.ones(x.shape[0], bool))})


def _computing(
    scheduler: Mapping[str, Any], threads: int, progress: Callable[[str], None] | None
) -> Callable[..., Any]:
    """What computes Dask tasks, and says how many are done."""
    # Workers are processes of their own; in this one JAX's settings are its owner's.
    prepare = None if scheduler["kind"] == "threads" else runtime.configure_jax

    def report(done: int, total: int, _: object) -> None:
        if progress is not None:
            progress(f"limiting kernels: {done} of {total} blocks")

    return partial(compute, scheduler=scheduler, threads=threads, on_done=report, prepare=prepare)
