"""Zarr store that checks the checksum of each chunk it reads.

An error names the damaged chunk; plain xarray and Zarr raise one without its name. A store that was
replaced since it was opened is not read.
"""

import os
from pathlib import Path

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore, WrapperStore

from ntkflow.stores.contents import ROOT
from ntkflow.stores.integrity import arrays, intact, is_sealed
from ntkflow.stores.places import StoreError


class CheckedStore(WrapperStore[LocalStore]):
    """A store on disk, read only, that names a chunk whose checksum is not that of its bytes."""

    def __init__(self, root: Path) -> None:
        super().__init__(LocalStore(root, read_only=True))
        self.opened = RootFile(root)
        self.sealed = {array: is_sealed(root / array) for array in arrays(root)}

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
            if not intact(found.as_numpy_array()):
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
