"""Checks that a store has the files that were written; neither Zarr nor xarray is imported.

The root file contains the number and size of the others, and a digest of their bytes. Chunks end in
their checksum, crc32c in four bytes.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import google_crc32c

from ntkflow.stores.contents import MARK, ROOT
from ntkflow.stores.places import store_folder

SEAL = 4  # bytes of a checksum
# Errors from a root file that is missing, cut short or not of a store.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)


def root_attributes(path: Path) -> dict[str, Any]:
    """Attributes in the root file of a store; it must be there and valid."""
    attributes: dict[str, Any] = json.loads((path / ROOT).read_bytes())["attributes"]
    return attributes


def is_whole(path: Path) -> bool:
    """Return True if a store has all the files, in number and size, that it was written with."""
    try:
        return bool(root_attributes(path)["payload"] == payload(path))
    except _UNREADABLE:
        return False


def is_finished(path: Path, fingerprint: str) -> bool:
    """Return True if there is a whole store with this fingerprint."""
    try:
        found = root_attributes(path).get("fingerprint")
    except _UNREADABLE:
        return False
    return found == fingerprint and is_whole(path)


def payload(path: Path) -> str:
    """Number and size of the files of a store, without its root."""
    files = _files(path)
    return f"{len(files)} files, {sum(file.stat().st_size for file in files)} bytes"


def data_digest(path: Path) -> str:
    """SHA-256 over all files except the root; a checksummed chunk enters by its checksum."""
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
    """All files but the root and marks, in an order that does not depend on the machine."""
    files = (file for file in path.rglob("*") if file.is_file() and file.name != MARK)
    return sorted(file for file in files if file != path / ROOT)


def unsound(place: str | Path) -> list[str]:
    """Describe how a store differs from what was written, one line each; every byte is read.

    Chunks are compared with their checksums, and all files with the digest in the root.
    """
    path = store_folder(place)
    try:
        written = root_attributes(path)["sha256"]
        damaged = damaged_files(path)
        found = data_digest(path)
    except _UNREADABLE as error:
        return [f"not readable as a store ({type(error).__name__}: {error})"]
    if damaged:
        return [f"{file.relative_to(path).as_posix()}: damaged" for file in damaged]
    if found != written:
        return ["its files are not those that were written: their digest is another one"]
    return []


def damaged_chunks(array: Path) -> list[Path]:
    """Files of an array's chunks that are missing, or not as they were written; all are read."""
    return [file for file in chunk_files(array) if not is_intact(file)]


def is_intact(file: Path) -> bool:
    """Return True if the file of a chunk is there and its bytes have their checksum."""
    return file.is_file() and intact(file.read_bytes())


def damaged_files(root: Path) -> list[Path]:
    """Files of chunks in a store that are not as they were written; all with checksums are read.

    Chunks that hold nothing but the fill value have no files.
    """
    sealed = [root / array / "c" for array in arrays(root) if is_sealed(root / array)]
    chunks = [file for folder in sealed for file in sorted([folder, *folder.rglob("*")])]
    return [file for file in chunks if file.is_file() and not is_intact(file)]


def chunk_files(array: Path) -> Iterator[Path]:
    """Where the chunks of an array belong, in order."""
    metadata = json.loads((array / "zarr.json").read_text(encoding="utf-8"))
    chunks = metadata["chunk_grid"]["configuration"]["chunk_shape"]
    counts = [
        range(-(-length // chunk)) for length, chunk in zip(metadata["shape"], chunks, strict=True)
    ]
    for place in product(*counts):
        yield array.joinpath("c", *map(str, place))


def is_sealed(array: Path) -> bool:
    """Return True if the chunks of an array end in a checksum."""
    metadata: dict[str, Any] = json.loads((array / "zarr.json").read_text(encoding="utf-8"))
    codecs = metadata.get("codecs") or [{}]
    return bool(codecs[-1].get("name") == "crc32c")


def arrays(root: Path) -> list[str]:
    """Names of the arrays in a store: it has no groups within."""
    return sorted(file.parent.name for file in root.glob("*/zarr.json"))


def intact(chunk: Any) -> bool:
    """Return True if the checksum at the end of a chunk is that of the bytes before it."""
    view = memoryview(chunk)
    stored = bytes(view[-SEAL:])
    return google_crc32c.value(bytes(view[:-SEAL])).to_bytes(SEAL, "little") == stored
