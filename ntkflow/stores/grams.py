"""Gram matrices of any size, block by block into one store.

Inputs are first brought into the form that kernels take and laid out on disk (`staging`), so that
the memory of a run does not grow with their number and workers of a cluster find them. The tasks of
`blocks` then write whole chunks. A killed task leaves no partial chunk; the next run computes only
the blocks that lack one.

A store is built beside its place, in a folder whose name is the fingerprint of inputs, settings and
code, so that chunks of different computations are never mixed. Several processes may each write a
share of the blocks there. One at a time finishes the store: it computes what is missing, renames
the store to its place, and removes all that others have left.
"""

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import dask.array as da
import numpy as np
import xarray as xr
import zarr

from ntkflow.stores import building, labels
from ntkflow.stores.blocks import Compute, Shared, Task, compute_missing
from ntkflow.stores.building import partial_folder
from ntkflow.stores.contents import ROOT, mark
from ntkflow.stores.grid import Grid
from ntkflow.stores.integrity import fingerprint_in, is_finished
from ntkflow.stores.places import Place, StoreError, check_place, resolve_place
from ntkflow.stores.schema import SCHEMAS
from ntkflow.stores.staging import LISTS, Inputs, Rows, digest_inputs, open_staged, stage
from ntkflow.stores.zarr import SEAL, finish_store, labelled_store

BlockKernel = Callable[..., Sequence[np.ndarray]]
"""All kernels between two lists of inputs, `Rows`, or of the first with itself."""


class Recipe(NamedTuple):
    """How kernels are computed.

    `directed` gives norms and directions of a few inputs, `plan` the kernel of blocks and
    attributes of the store from all norms and n_0. `settings` are all that values depend on besides
    the inputs: network, precision, code. The kernels are the variables of a store of `kind`.
    """

    directed: Callable[[np.ndarray], Rows]
    plan: Callable[[np.ndarray, int], tuple[BlockKernel, Mapping[str, object]]]
    settings: str
    dtype: np.dtype
    kind: str = "limiting"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the kernels."""
        return tuple(SCHEMAS[self.kind].variables)


class _Plan(NamedTuple):
    """Store to be built: its path, the digest of all it depends on, and zeros with its labels."""

    path: Path
    fingerprint: str
    labelled: xr.Dataset
    sources: Sequence[Inputs]
    recipe: Recipe
    grid: Grid

    @property
    def folder(self) -> Path:
        """Folder in which the store is built."""
        return partial_folder(self.path) / self.fingerprint[:16]


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
    share: tuple[int, int] | None = None,
) -> None:
    """Write a store of the kernels between all inputs, or between them and others.

    The store at `place` is of the recipe's kind, with the coordinates of `points`. Blocks that
    earlier runs have left for the same inputs, settings and code are reused; a finished store is
    left as it is. A store of other inputs, settings or code is replaced only with `overwrite`.

    With `share` (i, n), only the blocks i, i + n, i + 2 n, ... are computed, and nothing at `place`
    changes. Several processes may compute shares at once, even the same one; a call without
    `share` then finishes the store.

    ValueError if the inputs are not finite real numbers. StoreError if `place` contains anything
    else, another run is writing the store, or the disk has too little space.
    """
    path = resolve_place(place)  # absolute: workers may be in another folder
    check_place(path, recipe.kind)
    building.check_folder(partial_folder(path))
    sources = [inputs] if others is None else [inputs, others]
    zeros = da.zeros(grid.shape, chunks=grid.chunk, dtype=recipe.dtype)  # not in memory
    try:
        kernels = labels.kernels(points, dict.fromkeys(recipe.names, zeros))
        labelled = labelled_store(kernels, recipe.kind)
    except ValueError as error:
        raise ValueError(f"points: {' '.join(str(error).split())}") from None
    fingerprint = _fingerprint(recipe.settings, grid, points, sources)
    plan = _Plan(path, fingerprint, labelled, sources, recipe, grid)
    try:
        if share is not None:
            _build_share(plan, compute, share)
        else:
            _build_whole(plan, compute, attributes or {}, overwrite)
    except OSError as error:
        raise building.explained(error, path, plan.folder) from error


def _build_share(plan: _Plan, compute: Compute, share: tuple[int, int]) -> None:
    """Compute the blocks of a share that are not on disk."""
    if is_finished(plan.path, plan.fingerprint):
        return
    first, count = share
    with building.lock_folder(partial_folder(plan.path), shared=True):
        task, _ = _prepare(plan)
        earlier = building.earlier_store(plan.path, plan.recipe.names, plan.fingerprint)
        compute_missing(task, plan.grid.blocks[first::count], compute, earlier)


def _build_whole(
    plan: _Plan, compute: Compute, attributes: Mapping[str, object], overwrite: bool
) -> None:
    """Build the store, reusing what earlier runs have left, and put it in its place."""
    path, folder, fingerprint = plan.path, plan.folder, plan.fingerprint
    if is_finished(path, fingerprint):
        building.clear(path, folder)
        return
    _check_same(plan, overwrite)
    with building.lock_folder(partial_folder(path)):
        building.put_back(path)
        if is_finished(path, fingerprint):  # by the run that held the folder until now
            return
        _check_same(plan, overwrite)
        try:
            _finish(plan, attributes, compute)
            building.empty(partial_folder(path))
        finally:
            if not (folder / "store").exists():
                shutil.rmtree(folder, ignore_errors=True)


def _check_same(plan: _Plan, overwrite: bool) -> None:
    """Raise StoreError if a store of another computation is there and must not be replaced."""
    path = plan.path
    if overwrite or not path.is_dir() or not any(path.iterdir()):
        return
    found = {fingerprint_in(path)} - {None}
    found = found or {fingerprint_in(path / name) for name in plan.recipe.names} - {None}
    if found != {plan.fingerprint}:
        raise StoreError(
            f"{path}: holds a finished store of other inputs, settings or code, expected the "
            "same ones or nothing; pass overwrite=True to replace it, or choose another place"
        )


def _finish(plan: _Plan, attributes: Mapping[str, object], compute: Compute) -> None:
    """Compute the blocks that are missing and rename the store to its place."""
    path, store, names = plan.path, plan.folder / "store", plan.recipe.names
    for debris in (*plan.folder.glob("*.fresh"), *([] if (store / ROOT).is_file() else [store])):
        shutil.rmtree(debris, ignore_errors=True)
    for debris in store.rglob("*.partial"):
        debris.unlink(missing_ok=True)
    task, facts = _prepare(plan)
    building.adopt(path, store, names, plan.fingerprint)
    compute_missing(task, plan.grid.blocks, compute)
    named = {**plan.labelled.attrs, **attributes, "fingerprint": plan.fingerprint, **facts}
    zarr.open_group(store, mode="r+").attrs.put(named)
    finish_store(store, path, plan.recipe.kind)


def _prepare(plan: _Plan) -> tuple[Task, Mapping[str, object]]:
    """Stage the inputs and lay out the store, unless done; its task, and attributes to add."""
    folders = [plan.folder / f"inputs-{index}" for index in range(len(plan.sources))]
    for x, folder in zip(plan.sources, folders, strict=True):
        building.create_folder(folder, partial(stage, x, plan.recipe.directed))
    staged = [open_staged(folder) for folder in folders]
    norms = np.concatenate([part.norms() for part in staged])
    kernel, facts = plan.recipe.plan(norms, plan.sources[0].shape[1])
    store = plan.folder / "store"
    building.create_folder(store, partial(_lay_out, plan))
    return Task(Shared(kernel), staged, store, plan.grid, plan.recipe.names), facts


def _fingerprint(settings: str, grid: Grid, points: xr.Dataset, sources: Sequence[Inputs]) -> str:
    """Digest of all that the chunks and coordinates of a store depend on."""
    coordinates = (c for c in points.coords.values() if c.dims == ("sample",))
    described = sorted((str(c.name), str(c.dtype), c.values.tolist()) for c in coordinates)
    parts = [settings, f"chunks {grid.chunk}", repr(described)]
    parts += map(digest_inputs, sources, LISTS)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _lay_out(plan: _Plan, folder: Path) -> None:
    """Write the store without its chunks into a new folder."""
    names, chunk = plan.recipe.names, plan.grid.chunk
    for name in names:
        plan.labelled[name].attrs["fingerprint"] = plan.fingerprint
    encoding = {name: {"compressors": (SEAL,), "chunks": chunk} for name in names}
    plan.labelled.to_zarr(
        folder, mode="w", zarr_format=3, consolidated=False, compute=False, encoding=encoding
    )
    mark(folder, plan.recipe.kind)
