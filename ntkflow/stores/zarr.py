"""Zarr stores on disk: written whole or not at all, checked when opened.

A store is built beside its place and renamed onto it, so a killed writer leaves the old one or
none. Its root attribute `payload` counts its files and bytes: a store that has lost a chunk is
refused, not read as fill values. Chunks carry zstd checksums.
"""

import shutil
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import xarray as xr
import zarr
import zarr.codecs

from ntkflow.stores.schema import conform

__all__ = ["StoreError", "damaged_stores", "open_by_width", "open_store", "write_store"]

ROOT = "zarr.json"
COMPRESSOR = zarr.codecs.ZstdCodec(level=3, checksum=True)


class StoreError(ValueError):
    """A store is missing, damaged, or of another kind than expected."""


def write_store(
    dataset: xr.Dataset,
    place: str | Path,
    kind: str,
    attributes: Mapping[str, object] | None = None,
) -> None:
    """Write `dataset` as a store of `kind` (see `schema`), replacing what is at `place`.

    Dask arrays are computed and written chunk by chunk. `place` is the store's folder or the root
    file in it, by which a rule declares it.
    """
    path = _folder(place)
    labelled = _portable(conform(dataset, kind).assign_attrs(attributes or {}))
    building = path.with_name(f".{path.name}.partial")
    shutil.rmtree(building, ignore_errors=True)
    building.parent.mkdir(parents=True, exist_ok=True)
    labelled.to_zarr(
        building, mode="w", zarr_format=3, consolidated=False, encoding=_encoding(labelled)
    )
    zarr.open_group(building, mode="r+").attrs["payload"] = _payload(building)
    with warnings.catch_warnings():
        # Not in the v3 specification yet; without it a plain `xarray.open_zarr` warns each reader.
        warnings.filterwarnings("ignore", "Consolidated metadata", category=UserWarning)
        zarr.consolidate_metadata(building)
    shutil.rmtree(path, ignore_errors=True)
    building.rename(path)


def open_store(place: str | Path, kind: str) -> xr.Dataset:
    """Open a store of `kind`, arrays read on demand, without Dask; `place` as in `write_store`.

    Raises
    ------
    StoreError
        If there is no store at `place`, it holds another kind, or some of its files are gone.
    """
    path = _folder(place)
    if not (path / ROOT).is_file():
        raise StoreError(f"{path}: no Zarr store here; run snakemake to make it")
    try:
        dataset = xr.open_zarr(path, chunks=None, consolidated=True)
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
    return dataset


def open_by_width(
    widths: Iterable[int], places: Iterable[str | Path], kind: str
) -> dict[int, xr.Dataset]:
    """One store a width, as `open_store` opens them."""
    return {width: open_store(place, kind) for width, place in zip(widths, places, strict=True)}


def damaged_stores(folder: Path) -> list[Path]:
    """The stores below `folder` that have lost files since they were written."""
    roots = (root.parent for root in sorted(folder.rglob("*.zarr/" + ROOT)))
    return [path for path in roots if not path.name.startswith(".") and not _whole(path)]


_REMEDY = "delete it and run snakemake again"
# What Zarr raises on metadata cut short, or of valid JSON that is no metadata.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)


def _folder(place: str | Path) -> Path:
    path = Path(place)
    return path.parent if path.name == ROOT else path


def _whole(path: Path) -> bool:
    try:
        return bool(zarr.open_group(path, mode="r").attrs["payload"] == _payload(path))
    except _UNREADABLE:
        return False


def _payload(path: Path) -> str:
    files = [entry for entry in path.rglob("*") if entry.is_file() and entry != path / ROOT]
    return f"{len(files)} files, {sum(entry.stat().st_size for entry in files)} bytes"


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
            encoding[str(name)] = {"compressors": (COMPRESSOR,)}
        if array.chunks is not None:
            encoding[str(name)]["chunks"] = tuple(sizes[0] for sizes in array.chunks)
    return encoding
