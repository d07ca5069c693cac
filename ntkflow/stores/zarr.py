"""Zarr stores on disk: written whole or not at all, checked when opened.

A store is built beside its place and renamed into it, so a killed writer leaves the old one or
none. It replaces an earlier store of its kind and nothing else (see `places`). Its root attribute
`payload` counts its files and bytes: a store that has lost a chunk is refused, not read as fill
values. Its attribute `sha256` is a digest of them all, so that the root file, by which rules know a
store, differs whenever the data do. Chunks carry checksums.
"""

import hashlib
import os
import shutil
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import xarray as xr
import zarr
import zarr.codecs

from ntkflow.stores.building import (
    check_folder,
    empty,
    explained,
    lock_folder,
    partial_folder,
    put_back,
    put_in_place,
)
from ntkflow.stores.checked import CheckedStore, is_sealed
from ntkflow.stores.contents import MARK, ROOT, mark
from ntkflow.stores.places import (
    Place,
    StoreError,
    check_place,
    resolve_place,
    store_folder,
)
from ntkflow.stores.schema import conform
from ntkflow.stores.statistics import STATISTICS

__all__ = [
    "ROOT",
    "SEAL",
    "StoreError",
    "damaged_stores",
    "data_digest",
    "finish_store",
    "foreign_stores",
    "is_finished",
    "is_whole",
    "labelled_store",
    "open_by_width",
    "open_store",
    "write_store",
]

SEAL = zarr.codecs.Crc32cCodec()
COMPRESSORS = (zarr.codecs.ZstdCodec(level=3), SEAL)


def write_store(
    dataset: xr.Dataset,
    place: Place,
    kind: str,
    attributes: Mapping[str, object] | None = None,
) -> None:
    """Write `dataset` as a store of `kind` (see `schema`), replacing an earlier one at `place`.

    Dask arrays are computed and written chunk by chunk. `place` is the store's folder or the root
    file in it, by which a rule declares it.

    Raises
    ------
    StoreError
        If anything but a store of `kind`, or of other statistics, is at `place`, if another run is
        writing to it, or if the disk is full or cannot be written.
    """
    path = resolve_place(place)
    # The measure of an experiment may change, and with it the kind of its statistics.
    replaced = None if kind in STATISTICS else kind
    check_place(path, replaced)
    beside = partial_folder(path)
    building = beside / "store"
    labelled = labelled_store(dataset, kind, attributes)
    with lock_folder(beside):
        try:
            put_back(path)
            shutil.rmtree(building, ignore_errors=True)
            labelled.to_zarr(
                building, mode="w", zarr_format=3, consolidated=False, encoding=_encoding(labelled)
            )
            mark(building, kind)
            finish_store(building, path, replaced)
            empty(beside)
        except OSError as error:
            raise explained(error, path, building) from error
        finally:  # usually a full disk: free the space of the incomplete store
            shutil.rmtree(building, ignore_errors=True)


def labelled_store(
    dataset: xr.Dataset, kind: str, attributes: Mapping[str, object] | None = None
) -> xr.Dataset:
    """The Dataset with the labels of its kind and with attributes, of types that Zarr specifies."""
    return _portable(conform(dataset, kind).assign_attrs(attributes or {}))


def finish_store(building: Path, path: Path, kind: str | None) -> None:
    """Complete the store in `building` and rename it to `path`, in place of one of `kind`."""
    written = {"payload": _payload(building), "sha256": data_digest(building)}
    zarr.open_group(building, mode="r+").attrs.update(written)
    with warnings.catch_warnings():
        # Not in the v3 specification yet; without it a plain `xarray.open_zarr` warns each reader.
        warnings.filterwarnings("ignore", "Consolidated metadata", category=UserWarning)
        zarr.consolidate_metadata(building)
    put_in_place(building, path, kind)


def open_store(place: Place, kind: str) -> xr.Dataset:
    """Open a store of `kind`, arrays read on demand, without Dask; `place` as in `write_store`.

    Raises
    ------
    StoreError
        If there is no store at `place`, it holds another kind, or some of its files are gone. So
        does reading from the Dataset once the store has been replaced or removed.
    """
    path = store_folder(place)
    if not (path / ROOT).is_file():
        raise StoreError(f"{path}: no Zarr store here; run snakemake to make it")
    try:
        dataset = xr.open_zarr(CheckedStore(path), chunks=None, consolidated=True)
    except _UNREADABLE as error:
        raise StoreError(f"{path}: not readable as a store ({error}); {_REMEDY}") from error
    if dataset.attrs.get("store") != kind:
        found = dataset.attrs.get("store", "something else")
        raise StoreError(f"{path}: holds {found!r}, expected {kind!r}; {_REMEDY}")
    if dataset.attrs.get("payload") != _payload(path):
        raise StoreError(
            f"{path}: holds {_payload(path)}, was written with {dataset.attrs.get('payload')}; "
            + _REMEDY
        )
    del dataset.attrs["payload"]  # of these files: a copy that a user writes must not carry it
    return dataset


def open_by_width(
    widths: Iterable[int], places: Iterable[Place], kind: str
) -> dict[int, xr.Dataset]:
    """One store a width, as `open_store` opens them."""
    return {width: open_store(place, kind) for width, place in zip(widths, places, strict=True)}


def damaged_stores(places: Iterable[Place]) -> list[Path]:
    """Folders of the stores that have lost files since they were written; foreign ones are not."""
    roots = (store_folder(place) / ROOT for place in places)
    lossy = [root.parent for root in roots if root.is_file() and not is_whole(root.parent)]
    return [path for path in lossy if not foreign_stores([path])]


def foreign_stores(places: Iterable[Place]) -> list[str]:
    """Messages about the places at which a run must not write, each with what was found there."""
    messages = []
    for place in places:
        try:
            path = resolve_place(place)
            check_place(path, None)
            check_folder(partial_folder(path))
        except StoreError as error:
            messages.append(str(error))
    return messages


_REMEDY = "delete it and run snakemake again"
# What Zarr raises on metadata cut short, or of valid JSON that is no metadata.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)


def is_whole(path: Path) -> bool:
    """Whether a store has all the files, in number and size, that it was written with."""
    try:
        return bool(zarr.open_group(path, mode="r").attrs["payload"] == _payload(path))
    except _UNREADABLE:
        return False


def is_finished(path: Path, fingerprint: str) -> bool:
    """Whether a whole store is there, written with this fingerprint."""
    try:
        found = zarr.open_group(path, mode="r").attrs.get("fingerprint")
    except _UNREADABLE:
        return False
    return found == fingerprint and is_whole(path)


def _payload(path: Path) -> str:
    files = _files(path)
    return f"{len(files)} files, {sum(file.stat().st_size for file in files)} bytes"


def data_digest(path: Path) -> str:
    """Of all files; a chunk that ends in its checksum stands for itself by that."""
    digest = hashlib.sha256()
    sealed = {file.parent.name for file in path.glob("*/zarr.json") if is_sealed(file.parent)}
    for file in _files(path):
        array, *chunk = file.relative_to(path).parts
        digest.update(f"{file.relative_to(path).as_posix()} {file.stat().st_size}\n".encode())
        with file.open("rb") as content:
            if array in sealed and chunk[0] == "c":
                content.seek(-4, os.SEEK_END)
            digest.update(content.read())
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    """All files but the root's and marks, in one order everywhere."""
    files = (file for file in path.rglob("*") if file.is_file() and file.name != MARK)
    return sorted(file for file in files if file != path / ROOT)


def _portable(dataset: xr.Dataset) -> xr.Dataset:
    """Strings as objects: Zarr v3 specifies variable-length strings but no NumPy ones."""
    strings = {str(n): v.values for n, v in dataset.variables.items() if v.dtype.kind == "U"}
    return dataset.assign(
        {name: dataset[name].copy(data=values.astype(object)) for name, values in strings.items()}
    )


def _encoding(dataset: xr.Dataset) -> dict[str, dict[str, object]]:
    encoding: dict[str, dict[str, object]] = {}
    for name, array in dataset.variables.items():
        if array.dtype.kind in "bif":
            encoding[str(name)] = {"compressors": COMPRESSORS}
        if array.chunks is not None:
            encoding[str(name)]["chunks"] = tuple(sizes[0] for sizes in array.chunks)
    return encoding
