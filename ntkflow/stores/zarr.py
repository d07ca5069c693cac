"""Zarr stores on disk: written whole or not at all, checked when opened.

A store is built beside its place and renamed into it, so a killed writer leaves the old one or
none. It replaces an earlier store of its kind and nothing else (see `places`). Its root attribute
`payload` counts its files and bytes: a store that has lost a chunk is refused, not read as fill
values. Its attribute `sha256` is a digest of them all, so that the root file, by which rules know a
store, differs whenever the data do. Chunks carry checksums.
"""

import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path

import xarray as xr
import zarr
import zarr.codecs

from ntkflow.stores import building
from ntkflow.stores.checked import CheckedStore
from ntkflow.stores.contents import ROOT, mark
from ntkflow.stores.integrity import UNREADABLE, data_digest, payload
from ntkflow.stores.places import Place, StoreError, check_place, resolve_place, store_folder
from ntkflow.stores.schema import conform
from ntkflow.stores.variables import Schema

SEAL = zarr.codecs.Crc32cCodec()
COMPRESSORS = (zarr.codecs.ZstdCodec(level=3), SEAL)


def write_store(
    dataset: xr.Dataset,
    place: Place,
    kind: str | Schema,
    attributes: Mapping[str, object] | None = None,
) -> None:
    """Write `dataset` as a store, replacing an earlier one of its kind at `place`.

    Dask arrays are computed and written chunk by chunk. `kind` is one of `schema.SCHEMAS`, or the
    schema of a measure. The statistics of a measure replace those of any other, since the measure
    of an experiment may change.

    StoreError if anything but such a store is at `place`, if another run is writing to it, or if
    the disk is full or cannot be written.
    """
    path = resolve_place(place)
    replaced = kind if isinstance(kind, str) else None
    check_place(path, replaced)
    beside = building.partial_folder(path)
    store = beside / "store"
    labelled = labelled_store(dataset, kind, attributes)
    with building.lock_folder(beside):
        try:
            building.put_back(path)
            shutil.rmtree(store, ignore_errors=True)
            labelled.to_zarr(
                store, mode="w", zarr_format=3, consolidated=False, encoding=_encoding(labelled)
            )
            mark(store, labelled.attrs["store"])
            finish_store(store, path, replaced)
            building.empty(beside)
        except OSError as error:
            raise building.explained(error, path, store) from error
        finally:  # usually a full disk: free the space of the incomplete store
            shutil.rmtree(store, ignore_errors=True)


def labelled_store(
    dataset: xr.Dataset, kind: str | Schema, attributes: Mapping[str, object] | None = None
) -> xr.Dataset:
    """The Dataset with the labels of its kind and with attributes, of types that Zarr specifies."""
    labelled = conform(dataset, kind).assign_attrs(attributes or {})
    # Zarr v3 specifies variable-length strings, which are objects, but no NumPy ones.
    strings = [labelled[name] for name, v in labelled.variables.items() if v.dtype.kind == "U"]
    return labelled.assign({s.name: s.copy(data=s.values.astype(object)) for s in strings})


def finish_store(store: Path, path: Path, kind: str | None) -> None:
    """Complete the store in `store` and rename it to `path`, in place of one of `kind`."""
    written = {"payload": payload(store), "sha256": data_digest(store)}
    zarr.open_group(store, mode="r+").attrs.update(written)
    with warnings.catch_warnings():
        # Not in the v3 specification yet; without it a plain `xarray.open_zarr` warns each reader.
        warnings.filterwarnings("ignore", "Consolidated metadata", category=UserWarning)
        zarr.consolidate_metadata(store)
    building.put_in_place(store, path, kind)


def open_store(place: Place, kind: str | None = None) -> xr.Dataset:
    """Open a store of `kind`, or of any; arrays are read on demand, without Dask.

    StoreError if there is no store at `place`, it is of another kind, or some of its files are
    missing. Reading from the Dataset raises it once the store has been replaced or removed.
    """
    path = store_folder(place)
    if not (path / ROOT).is_file():
        raise StoreError(f"{path}: no Zarr store here; run snakemake to make it")
    try:
        dataset = xr.open_zarr(CheckedStore(path), chunks=None, consolidated=True)
    except UNREADABLE as error:
        raise StoreError(f"{path}: not readable as a store ({error}); {_REMEDY}") from error
    if kind is not None and dataset.attrs.get("store") != kind:
        found = dataset.attrs.get("store", "something else")
        raise StoreError(f"{path}: holds {found!r}, expected {kind!r}; {_REMEDY}")
    # Counts these files, so a copy that a user writes must not have it.
    written, found = dataset.attrs.pop("payload", None), payload(path)
    if written != found:
        raise StoreError(f"{path}: holds {found}, was written with {written}; {_REMEDY}")
    return dataset


_REMEDY = "delete it and run snakemake again"


def _encoding(dataset: xr.Dataset) -> dict[str, dict[str, object]]:
    encoding: dict[str, dict[str, object]] = {}
    for name, array in dataset.variables.items():
        if array.dtype.kind in "bif":
            encoding[str(name)] = {"compressors": COMPRESSORS}
        if array.chunks is not None:
            encoding[str(name)]["chunks"] = tuple(sizes[0] for sizes in array.chunks)
    return encoding
