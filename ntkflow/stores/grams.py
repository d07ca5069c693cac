"""Gram matrices of any size, block by block into one store.

Inputs are first brought into the form that kernels take and laid out on disk (`staging`), so that
the memory of a run does not grow with their number and workers of a cluster find them. Each block
is then one Dask task: it computes all kernels between two strips of inputs and writes them, and
their transposes below the diagonal, as whole chunks. A chunk is there or it is not, whatever
happens to the task; the next run computes the blocks that lack one and no others.

What is under way lies beside the store, in a folder whose name is the fingerprint of inputs,
settings and code: chunks of another computation are never taken for this one's. One run at a time
is at work on a store; what it has put together takes the store's place at the end, and all that
others have left there is removed.
"""

import errno
import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr
import zarr
from dask.delayed import delayed

from ntkflow.stores import labels
from ntkflow.stores.building import (
    adopt,
    check_folder,
    clear,
    empty,
    explained,
    holds_another,
    lock_folder,
    partial_folder,
    put_back,
)
from ntkflow.stores.contents import ROOT, mark
from ntkflow.stores.grid import Grid
from ntkflow.stores.integrity import is_finished
from ntkflow.stores.places import Place, StoreError, check_place, resolve_place
from ntkflow.stores.schema import SCHEMAS
from ntkflow.stores.shared import Shared
from ntkflow.stores.staging import (
    LISTS,
    Inputs,
    Rows,
    Staged,
    digest_inputs,
    open_staged,
    stage,
    staged_rows,
)
from ntkflow.stores.zarr import SEAL, finish_store, labelled_store

__all__ = ["BlockKernel", "Recipe", "write_grams"]

BlockKernel = Callable[[Rows, Rows | None], Sequence[np.ndarray]]
"""All kernels between two lists of inputs, or of the first with itself."""

Compute = Callable[..., Any]
"""Takes Dask tasks, and calls `on_done` with the number done, of how many, as each is done."""


class Recipe(NamedTuple):
    """How kernels are computed.

    Attributes
    ----------
    directed
        Norms and directions of a few inputs.
    plan
        (all norms, n_0) -> the kernel of blocks, and attributes of the store.
    settings
        All that values depend on besides the inputs: network, precision, code.
    dtype
        Of the kernels.
    kind
        Of the store, whose variables the kernels are, in their order.
    """

    directed: Callable[[np.ndarray], Rows]
    plan: Callable[[np.ndarray, int], tuple[BlockKernel, Mapping[str, object]]]
    settings: str
    dtype: np.dtype
    kind: str = "limiting"

    @property
    def names(self) -> tuple[str, ...]:
        """Of the kernels."""
        return tuple(SCHEMAS[self.kind].variables)


def write_grams(
    points: xr.Dataset,
    inputs: Inputs,
    others: Inputs | None,
    place: Place,
    recipe: Recipe,
    *,
    grid: Grid,
    compute: Compute,
    attributes: Mapping[str, object] | None = None,
    overwrite: bool = False,
) -> None:
    """Compute NNGP and NTK between all inputs, or between them and others, into a store.

    A store of kind "limiting" at `place`, with the coordinates of `points`. Blocks that an earlier
    run has left for the same inputs, settings and code are taken over, byte for byte; a store that
    is finished is left as it is. A store of other inputs, settings or code is replaced only with
    `overwrite`.

    Raises
    ------
    ValueError
        If the inputs are not finite real numbers.
    StoreError
        If `place` holds anything else, another run is at work on the store, or the disk is full or
        will be.
    """
    path = resolve_place(place)  # absolute: workers may be in another folder
    check_place(path, recipe.kind)
    check_folder(partial_folder(path))
    sources = [inputs] if others is None else [inputs, others]
    try:
        labelled = _labelled(points, grid, recipe)
    except ValueError as error:
        raise ValueError(f"points: {' '.join(str(error).split())}") from None
    fingerprint = _fingerprint(recipe.settings, grid, points, sources)
    folder = partial_folder(path) / fingerprint[:16]
    if is_finished(path, fingerprint):
        clear(path, folder)
        return
    _check_same(path, recipe, fingerprint, overwrite)
    with lock_folder(partial_folder(path)):
        put_back(path)
        if is_finished(path, fingerprint):  # by the run that held the folder until now
            return
        _check_same(path, recipe, fingerprint, overwrite)
        try:
            described = {**(attributes or {}), "fingerprint": fingerprint}
            _build(path, folder, labelled.assign_attrs(described), sources, recipe, grid, compute)
            empty(partial_folder(path))
        except OSError as error:
            raise explained(error, path, folder) from error
        finally:
            if not (folder / "store").exists():
                shutil.rmtree(folder, ignore_errors=True)


def _check_same(path: Path, recipe: Recipe, fingerprint: str, overwrite: bool) -> None:
    """Raise StoreError if the store at `path` is of another computation and not to be replaced."""
    if holds_another(path, recipe.names, fingerprint) and not overwrite:
        raise StoreError(
            f"{path}: holds a finished store of other inputs, settings or code, expected the same "
            "ones or nothing; pass overwrite=True to replace it, or choose another place"
        )


def _build(
    path: Path,
    folder: Path,
    labelled: xr.Dataset,
    sources: Sequence[Inputs],
    recipe: Recipe,
    grid: Grid,
    compute: Compute,
) -> None:
    """Build the store in `folder`, from what an earlier run has left, and put it in its place."""
    store = folder / "store"
    staged = [_stage(x, recipe, folder / f"inputs-{i}") for i, x in enumerate(sources)]
    norms = np.concatenate([part.norms() for part in staged])
    kernel, facts = recipe.plan(norms, sources[0].shape[1])
    complete = labelled.assign_attrs(facts)
    _lay_out(complete, store, grid, recipe)
    adopt(path, store, recipe.names, complete.attrs["fingerprint"])
    _compute_missing(Task(Shared(kernel), staged, folder, grid, recipe.names), compute)
    zarr.open_group(store, mode="r+").attrs.update(complete.attrs)
    finish_store(store, path, recipe.kind)


def _fingerprint(settings: str, grid: Grid, points: xr.Dataset, sources: Sequence[Inputs]) -> str:
    """Of all that the chunks and coordinates of a store depend on."""
    coordinates = (c for c in points.coords.values() if c.dims == ("sample",))
    described = sorted((str(c.name), str(c.dtype), c.values.tolist()) for c in coordinates)
    parts = [settings, f"chunks {grid.chunk}", repr(described)]
    parts += map(digest_inputs, sources, LISTS)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _stage(x: Inputs, recipe: Recipe, folder: Path) -> Staged:
    if not folder.exists():
        fresh = folder.with_name(f"{folder.name}.fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        stage(x, recipe.directed, fresh)
        fresh.rename(folder)
    return open_staged(folder)


def _lay_out(labelled: xr.Dataset, store: Path, grid: Grid, recipe: Recipe) -> None:
    """The store without its chunks, if it is not there yet."""
    if (store / ROOT).is_file():
        return
    shutil.rmtree(store, ignore_errors=True)
    fresh = store.with_name("store.fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    for name in recipe.names:
        labelled[name].attrs["fingerprint"] = labelled.attrs["fingerprint"]
    encoding = {name: {"compressors": (SEAL,), "chunks": grid.chunk} for name in recipe.names}
    labelled.to_zarr(
        fresh, mode="w", zarr_format=3, consolidated=False, compute=False, encoding=encoding
    )
    mark(fresh, recipe.kind)
    fresh.rename(store)


def _labelled(points: xr.Dataset, grid: Grid, recipe: Recipe) -> xr.Dataset:
    """The store as a Dataset of zeros that are not in memory."""
    lazy = da.zeros(grid.shape, chunks=grid.chunk, dtype=recipe.dtype)
    kernels = labels.kernels(points, dict.fromkeys(recipe.names, lazy))
    return labelled_store(kernels, recipe.kind)


class Task(NamedTuple):
    """What the tasks of a store share."""

    kernel: Shared
    inputs: Sequence[Staged]
    folder: Path
    grid: Grid
    names: tuple[str, ...]


def _compute_missing(task: Task, compute: Compute) -> None:
    """Compute the blocks whose chunks are not all there."""
    grid, store = task.grid, task.folder / "store"
    dtype = zarr.open_array(store / task.names[0], mode="r").dtype
    size = grid.chunk[0] * grid.chunk[1] * dtype.itemsize + 4  # with its checksum
    for debris in store.rglob("*.partial"):
        debris.unlink(missing_ok=True)
    missing = [
        block
        for block in grid.blocks
        if any(not _has_size(file, size) for file in _files(task, block))
    ]
    needed = size * len(task.names) * sum(len(grid.written(*block)) for block in missing)
    free = shutil.disk_usage(store).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"{needed:,} bytes are needed and {free:,} are free")
    steps = (partial(_write_block, task, block) for block in missing)
    compute([delayed(step, pure=False, traverse=False)() for step in steps])


def _write_block(task: Task, block: tuple[int, int]) -> None:
    """Compute the kernels of a block and write them, each as one whole chunk or two."""
    grid, folder = task.grid, task.folder
    rows, columns = (grid.part(axis, index) for axis, index in enumerate(block))
    one = staged_rows(task.inputs[0], rows)
    same = grid.mirrored and rows == columns
    two = None if same else staged_rows(task.inputs[-1], columns)
    for name, gram in zip(task.names, task.kernel.value(one, two), strict=True):
        array = zarr.open_array(
            folder / "store" / name, mode="r+", config={"write_empty_chunks": True}
        )
        array[rows, columns] = gram
        if len(grid.written(*block)) > 1:
            array[columns, rows] = gram.T


def _files(task: Task, block: tuple[int, int]) -> list[Path]:
    places = product(task.names, task.grid.written(*block))
    return [task.folder / "store" / name / "c" / str(i) / str(j) for name, (i, j) in places]


def _has_size(file: Path, size: int) -> bool:
    return file.is_file() and file.stat().st_size == size
