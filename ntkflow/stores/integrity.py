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

from ntkflow.stores.contents import MARK, ROOT
from ntkflow.stores.places import store_folder

SEAL = 4  # bytes of a checksum
# Errors from metadata that are missing, cut short, or valid JSON but not of a store.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)


def root_attributes(path: Path) -> dict[str, Any]:
    """Attributes in the metadata file of a store or array, which must exist and be valid."""
    return json.loads((path / ROOT).read_bytes())["attributes"]


def fingerprint_in(path: Path) -> str | None:
    """Fingerprint of a store or an array; None if it has none."""
    try:
        return str(root_attributes(path)["fingerprint"])
    except UNREADABLE:
        return None


def is_whole(path: Path) -> bool:
    """Return True if the number and size of a store's files are those that were written."""
    try:
        return bool(root_attributes(path)["payload"] == payload(path))
    except UNREADABLE:
        return False


def is_finished(path: Path, fingerprint: str) -> bool:
    """Return True if there is a complete store with this fingerprint."""
    return fingerprint_in(path) == fingerprint and is_whole(path)


def payload(path: Path) -> str:
    """Number and size of the files of a store, without its root."""
    files = _files(path)
    return f"{len(files)} files, {sum(file.stat().st_size for file in files)} bytes"


def data_digest(path: Path) -> str:
    """SHA-256 over all files except the root; a checksummed chunk enters by its checksum."""
    digest = hashlib.sha256()
    sealed = sealed_arrays(path)
    for file in _files(path):
        array, *chunk = file.relative_to(path).parts
        digest.update(f"{file.relative_to(path).as_posix()} {file.stat().st_size}\n".encode())
        with file.open("rb") as content:
            if array in sealed and chunk[0] == "c":
                content.seek(-SEAL, os.SEEK_END)
            digest.update(content.read())
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    """All files but the root and marks, in an order that does not depend on the machine."""
    files = (file for file in path.rglob("*") if file.is_file() and file.name != MARK)
    return sorted(file for file in files if file != path / ROOT)


def unsound(place: str | Path) -> list[str]:
    """Describe how a store differs from what was written, one line each; every byte is read.

    Chunks are compared with their checksums, and all files with the digest in the root. Chunks that
    hold nothing but the fill value have no files.
    """
    path = store_folder(place)
    try:
        written = root_attributes(path)["sha256"]
        sealed = [path / array / "c" for array in sorted(sealed_arrays(path))]
        chunks = [file for folder in sealed for file in sorted([folder, *folder.rglob("*")])]
        damaged = [file for file in chunks if file.is_file() and not is_intact(file)]
        found = data_digest(path)
    except UNREADABLE as error:
        return [f"not readable as a store ({type(error).__name__}: {error})"]
    if damaged:
        return [f"{file.relative_to(path).as_posix()}: damaged" for file in damaged]
    if found != written:
        return ["its files are not those that were written: their digest is another one"]
    return []


def is_intact(file: Path) -> bool:
    """Return True if the file of a chunk is there and its bytes have their checksum."""
    return file.is_file() and intact(file.read_bytes())


def chunk_files(array: Path) -> Iterator[Path]:
    """Yield the path of each chunk of an array, in order, whether or not the file exists."""
    metadata = json.loads((array / ROOT).read_bytes())
    chunks = metadata["chunk_grid"]["configuration"]["chunk_shape"]
    sizes = zip(metadata["shape"], chunks, strict=True)
    for place in product(*(range(-(-length // chunk)) for length, chunk in sizes)):
        yield array.joinpath("c", *map(str, place))


def sealed_arrays(path: Path) -> set[str]:
    """Names of the arrays in a store whose chunks end in a checksum; it has no groups within."""
    sealed = set()
    for file in path.glob(f"*/{ROOT}"):
        codecs = json.loads(file.read_bytes()).get("codecs") or [{}]
        if codecs[-1].get("name") == "crc32c":
            sealed.add(file.parent.name)
    return sealed


def intact(chunk: Any) -> bool:
    """Return True if the checksum at the end of a chunk is that of the bytes before it."""
    import google_crc32c  # planning, which needs few packages, seldom gets here

    view = memoryview(chunk)
    stored = bytes(view[-SEAL:])
    return google_crc32c.value(bytes(view[:-SEAL])).to_bytes(SEAL, "little") == stored
