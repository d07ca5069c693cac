"""Chunks that carry a checksum (crc32c, the last four bytes of a chunk), and who reads them.

A chunk that is damaged is named when it is read, by every store that is opened here; plain xarray
and Zarr refuse it too, without its name. A store that was replaced since it was opened is not read.
"""

import json
import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import google_crc32c
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore, WrapperStore

from ntkflow.stores.contents import ROOT
from ntkflow.stores.places import StoreError

__all__ = [
    "CheckedStore",
    "chunk_files",
    "damaged_chunks",
    "damaged_files",
    "is_intact",
    "is_sealed",
]

SEAL = 4  # bytes of a checksum


class CheckedStore(WrapperStore[LocalStore]):
    """A store on disk, read only, that names a chunk whose checksum is not that of its bytes."""

    def __init__(self, root: Path) -> None:
        super().__init__(LocalStore(root, read_only=True))
        self.opened = RootFile(root)
        self.sealed = {array: is_sealed(root / array) for array in _arrays(root)}

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """As any store; a whole chunk is checked.

        Raises
        ------
        StoreError
            If it is damaged, or if the store was replaced or removed since it was opened.
        """
        found = await self._store.get(key, prototype, byte_range)
        array, chunk, _ = f"{key}/".partition("/c/")  # the one of a scalar is array/c
        if chunk:
            self.opened.check()
        if found is not None and byte_range is None and chunk and self.sealed.get(array):
            if not _intact(found.as_numpy_array()):
                path = self._store.root / key
                raise StoreError(
                    f"{path}: damaged, its bytes are not those that were written; delete this file "
                    "and run again, and what it held is computed again"
                )
        return found


class RootFile:
    """The root file of a store as it was when the store was opened."""

    def __init__(self, root: Path) -> None:
        self.file = (root / ROOT).absolute()
        self.identity, self.content = _identity(self.file), _content(self.file)

    def check(self) -> None:
        """Raise StoreError if the file is another one now; a new time alone is no change."""
        identity = _identity(self.file)
        if identity is not None and identity == self.identity:
            return
        content = _content(self.file)
        if content is None or content != self.content:
            what = "removed" if content is None else "replaced"
            raise StoreError(f"{self.file.parent}: was {what} since it was opened; open it again")
        self.identity = identity


def _identity(file: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def damaged_chunks(array: Path) -> list[Path]:
    """Files of an array's chunks that are missing, or not as they were written; all are read."""
    return [file for file in chunk_files(array) if not is_intact(file)]


def is_intact(file: Path) -> bool:
    """Return True if the file of a chunk is there and its bytes have their checksum."""
    return file.is_file() and _intact(file.read_bytes())


def damaged_files(root: Path) -> list[Path]:
    """Files of chunks in a store that are not as they were written; all with checksums are read.

    Chunks that hold nothing but the fill value have no files.
    """
    sealed = [root / array / "c" for array in _arrays(root) if is_sealed(root / array)]
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
    """Whether the chunks of an array end in a checksum."""
    metadata: dict[str, Any] = json.loads((array / "zarr.json").read_text(encoding="utf-8"))
    codecs = metadata.get("codecs") or [{}]
    return bool(codecs[-1].get("name") == "crc32c")


def _arrays(root: Path) -> list[str]:
    """Names of the arrays in a store: it has no groups within."""
    return sorted(file.parent.name for file in root.glob("*/zarr.json"))


def _intact(chunk: Any) -> bool:
    view = memoryview(chunk)
    stored = bytes(view[-SEAL:])
    return google_crc32c.value(bytes(view[:-SEAL])).to_bytes(SEAL, "little") == stored
