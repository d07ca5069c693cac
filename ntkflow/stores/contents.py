"""Distinguish the files of a store of this package from foreign ones."""

import json
import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = "zarr.json"  # metadata file of a store, and of each of its arrays
# In the folder of each array: the kind of its store and its name. Attributes would not do: xarray
# copies them, and Zarr lists what is in the folder of a group.
MARK = ".ntkflow"
WRITTEN = {"sha256", "payload", "store"}  # attributes of every store
# Paths within a store: folders of chunks, and files.
CHUNKS = re.compile(r"[^/]+/c(/\d+)*")
FILES = re.compile(rf"{re.escape(ROOT)}|[^/]+/({re.escape(ROOT)}|{re.escape(MARK)}|c(/\d+)*)")


def mark(store: Path, kind: str) -> None:
    """Mark each array in a new store as part of a store of `kind`."""
    for metadata in store.glob(f"*/{ROOT}"):
        metadata.with_name(MARK).write_text(f"{kind}/{metadata.parent.name}", encoding="utf-8")


def foreign_content(path: Path, kind: str | None) -> str | None:
    """Describe the first content that is no part of a store of `kind`; None if there is none.

    A store may have lost any of its files, and its root file may be damaged, as long as an array
    has its mark. Links inside a store are foreign, and are not followed.
    """
    for parent in path.parents:
        if WRITTEN <= (_group_attributes(parent) or {}).keys():
            return f"an ntkflow store around it, {parent}"
    if not path.is_dir():
        return "a file" if os.path.lexists(path) else None
    if os.path.ismount(path):
        return "a mount point"
    there = _kind_of(path)
    if there is not None and kind not in (None, there):
        return f"an ntkflow store of kind {there!r}"
    if there is not None:
        names = _foreign(path, there)
    elif os.path.lexists(path / ROOT):
        names = iter([ROOT])
    else:
        names = (entry.name for entry in _entries(path))
    return next((f"{name!r}, which ntkflow did not write" for name in names), None)


def _kind_of(path: Path) -> str | None:
    """Kind of the store that a folder contains, by the marks of its arrays."""
    root = _group_attributes(path)
    if root is not None and not WRITTEN <= root.keys():
        return None
    entries = islice(_entries(path), 100)  # more than any store has arrays
    return next(filter(None, (_marked(Path(entry.path)) for entry in entries)), None)


def _marked(array: Path) -> str | None:
    """Kind in the mark of an array's folder; None if there is no mark."""
    file = array / MARK
    if file.is_symlink() or not file.is_file() or file.stat().st_size > 100:
        return None
    kind, _, name = file.read_bytes().decode(errors="replace").partition("/")
    return kind if name == array.name else None


def _foreign(folder: os.PathLike[str], kind: str, prefix: str = "") -> Iterator[str]:
    """Paths within a store of `kind` that do not belong to it; `prefix` is that of `folder`."""
    for entry in _entries(folder):
        name = prefix + entry.name
        own = entry.is_dir(follow_symlinks=False) and (
            CHUNKS.fullmatch(name) if prefix else _marked(Path(entry.path)) == kind
        )
        if own:
            yield from _foreign(entry, kind, f"{name}/")
        elif not (FILES.fullmatch(name) and entry.is_file(follow_symlinks=False)):
            yield name


def _entries(folder: os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    """Entries of a folder, read one after another, as needed."""
    with os.scandir(folder) as entries:
        yield from entries


def _group_attributes(folder: Path) -> dict[str, Any] | None:
    """Attributes of a Zarr group, none of an array; None without readable metadata."""
    file = folder / ROOT
    if file.is_symlink() or not file.is_file():
        return None
    try:
        metadata = json.loads(file.read_bytes())
        if metadata["node_type"] not in ("group", "array"):
            return None
        attributes = metadata.get("attributes") if metadata["node_type"] == "group" else {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return attributes if isinstance(attributes, dict) else {}
