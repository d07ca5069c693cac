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
from numpy.typing import ArrayLike

from ntkflow.interface import arrays, settings
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
    Threads,
    WeightGain,
    Work,
    cores,
    write_kernels,
)
from ntkflow.interface.checks import checked, whole
from ntkflow.interface.layers import LayerList
from ntkflow.interface.plain import limit_arguments
from ntkflow.interface.recipes import activation_from, directed, layers_recipe, limiting_recipe
from ntkflow.kernels import tiles
from ntkflow.kernels.composed_tiles import SAMPLE, plan_composed
from ntkflow.kernels.layers import Layers, check_layers
from ntkflow.kernels.limiting import LimitingKernels as Kernels
from ntkflow.kernels.schedule import fully_connected
from ntkflow.stores.grams import Recipe
from ntkflow.stores.staging import LISTS, Inputs, check_shapes
from ntkflow.stores.zarr import open_store

Depth = Annotated[int, partial(whole, low=1, high=100_000)]
Images = Annotated[ArrayLike, arrays.inputs]
StoredImages = Annotated[Inputs, arrays.stored_inputs]
NAMES = ("activation", "kinks", "beta", "weight_gain")
DEFAULTS: tuple[Any, Any, float, float] = ("relu", (), 0.1, 1.0)
"""Defaults of the arguments `NAMES` of a fully-connected network."""
Store = Annotated[str | Path, partial(settings.place, kind="limiting")]


@checked
def limiting_kernels(
    x1: Images,
    x2: Images | None = None,
    *,
    depth: Depth | None = None,
    layers: LayerList | None = None,
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
        Inputs (n, d) and (m, d). With `layers` also sequences (n, length, channels) or images
        (n, height, width, channels).
    depth
        Number of weight layers L of a fully-connected network. It or `layers` is needed.
    layers
        Network composed of layers of `api.layers`, each with its own factors and activation. The
        other arguments of the network must then be left out. If an activation with a kink follows
        pooling, nearly parallel inputs have errors up to 1e-8 (float64) or 1e-3 (float32) of
        sqrt(K(x, x) K(x', x')).
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
    given = (activation, kinks, beta, weight_gain)
    lists = {name: x for name, x in (("x1", x1), ("x2", x2)) if x is not None}
    network = _network(depth, layers, given, lists)
    rows = [x.reshape(len(x), -1) for x in map(np.asarray, lists.values())]
    dtype = np.dtype(precision)
    plan, inputs = _planned(network, rows, np.shape(x1)[1:], dtype)
    one, two = inputs[0], None if x2 is None else inputs[1]
    with ThreadPoolExecutor(threads or 2 * cores()) as pool:
        return Kernels(*tiles.block_kernels(one, two, plan, pool.map))


@checked
def limiting_diagonals(
    x: Matrix,
    *,
    depth: Depth,
    activation: Activation = "relu",
    kinks: Kinks = (),
    beta: Beta = 0.1,
    weight_gain: WeightGain = 1.0,
) -> Kernels:
    """Compute both limiting kernels of each row of x with itself, without those of other pairs.

    They are the prior variances that predictions need.

    Parameters
    ----------
    x
        Inputs (n, d).
    depth
        Number of weight layers L of a fully-connected network.
    activation, kinks, beta, weight_gain
        As in `limiting_kernels`.

    Returns
    -------
    Kernels
        ``nngp`` Sigma^L(x, x) and ``ntk`` Theta_inf^L(x, x), NumPy arrays (n,) in float64.

    Raises
    ------
    ValueError, DualError
        As in `limiting_kernels`.
    """
    rows = np.asarray(x)
    network = tiles.Network(activation_from(activation, kinks), depth, beta, weight_gain)
    norms, _ = directed(rows, dtype=np.dtype(np.float64))
    with jax.enable_x64(True):
        return Kernels(*map(np.asarray, tiles.diagonal_kernels(norms, rows.shape[1], network)))


def _planned(
    network: tiles.Network | Layers, rows: list[np.ndarray], shape: tuple[int, ...], dtype: np.dtype
) -> tuple[tiles.Tiled, list[tuple[np.ndarray, np.ndarray]]]:
    """Plan of the kernels of a network, and the inputs (n, features) as it takes them."""
    if isinstance(network, tiles.Network):
        inputs = [directed(x, dtype=dtype) for x in rows]
        norms = np.concatenate([norm for norm, _ in inputs])
        with jax.enable_x64(True):
            return tiles.plan_kernels(norms, rows[0].shape[1], network, dtype), inputs
    inputs = [directed(x, dtype=np.dtype(np.float64)) for x in rows]
    sample = np.concatenate([x[_sample(len(x))] for x in rows])
    with jax.enable_x64(True):
        return plan_composed(sample, network, shape, dtype, count=len(rows[0])), inputs


def _sample(count: int) -> np.ndarray:
    """Indices of at most `SAMPLE` inputs, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, SAMPLE)).round().astype(int))


def _network(
    depth: int | None,
    layers: Layers | None,
    given: tuple[Any, Any, float, float],
    lists: Mapping[str, Any],
) -> tiles.Network | Layers:
    """Network of the arguments; ValueError unless they are complete and fit the inputs."""
    if layers is None:
        for name, x in lists.items():
            arrays.require_matrix(name, tuple(x.shape), "(samples, features)")
    network = described(depth, layers, given)
    first, *others = (tuple(x.shape[1:]) for x in lists.values())
    if layers is not None:
        check_layers(layers, first)
        network = fully_connected(layers) or layers
    if others not in ([], [first]) and max(map(len, (first, *others))) > 1:
        one, two = lists
        raise ValueError(f"{two}: found inputs {others[0]}, expected {first}, as {one} has")
    check_shapes(*(arrays.FlatRows(x, name) for name, x in lists.items()), names=[*lists])
    return network


def described(
    depth: int | None, layers: Layers | None, given: tuple[Any, Any, float, float]
) -> tiles.Network | Layers:
    """Network of the arguments, of which `given` are those in `NAMES`.

    ValueError unless they are complete and describe one network.
    """
    if layers is not None:
        if depth is not None or given != DEFAULTS:
            raise ValueError(
                "layers: found depth, activation, kinks, beta or weight_gain as well, expected "
                "layers alone; give each layer its own"
            )
        return layers
    if depth is None:
        raise ValueError("depth: found None, expected the number of weight layers, or `layers`")
    activation, kinks, beta, weight_gain = given
    return tiles.Network(activation_from(activation, kinks), depth, beta, weight_gain)


@checked
def store_limiting_kernels(
    x1: StoredImages,
    x2: StoredImages | None = None,
    *,
    store: Store,
    depth: Depth | None = None,
    layers: LayerList | None = None,
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
    x1, x2, depth, layers, activation, kinks, beta, weight_gain, precision
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
    given = (activation, kinks, beta, weight_gain)
    lists, recipe = recipe_of(x1, x2, depth, layers, given, np.dtype(precision))
    work = Work(block, memory, scheduler, threads, progress)
    write_kernels(*lists, store, recipe, precision, work, points, attributes, overwrite)
    return open_store(store, "limiting")


def recipe_of(
    x1: Any,
    x2: Any,
    depth: int | None,
    layers: Layers | None,
    given: tuple[Any, Any, float, float],
    dtype: np.dtype,
    names: tuple[str, str] = LISTS,
) -> tuple[tuple[Any, Any], Recipe]:
    """Both lists of inputs, read by rows, and the recipe of their kernels.

    ValueError, with the `names` of the lists, unless they fit the network.
    """
    lists = {name: x for name, x in zip(names, (x1, x2), strict=True) if x is not None}
    _network(depth, layers, given, lists)
    if layers is None:
        activation, kinks, beta, weight_gain = given
        assert depth is not None
        return (x1, x2), limiting_recipe(activation, kinks, depth, beta, weight_gain, dtype)
    rows = {name: arrays.FlatRows(x, name) for name, x in lists.items()}

    def sample() -> np.ndarray:
        each = (x[i : i + 1] for x in rows.values() for i in _sample(x.shape[0]))
        return np.concatenate([row.astype(np.float64) for row in each])

    recipe = layers_recipe(layers, tuple(x1.shape[1:]), sample, dtype)
    return (rows[names[0]], rows.get(names[1])), recipe


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
    `store_limiting_kernels` by name, or plain ``layers`` and ``shape``.
    """
    x, named = limit_arguments(points["x"], network)
    given = tuple(named.get(name, value) for name, value in zip(NAMES, DEFAULTS, strict=True))
    dtype = np.dtype(kernels["precision"])
    lists, recipe = recipe_of(x, None, named.get("depth"), named.get("layers"), given, dtype)
    work = Work(kernels["block"], kernels["memory"], kernels["scheduler"], threads, progress)
    write_kernels(*lists, store, recipe, kernels["precision"], work, points, share=share)
