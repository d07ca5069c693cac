"""NNGP kernel and limiting NTK, in memory and in stores of any size."""

from __future__ import annotations  # so that help() names the types of arguments

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import xarray as xr

from ntkflow.interface import settings
from ntkflow.interface.arguments import (
    Activation,
    Attributes,
    Beta,
    Block,
    Kinks,
    Matrix,
    Memory,
    Overwrite,
    Points,
    Precision,
    Progress,
    Scheduler,
    StoredMatrix,
    Threads,
    WeightGain,
    Work,
    cores,
    write_kernels,
)
from ntkflow.interface.checks import checked, whole
from ntkflow.interface.recipes import activation_from, directed, limiting_recipe
from ntkflow.kernels import tiles
from ntkflow.kernels.limiting import LimitingKernels as Kernels
from ntkflow.stores.staging import check_shapes
from ntkflow.stores.zarr import open_store

Depth = Annotated[int, partial(whole, low=1, high=100_000)]
Store = Annotated[str | Path, partial(settings.place, kind="limiting")]


@checked
def limiting_kernels(
    x1: Matrix,
    x2: Matrix | None = None,
    *,
    depth: Depth,
    activation: Activation = "relu",
    kinks: Kinks = (),
    beta: Beta = 0.1,
    weight_gain: WeightGain = 1.0,
    precision: Precision = "float64",
    threads: Threads | None = None,
) -> Kernels:
    """Compute the NNGP kernel and limiting NTK between all rows of x1 and x2, or of x1 alone.

    JGH Proposition 1 and Theorem 1, with a gain on the weights.

    Parameters
    ----------
    x1, x2
        Inputs (n, d) and (m, d).
    depth
        Number of weight layers L.
    activation
        Name in the registry, mapping of ``name`` and parameters, or elementwise function of JAX
        arrays.
    kinks
        Points at which the function is not smooth.
    beta, weight_gain
        Factors of biases and weights: z^{l+1} = weight_gain W a^l / sqrt(n_l) + beta b.
    precision
        Precision of the kernels, ``float64`` or ``float32``. In float32 their error is about 1e-6
        of sqrt(K(x, x) K(x', x')), also for near-duplicates.
    threads
        Number of tiles computed at once; two per core by default, because one of them waits for
        memory.

    Returns
    -------
    Kernels
        ``nngp`` Sigma^L and ``ntk`` Theta_inf^L, NumPy arrays (n, m) of `precision`.

    Raises
    ------
    ValueError
        If an argument is invalid. The message names it, what was found and what is expected.
    DualError
        If the activation's dual is not accurate for these inputs, or a kernel is too large or too
        small for `precision`. It is a ValueError.
    """
    network = tiles.Network(activation_from(activation, kinks), depth, beta, weight_gain)
    dtype = np.dtype(precision)
    lists = [np.asarray(x) for x in (x1, x2) if x is not None]
    check_shapes(*lists)
    inputs = [directed(x, dtype=dtype) for x in lists]
    norms = np.concatenate([norm for norm, _ in inputs])
    with jax.enable_x64(True):
        plan = tiles.plan_kernels(norms, lists[0].shape[1], network, dtype)
    one, two = inputs[0], None if x2 is None else inputs[1]
    with ThreadPoolExecutor(threads or 2 * cores()) as pool:
        return Kernels(*tiles.block_kernels(one, two, plan, pool.map))


@checked
def store_limiting_kernels(
    x1: StoredMatrix,
    x2: StoredMatrix | None = None,
    *,
    store: Store,
    depth: Depth,
    activation: Activation = "relu",
    kinks: Kinks = (),
    beta: Beta = 0.1,
    weight_gain: WeightGain = 1.0,
    precision: Precision = "float64",
    block: Block = 2048,
    memory: Memory = 2.0,
    scheduler: Scheduler = "threads",
    threads: Threads | None = None,
    points: Points | None = None,
    attributes: Attributes | None = None,
    overwrite: Overwrite = False,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Write the NNGP kernel and limiting NTK, of any size, to a Zarr store.

    If an earlier call was killed, only the missing blocks are computed. If a finished store of the
    same inputs, settings and code exists, it is opened and nothing is computed. Only stores that
    ntkflow wrote are ever replaced, and finished ones only with `overwrite`.

    Parameters
    ----------
    x1, x2, depth, activation, kinks, beta, weight_gain, precision
        As in `limiting_kernels`; inputs may also be arrays that are read from disk by rows.
    store
        Folder of the store, on a local disk. Links are resolved and ``~`` is expanded.
    block
        Largest number of rows and columns of a block, which is a chunk of the store.
    memory
        GiB for the blocks computed at once.
    scheduler
        ``threads``, or a value of the configuration key `kernels.scheduler`.
    threads
        Number of computing threads if the scheduler is ``threads``; all cores by default. Up to
        twice as many blocks are in memory, because some are being written.
    points
        Dataset whose coordinates describe the rows of x1. By default every row is a training point.
    attributes
        Further attributes of the store.
    overwrite
        Whether to replace a finished store of other inputs, settings or code. Reading a Dataset
        that was opened from the old store then raises StoreError.
    progress
        Function that receives a line of text after each block.

    Returns
    -------
    xarray.Dataset
        The opened store with ``nngp`` and ``ntk`` (n, m), read on demand.

    Raises
    ------
    ValueError, DualError
        As in `limiting_kernels`.
    StoreError
        If `store` contains something else, another run is writing it, or the disk is full. It is a
        ValueError.
    """
    recipe = limiting_recipe(activation, kinks, depth, beta, weight_gain, np.dtype(precision))
    work = Work(block, memory, scheduler, threads, progress)
    write_kernels(x1, x2, store, recipe, precision, work, points, attributes, overwrite)
    return open_store(store, "limiting")


def store_kernel_share(
    points: xr.Dataset,
    store: str,
    share: tuple[int, int],
    network: Mapping[str, Any],
    kernels: Mapping[str, Any],
    threads: int,
    progress: Callable[[str], None],
) -> None:
    """Compute blocks i, i + n, i + 2 n, ... of the store that `store_limiting_kernels` will finish.

    For the workflow, whose configuration is checked: arguments are not. `points` is a data set with
    its inputs ``x``, `share` is (i, n), and `network` and `kernels` have arguments of
    `store_limiting_kernels` by name.
    """
    sigma, depth, beta, gain = (network[k] for k in ("activation", "depth", "beta", "weight_gain"))
    precision = kernels["precision"]
    recipe = limiting_recipe(sigma, (), depth, beta, gain, np.dtype(precision))
    work = Work(kernels["block"], kernels["memory"], kernels["scheduler"], threads, progress)
    write_kernels(points["x"], None, store, recipe, precision, work, points, share=share)
