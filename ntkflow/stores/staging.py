"""Inputs laid out on disk for tasks that need a few rows at a time."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

STRIP = 4096  # inputs in memory at once
LISTS = ("x1", "x2")  # names of the lists of inputs in messages
Rows = tuple[np.ndarray, np.ndarray]  # norms (n,) and directions (n, d) of some inputs


class Inputs(Protocol):
    """Inputs (n, d), in memory or read by rows: an array of NumPy, Zarr or xarray."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, d)."""

    def __getitem__(self, rows: slice, /) -> Any:
        """Rows, as anything that NumPy turns into an array."""


class Staged(NamedTuple):
    """Functions that map the files of `stage` into memory; small, because each task has them."""

    norms: Callable[[], np.memmap]
    directions: Callable[[], np.memmap]


def digest_inputs(x: Inputs, name: str) -> str:
    """sha256 of all inputs, a strip at a time; ValueError if they are not finite real numbers."""
    check_container(x, name)
    digest = hashlib.sha256(f"{x.shape}\n".encode())
    for rows in strips(x.shape[0]):
        part = np.ascontiguousarray(as_floats(x[rows], name))
        check_finite(part, name, rows.start)
        digest.update(f"{part.dtype.str}\n".encode())
        digest.update(part.data)
    return digest.hexdigest()


def stage(x: Inputs, directed: Callable[[np.ndarray], Rows], folder: Path) -> None:
    """Write norms and directions of all inputs into a new `folder`, a strip at a time."""
    folder.mkdir(parents=True)
    norms = np.empty(x.shape[0])
    with (folder / "directions.npy").open("wb") as file:
        for rows in strips(x.shape[0]):
            norms[rows], part = directed(as_floats(x[rows], "x"))
            if rows.start == 0:
                _write_header(file, part.dtype, (x.shape[0], part.shape[1]))
            file.write(np.ascontiguousarray(part).data)
    with (folder / "norms.npy").open("wb") as file:
        _write_header(file, norms.dtype, norms.shape)
        file.write(norms.data)


def _write_header(file: BinaryIO, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Begin an .npy file; memory maps and `numpy.save` would not report a full disk as such."""
    described = {"descr": dtype.str, "fortran_order": False, "shape": tuple(map(int, shape))}
    np.lib.format.write_array_header_2_0(file, described)


def open_staged(folder: Path) -> Staged:
    """Read the headers of the files that `stage` wrote, once for all tasks.

    NumPy parses headers with `ast`, which fails now and then when threads of Python 3.11 use it at
    the same time (python/cpython#106905).
    """
    files = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in Staged._fields)
    return Staged(*(partial(np.memmap, m.filename, m.dtype, "r", m.offset, m.shape) for m in files))


def staged_rows(staged: Staged, rows: slice) -> Rows:
    """Norms and directions of some rows, the only ones that are read."""
    return np.array(staged.norms()[rows]), np.array(staged.directions()[rows])


def strips(samples: int) -> list[slice]:
    """Consecutive rows, `STRIP` at a time."""
    return [slice(start, min(start + STRIP, samples)) for start in range(0, samples, STRIP)]


def as_floats(x: ArrayLike, name: str) -> np.ndarray:
    """Array of the same numbers in the byte order of this machine; integers become float64.

    `name` is what messages call them. ValueError if NumPy cannot make an array of them or they are
    not real numbers of at most 64 bits.
    """
    check_container(x, name)
    try:
        array = np.asarray(x)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists, tensors with gradients
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{name}: found {type(x).__name__}, of which NumPy cannot make an array ({reason}), "
            "expected real numbers (samples, features); pass a NumPy array"
        ) from error
    if array.dtype.kind in "iu":
        return array.astype(np.float64)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        conversion = f"{name}.real" if array.dtype.kind == "c" else f"{name}.astype('float64')"
        expected = "at most 64 bits" if array.dtype.kind == "f" else "real numbers"
        raise ValueError(
            f"{name}: found an array of dtype {array.dtype}, expected {expected}; pass "
            + ("an array of its fields" if array.dtype.names else conversion)
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)  # JAX would ignore another


def check_container(x: object, name: str) -> None:
    """Raise ValueError for masked and sparse arrays, and for lists with masks or booleans."""
    if isinstance(x, list | tuple):
        for entry in x:
            if isinstance(entry, bool | np.bool_):
                raise ValueError(f"{name}: found {entry} in a list, expected real numbers")
            check_container(entry, name)
    if isinstance(x, np.ma.MaskedArray) or isinstance(getattr(x, "_meta", 0), np.ma.MaskedArray):
        raise ValueError(
            f"{name}: found a masked array, expected plain numbers; pass {name}.filled(value)"
        )
    if hasattr(x, "nnz") and hasattr(x, "toarray"):
        raise ValueError(
            f"{name}: found a sparse {type(x).__name__}, expected a dense array; pass "
            f"{name}.toarray()"
        )


def check_shapes(*lists: Inputs, names: Sequence[str] = LISTS) -> None:
    """Raise ValueError unless one or two lists of inputs (n, d) have the same d."""
    if lists[0].shape[1] != lists[-1].shape[1]:
        raise ValueError(
            f"{names[-1]}: found {lists[-1].shape[1]} features, expected {lists[0].shape[1]}, as "
            f"{names[0]} has"
        )


def check_finite(part: np.ndarray, name: str, start: int = 0) -> None:
    """Raise ValueError for a number that is not finite; `start` is the number of the first row."""
    finite = np.isfinite(part).all(axis=1)
    if not finite.all():
        row = start + int(np.argmin(finite))
        raise ValueError(
            f"{name}: found a value that is not finite in row {row}, counted from 0, expected "
            "finite numbers"
        )
