"""Paths of stores, and whether what is there may be replaced.

A store may be created where nothing is, in an empty folder, or in place of an earlier store of its
kind. An ntkflow store is recognised by a hidden file in the folder of each of its arrays: Snakemake
deletes the root file of an output before the job starts.
"""

import errno
import os
import re
from contextlib import suppress
from pathlib import Path

from ntkflow.stores.contents import ROOT, foreign_content

Place = str | os.PathLike[str]
"""The folder of a store, or the root file in it."""


class StoreError(ValueError):
    """A store is missing, damaged or of another kind than expected, or its place is taken."""


def checkpoint_folder(path: Path) -> Path:
    """Folder beside the store at `path` for checkpoints of the training that makes it."""
    return path.with_name(f".{path.name}.training")


def sums_folder(path: Path) -> Path:
    """Folder beside the store of regressions at `path` for its sums over points."""
    return path.with_name(f".{path.name}.sums")


def store_folder(place: Place) -> Path:
    """Folder of the store at `place`, with `~` expanded; nothing on disk is read.

    StoreError if `place` is not the path of a folder.
    """
    text = os.fspath(place) if isinstance(place, os.PathLike) else place
    if not isinstance(text, str):
        raise StoreError(
            f"store: found an argument of type {type(text).__name__}, expected the path of a "
            "folder; pass a str or a pathlib.Path"
        )
    try:
        is_name = bool(os.fsencode(text)) and not {*"\0\n\r"} & {*text}
    except UnicodeEncodeError:
        is_name = False
    if not is_name:
        raise StoreError(
            f"store: found {text!r}, expected the path of a folder; name one, such as kernels.zarr"
        )
    # Path("s3://bucket") is "s3:/bucket".
    if url := re.match(r"([A-Za-z][\w+.-]+):/", text) or re.search(r"([\w+.-]*)://", text):
        raise StoreError(
            f"{text}: found a URL with the scheme {url[1]!r}, expected a folder of this machine; "
            "pass a path, and copy the store once it is finished"
        )
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise StoreError(
            f"{text}: found no home folder of this user, expected one; pass an absolute path"
        ) from None
    return path.parent if path.name == ROOT else path


def resolve_place(place: Place) -> Path:
    """Absolute path of the store's folder, with `~` expanded and symbolic links followed.

    StoreError if no store can be there: it is not a path, it cannot be reached, or it is the home
    folder, the current folder or a parent of one of them.
    """
    folder = store_folder(place)
    try:
        path = Path(os.path.realpath(folder))
        occupied = [Path.home()]
        with suppress(FileNotFoundError):  # a current folder that was deleted
            occupied.append(Path(os.getcwd()))
        occupied = [Path(os.path.realpath(folder)) for folder in occupied]
        if any(path in (one, *one.parents) for one in occupied):
            raise StoreError(
                f"{folder}: found the home folder, the current folder or a parent of one, expected "
                "a folder for the store alone; add a name, such as kernels.zarr"
            )
        for needed in (path, checkpoint_folder(path)):  # the longest name
            with suppress(FileNotFoundError):  # other errors: inside a file, a loop of links
                needed.stat()
    except OSError as error:
        raise StoreError(_unreachable(folder, error)) from None
    return path


def check_place(path: Path, kind: str | None) -> None:
    """Raise StoreError unless a store of `kind` may be written to `path`; None means any kind.

    `path` is from `resolve_place`. The search ends at the first thing that is no part of such a
    store.
    """
    of_kind = "" if kind is None else f" of kind {kind!r}"
    try:
        found = foreign_content(path, kind)
        if not path.exists():
            _check_writable(path)
    except OSError as error:
        raise StoreError(_unreachable(path, error)) from None
    if found is not None:
        raise StoreError(
            f"{path}: found {found}, expected an ntkflow store{of_kind} or nothing; move it or "
            "choose another place"
        )


def _check_writable(path: Path) -> None:
    """Raise OSError if the nearest folder around `path` cannot be written."""
    folder = next(parent for parent in path.parents if parent.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
        number = errno.EROFS if read_only else errno.EACCES
        raise OSError(number, os.strerror(number))


def _unreachable(path: Path, error: OSError) -> str:
    files = [str(parent) for parent in path.parents if parent.is_file()]
    reason = f"{files[0]} is a file" if files else error.strerror
    return f"{path}: cannot hold a store ({reason}); choose another place"
