"""Zarr stores on disk: written whole or not at all, checked when opened.

A store is built beside its place and renamed into it, so a killed writer leaves the old one or
none. Its root attribute `payload` counts its files and bytes: a store that has lost a chunk is
refused, not read as fill values. Its attribute `sha256` is a digest of them all, so that the root
file, by which rules know a store, differs whenever the data do. Chunks carry zstd checksums.
"""

import hashlib
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
    written = {"payload": _payload(building), "sha256": _digest(building)}
    zarr.open_group(building, mode="r+").attrs.update(written)
    with warnings.catch_warnings():
        # Not in the v3 specification yet; without it a plain `xarray.open_zarr` warns each reader.
        warnings.filterwarnings("ignore", "Consolidated metadata", category=UserWarning)
        zarr.consolidate_metadata(building)
    former = path.with_name(f".{path.name}.former")
    shutil.rmtree(former, ignore_errors=True)
    if path.exists():
        path.rename(former)  # out of sight at once: no reader meets a store half removed
    building.rename(path)
    shutil.rmtree(former, ignore_errors=True)


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


def damaged_stores(places: Iterable[str | Path]) -> list[Path]:
    """Those of the stores that exist and have lost files since they were written."""
    roots = (_folder(place) / ROOT for place in places)
    return [root.parent for root in roots if root.is_file() and not _whole(root.parent)]


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
    files = _files(path)
    return f"{len(files)} files, {sum(file.stat().st_size for file in files)} bytes"


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for file in _files(path):
        digest.update(f"{file.relative_to(path).as_posix()} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    """All files but the root's, in one order everywhere."""
    return sorted(file for file in path.rglob("*") if file.is_file() and file != path / ROOT)


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
