"""The NNGP kernel and the limiting NTK."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ntkflow.interface.arguments import (
    at_once,
    checked,
    computing,
    cores,
    described,
    dtype_of,
    floating,
)
from ntkflow.kernels import tiles
from ntkflow.recipes import Chosen, directed, limiting_network, limiting_recipe, planned
from ntkflow.stores.grams import write_grams
from ntkflow.stores.grid import grid_between
from ntkflow.stores.staging import Inputs, check_inputs
from ntkflow.stores.zarr import open_store

__all__ = ["Kernels", "limiting_kernels", "store_limiting_kernels"]

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
    dtype = dtype_of(precision)
    lists = [floating(x) for x in (x1, x2) if x is not None]
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
    with ThreadPoolExecutor(threads or 2 * cores()) as pool:
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
    overwrite: bool = False,
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
        That compute with ``threads``; all cores by default. Twice as many blocks are under way,
        within `memory`, as some are being written.
    points
        Dataset whose coordinates describe the rows of x1; by default all count as training points.
    attributes
        Further attributes of the store.
    progress
        Called with a line of text as blocks are done.
    overwrite
        Whether to replace a store of other inputs, settings or code.

    Raises
    ------
    ValueError, DualError
        As `limiting_kernels`; a `StoreError`, which is a ValueError, if another run is at work on
        the store or the disk is full.
    """
    network = limiting_network(activation, kinks, depth, beta, weight_gain)
    dtype = dtype_of(precision)
    settings = checked(block, memory, scheduler)
    grid = grid_between(x1, x2, settings.block)
    blocks = at_once(grid, dtype, settings, threads)
    write_grams(
        described(x1) if points is None else points,
        x1,
        x2,
        store,
        limiting_recipe(activation, kinks, network, dtype),
        grid=grid,
        compute=computing(settings.scheduler.model_dump(), blocks, progress),
        attributes={"precision": precision, **(attributes or {})},
        overwrite=overwrite,
    )
    return open_store(store, "limiting")


def _fill_tile(kernels: Filled, chosen: tiles.Plan, mirrored: bool, row: Any, column: Any) -> None:
    with jax.enable_x64(True):
        tiles.fill_tile(kernels, row, column, chosen, mirrored=mirrored)
