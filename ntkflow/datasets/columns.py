"""Arrays of a file chosen by name, and their values as numbers, labels and parts of a split."""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from ntkflow.datasets.kinds import Integers, Real
from ntkflow.datasets.sources import Source, SourceError, open_source
from ntkflow.keys import Fault

KINDS = {"c": "complex numbers", "M": "dates", "m": "durations", "V": "records"}
KINDS |= {"O": "text or Python objects", "U": "text", "S": "text", "T": "text"}
PARTS = {"train": True, "true": True, "1": True, "test": False, "false": False, "0": False}

Names = Mapping[str, list[str]]


def opened(path: str) -> Source:
    """`open_source`, with the key at fault."""
    try:
        return open_source(path)
    except SourceError as error:
        raise Fault("path", str(error)) from error


def resolved(source: Source, **written: str | Sequence[str] | None) -> Names:
    """Names of the arrays that the keys x, y, label and split mean.

    By default, y is the array of this name, if there is one; x is the array x, or in a table all
    columns that no other key names.
    """
    names = {key: [n] if isinstance(n, str) else [*(n or ())] for key, n in written.items()}
    used = {name for key in ("x", "label", "split") for name in names[key]}
    if not names["y"]:
        names["y"] = [name for name in ("y",) if name in source.arrays and name not in used]
    used |= {*names["y"]}
    if not names["x"]:
        names["x"] = [n for n in source.arrays if n not in used] if source.columns else ["x"]
        if not names["x"]:
            raise Fault("x", "found no column that no other key names, expected at least one")
    for key, wanted in names.items():
        for name in wanted:
            _check(source, key, name)
    return names


def _check(source: Source, key: str, name: str) -> None:
    if name not in source.arrays:
        known = ", ".join([*source.arrays][:20]) or "no name, for the file is empty"
        raise Fault(key, f"found {name!r}, which the file does not contain; expected {known}")
    shape, kind = source.arrays[name]
    if not shape:
        raise Fault(key, f"found the single value {name!r}, expected an array with one row a point")
    if key in ("x", "y") and kind in KINDS:
        raise Fault(key, f"found {KINDS[kind]} in {name!r}, expected real numbers")
    if key in ("label", "split") and prod(shape[1:]) != 1:
        raise Fault(key, f"found {name!r} of shape {shape}, expected one value a row")


def common_length(source: Source, names: Names) -> int:
    """Number of rows, the same in all arrays."""
    rows = source.arrays[names["x"][0]].shape[0]
    for key, wanted in names.items():
        for name in wanted:
            found = source.arrays[name].shape[0]
            if found != rows:
                raise Fault(key, f"found {found} rows in {name!r}, expected {rows} as in x")
    return rows


def width(source: Source, names: Sequence[str]) -> int:
    """Number of columns that the arrays have together."""
    return sum(prod(source.arrays[name].shape[1:]) for name in names)


def read(source: Source, names: Names, key: str) -> np.ndarray:
    """Values of the arrays of a key, shape (row, column)."""
    try:
        return source.read(names[key], key in ("label", "split"))
    except SourceError as error:
        raise Fault(key, str(error)) from error


def numbers(source: Source, names: Names, key: str, rows: Integers) -> Real:
    """Some rows of the arrays of a key, in float64."""
    array = read(source, names, key)
    if array.dtype.kind not in "biuf":
        found = KINDS.get(array.dtype.kind, str(array.dtype))
        raise Fault(key, f"found {found}, expected real numbers")
    chosen = array[rows].astype(np.float64)
    finite = np.isfinite(chosen).all(axis=1)
    if not finite.all():
        row = rows[np.argmin(finite)]
        raise Fault(key, f"found a missing or infinite value in row {row}, counted from 0")
    return chosen


def labels(source: Source, names: Names, key: str) -> np.ndarray:
    """The column of a key: integers if all of its values are, otherwise text."""
    column = read(source, names, key).ravel()
    if column.dtype.kind == "S":
        column = np.char.decode(column, "utf-8")
    if column.dtype.kind in "OT" and all(isinstance(value, str) for value in column):
        column = np.array(column.tolist(), dtype=np.str_)
    if column.dtype.kind == "U" and np.char.str_len(np.char.strip(column)).all():
        try:
            return column.astype(np.int64)
        except ValueError:
            return column
    if column.dtype.kind in "biu":
        return column.astype(np.int64)
    if column.dtype.kind == "f" and np.all(column == np.floor(column)):
        return column.astype(np.int64)
    raise Fault(
        key, f"found values in {names[key][0]!r} that are missing or neither integers nor text"
    )


def in_training(source: Source, names: Names) -> np.ndarray:
    """Mask (row,) of the training points, from the column of a split."""
    column = [str(value).strip().lower() for value in labels(source, names, "split")]
    unknown = {*column} - {*PARTS}
    if unknown:
        raise Fault(
            "split",
            f"found {min(unknown)!r} in {names['split'][0]!r}, expected train or test, true or "
            "false, 1 or 0",
        )
    return np.array([PARTS[value] for value in column], dtype=bool)
