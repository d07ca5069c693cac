"""Arrays and tables in files, by name: .npy, .npz, .csv, .parquet, Zarr and NetCDF.

Opening reads names, shapes and dtypes; `Source.read` reads values. Nothing is unpickled.
"""

import csv
import importlib
import os
import re
import reprlib
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from importlib.util import find_spec
from itertools import compress
from math import isfinite
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ntkflow.functions import first_line
from ntkflow.keys import Fault


class SourceError(ValueError):
    """A file is not what its suffix says, or a package that reads it is missing."""


class Array(NamedTuple):
    """Shape, rows first, and kind of the dtype; the kind of a column of text is ``?``."""

    shape: tuple[int, ...]
    kind: str


class Source(NamedTuple):
    """Arrays of a file by name; `columns`: whether it is a table, of columns.

    `read` takes the names of arrays and the key that contains them, and returns the arrays side by
    side, as one array (row, feature). The values of the keys label and split may be text. `unfit`
    has the first value that is no finite number, and its line, of the columns that contain one.
    """

    arrays: Mapping[str, Array]
    read: Callable[[Sequence[str], str], np.ndarray]
    columns: bool = False
    unfit: Mapping[str, str] = {}


def open_source(path: str) -> Source:
    """Names, shapes and dtypes of the arrays in a file; the fault of `path` if it is unreadable."""
    suffix = Path(path).suffix.lower()
    if suffix not in READERS:
        expected = ", ".join(READERS)
        raise Fault("path", f"found the suffix {suffix!r}, expected one of {expected}")
    with _explained(path, "path"):
        found = os.stat(path)
        return _opened(path, suffix, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=32)
def _opened(path: str, suffix: str, modified: int, size: int) -> Source:
    """One scan of a table serves its training and its test points, and so does a text column."""
    source = READERS[suffix](path)
    read_once = cache(source.read)

    def read(names: Sequence[str], key: str) -> np.ndarray:
        with _explained(path, key):
            if key in TEXT_KEYS:
                return read_once(tuple(names), key)
            return source.read(names, key)

    return source._replace(read=read)


@contextmanager
def _explained(path: str, key: str) -> Iterator[None]:
    """Any error of a reader as a fault of the key, with the path and the reason."""
    try:
        yield
    except SourceError as error:
        raise Fault(key, f"{path}: {error}") from error
    except MemoryError:
        raise
    except Exception as error:  # whatever the libraries raise
        raise Fault(
            key,
            f"{path}: cannot be read as {Path(path).suffix} ({first_line(error)}); "
            "expected a complete file of this format",
        ) from error


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays with the same number of rows as one array (row, feature)."""
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)


def _header(file: IO[bytes]) -> Array:
    """Shape and kind of a .npy file; its data are not read."""
    wide = np.lib.format.read_magic(file) != (1, 0)
    read = np.lib.format.read_array_header_2_0 if wide else np.lib.format.read_array_header_1_0
    shape, _, dtype = read(file)
    return Array(tuple(shape), dtype.kind)


def _npy(path: str) -> Source:
    with open(path, "rb") as file:
        array = _header(file)
    return Source({"x": array}, lambda names, key: _joined([np.load(path, allow_pickle=False)]))


def _npz(path: str) -> Source:
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            with archive.open(member) as file:
                arrays[member.removesuffix(".npy")] = _header(file)

    def read(names: Sequence[str], key: str) -> np.ndarray:
        with np.load(path, allow_pickle=False) as archive:
            return _joined([archive[name] for name in names])

    return Source(arrays, read)


def _csv(path: str) -> Source:
    lines = _lines(path)
    first, header = next(lines)
    rows, unfit = _scanned(lines, header)

    def read(names: Sequence[str], key: str) -> np.ndarray:
        places = [header.index(name) for name in names]
        if key not in TEXT_KEYS:
            return _numbers(path, first, places)
        _, *lines = _lines(path)
        return np.array([[cells[place] for place in places] for _, cells in lines], dtype=np.str_)

    arrays = {name: Array((rows,), "?") for name in header}
    return Source(arrays, read, columns=True, unfit=unfit)


def _scanned(
    lines: Iterator[tuple[int, list[str]]], header: Sequence[str]
) -> tuple[int, dict[str, str]]:
    """Number of rows, and `Source.unfit`.

    Numbers with the same places of digits share a shape, and only new shapes are checked: this is
    several times faster than the conversion of all cells.
    """
    rows, unfit = 0, dict[str, str]()
    wanted, known = [True] * len(header), set[bytes]()  # columns without a fault, good shapes
    for number, cells in lines:
        rows += 1
        shapes = "\n".join(compress(cells, wanted)).encode().translate(SHAPE).split(b"\n")
        if not known.issuperset(shapes):
            known |= {*filter(PLAIN, shapes)}
            for place, cell in enumerate(cells):
                if wanted[place] and not _is_finite(cell):
                    wanted[place] = False
                    unfit.setdefault(header[place], f"{reprlib.repr(cell)} (line {number})")
    return rows, unfit


def _flag_or_number(cell: str) -> float:
    flag = FLAGS.get(cell.strip().lower())
    return float(cell) if flag is None else flag


def _is_finite(cell: str) -> bool:
    try:
        return isfinite(_flag_or_number(cell))
    except ValueError:
        return False


def _numbers(path: str, first: int, places: Sequence[int]) -> np.ndarray:
    """Columns of a .csv file as numbers; `first` is the number of lines above them."""
    layout = {"delimiter": ",", "quotechar": '"', "comments": None, "encoding": "utf-8-sig"}
    read = partial(np.loadtxt, path, skiprows=first, usecols=places, ndmin=2, **layout)
    try:
        return read()
    except ValueError:  # slower by far
        return read(converters=_flag_or_number)


def _lines(path: str) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line of a .csv file, first the names of its columns."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        header = next(reader, None)
        if not header:
            raise SourceError("found an empty first line, expected the names of the columns")
        if all(map(_is_finite, header)):
            raise SourceError("found numbers in the first line, expected the names of the columns")
        twice = {name for name in header if name.strip() and header.count(name) > 1}
        if twice:
            raise SourceError(f"found the column {min(twice)!r} twice, expected each name once")
        yield reader.line_num, header
        for cells in filter(None, reader):
            if len(cells) != len(header):
                raise SourceError(
                    f"line {reader.line_num}: found {len(cells)} cells, expected {len(header)} as "
                    "in the first line; columns are separated by commas, numbers have decimal "
                    "points"
                )
            yield reader.line_num, cells


def _parquet(path: str) -> Source:
    if find_spec("pyarrow") is None:
        raise SourceError("reading .parquet needs the package pyarrow; run `pip install pyarrow`")
    parquet = importlib.import_module("pyarrow.parquet")
    rows = parquet.read_metadata(path).num_rows
    arrays = {field.name: Array((rows,), _kind(field.type)) for field in parquet.read_schema(path)}

    def read(names: Sequence[str], key: str) -> np.ndarray:
        table = parquet.read_table(path, columns=list(names))
        return _joined([table.column(name).to_numpy() for name in names])

    return Source(arrays, read, columns=True)


def _kind(type_: Any) -> str:
    """Kind of the NumPy dtype of a column of Parquet."""
    try:
        return np.dtype(type_.to_pandas_dtype()).kind
    except NotImplementedError:  # categories, for one
        return "O"


def _labelled(path: str) -> Source:
    """Zarr or NetCDF, by xarray."""
    import xarray as xr

    options: dict[str, Any] = {"engine": "zarr", "consolidated": False}
    if Path(path).suffix.lower() == ".nc":
        with open(path, "rb") as file:
            hdf5 = file.read(4) == b"\x89HDF"
        if hdf5 and not (find_spec("h5netcdf") or find_spec("netCDF4")):
            raise SourceError("reading NetCDF 4 needs h5netcdf; run `pip install h5netcdf`")
        options = {} if hdf5 else {"engine": "scipy"}
    opened = partial(xr.open_dataset, path, **options)
    with opened() as dataset:
        variables = dataset.variables.items()
        arrays = {str(name): Array(found.shape, found.dtype.kind) for name, found in variables}

    def read(names: Sequence[str], key: str) -> np.ndarray:
        with opened() as dataset:
            return _joined([dataset[name].values for name in names])

    return Source(arrays, read)


TEXT_KEYS = ("label", "split")
FLAGS = {"true": 1.0, "false": 0.0}
SHAPE = bytes.maketrans(b"123456789", b"000000000")
PLAIN = re.compile(rb"[+-]?0+(\.0*)?([eE][+-]?00?)?|True|False").fullmatch
"""Matches shapes of finite numbers, though not all of them."""
READERS: Mapping[str, Callable[[str], Source]] = {
    ".npz": _npz,
    ".npy": _npy,
    ".csv": _csv,
    ".parquet": _parquet,
    ".zarr": _labelled,
    ".nc": _labelled,
}
