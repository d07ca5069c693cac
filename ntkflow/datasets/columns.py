"""Arrays of a file chosen by name, and their values as numbers, labels and parts of a split."""

import re
from collections.abc import Sequence
from math import prod

import numpy as np

from ntkflow.datasets.kinds import Classes, Integers, Real
from ntkflow.datasets.sources import open_source
from ntkflow.keys import Fault

KINDS = {"c": "complex numbers", "M": "dates", "m": "durations", "V": "records"}
KINDS |= {"O": "text or Python objects", "U": "text", "S": "text", "T": "text"}
NUMBERS = "expected finite real numbers; list columns of numbers in {}, or prepare the file"
INDEX = re.compile(r"\s*|Unnamed: \d+|__index_level_\d+__")
"""Names that an index has in files that pandas wrote."""
PARTS = {"train": True, "true": True, "1": True, "test": False, "false": False, "0": False}


class Columns:
    """The arrays of a file that the keys x, y, label and split name; all have as many rows.

    By default, y is the array of this name, if there is one; x is the array x, or in a table all
    columns that no other key names.
    """

    def __init__(self, path: str, **written: str | Sequence[str] | None) -> None:
        self.path, self.source = path, open_source(path)
        names = {key: [n] if isinstance(n, str) else [*(n or ())] for key, n in written.items()}
        arrays = self.source.arrays
        used = {name for key in ("x", "label", "split") for name in names[key]}
        if not names["y"]:
            names["y"] = [name for name in ("y",) if name in arrays and name not in used]
        used |= {*names["y"]}
        if not names["x"]:
            names["x"] = self._unused(used) if self.source.columns else ["x"]
        self.names = names
        for key, wanted in names.items():  # x first
            for name in wanted:
                self._check(key, name)
        self._check_numbers()
        self.classes: Classes = ()
        if names["label"]:
            self.classes = tuple(np.unique(self.labels("label")).tolist())

    def _unused(self, used: set[str]) -> list[str]:
        """Columns that no key names; the index that pandas writes is not one of them."""
        unused = [name for name in self.source.arrays if name not in used]
        if not unused:
            raise Fault("x", "found no column that no other key names, expected at least one")
        for name in filter(INDEX.fullmatch, unused):
            found = f"has the name {name!r} of an index" if name.strip() else "has no name"
            raise Fault(
                "path",
                f"{self.path}: column {[*self.source.arrays].index(name) + 1} {found}; write the "
                "file without its index (pandas: index=False), or list the columns in x",
            )
        return unused

    def _check(self, key: str, name: str) -> None:
        arrays = self.source.arrays
        if name not in arrays:
            known = ", ".join([*arrays][:20]) or "no name, for the file is empty"
            raise Fault(key, f"found {name!r}, which the file does not contain; expected {known}")
        shape, _ = arrays[name]
        if not shape:
            raise Fault(
                key, f"found the single value {name!r}, expected an array with one row per point"
            )
        if key in ("label", "split") and prod(shape[1:]) != 1:
            raise Fault(key, f"found {name!r} of shape {shape}, expected one value per row")
        if shape[0] != self.rows:
            raise Fault(key, f"found {shape[0]} rows in {name!r}, expected {self.rows} as in x")

    def _check_numbers(self) -> None:
        """Raise one fault for all arrays of x and y that do not contain numbers."""
        keys = {name: key for key in ("x", "y") for name in self.names[key]}
        kinds = {name: KINDS.get(self.source.arrays[name].kind) for name in keys}
        found = {name: what for name in keys if (what := self.source.unfit.get(name, kinds[name]))}
        if found:
            listed = ", ".join(f"{what} in {name!r}" for name, what in found.items())
            key = min(keys[name] for name in found)
            raise Fault(key, f"found {listed}, {NUMBERS.format(key)}")

    @property
    def rows(self) -> int:
        return self.source.arrays[self.names["x"][0]].shape[0]

    def width(self, key: str) -> int:
        """Number of columns that the arrays of a key have together."""
        return sum(prod(self.source.arrays[name].shape[1:]) for name in self.names[key])

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns of x in their order; empty if x is not made of columns."""
        columns = all(len(self.source.arrays[name].shape) == 1 for name in self.names["x"])
        return tuple(self.names["x"]) if columns and self.source.columns else ()

    def numbers(self, key: str, rows: Integers) -> Real:
        """Some rows of the arrays of a key, in float64."""
        array = self.source.read(self.names[key], key)
        if array.dtype.kind not in "biuf":
            found = KINDS.get(array.dtype.kind, str(array.dtype))
            raise Fault(key, f"found {found}, {NUMBERS.format(key)}")
        chosen = array[rows].astype(np.float64)
        finite = np.isfinite(chosen).all(axis=1)
        if not finite.all():
            row = rows[np.argmin(finite)]
            raise Fault(
                key, f"found a missing or infinite value in row {row} from 0, {NUMBERS.format(key)}"
            )
        return chosen

    def labels(self, key: str) -> np.ndarray:
        """The column of a key: integers if all of its values are, otherwise text."""
        column = self.source.read(self.names[key], key).ravel()
        if column.dtype.kind == "S":
            column = np.char.decode(column, "utf-8")
        values = column.tolist()
        if all(isinstance(value, str) and value.strip() for value in values):
            text = np.array(values, dtype=np.str_)
            try:
                return text.astype(np.int64)
            except ValueError:
                return text
        if column.dtype.kind in "biuf" and all(float(value).is_integer() for value in values):
            return column.astype(np.int64)
        name = self.names[key][0]
        raise Fault(key, f"found values in {name!r} that are missing or neither integers nor text")

    def in_training(self) -> np.ndarray:
        """Mask (row,) of the training points, from the column of a split."""
        column = [str(value).strip().lower() for value in self.labels("split")]
        if unknown := {*column} - {*PARTS}:
            raise Fault(
                "split",
                f"found {min(unknown)!r} in {self.names['split'][0]!r}, expected train or test, "
                "true or false, 1 or 0",
            )
        return np.array([PARTS[value] for value in column], dtype=bool)
