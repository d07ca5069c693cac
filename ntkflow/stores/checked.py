"""Zarr store that checks the checksum of each chunk it reads.

An error names the damaged chunk; plain xarray and Zarr raise one without its name. A store that was
replaced since it was opened is not read.
"""

from pathlib import Path

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore, WrapperStore

from ntkflow.stores.contents import ROOT
from ntkflow.stores.integrity import intact, sealed_arrays
from ntkflow.stores.places import StoreError


class CheckedStore(WrapperStore[LocalStore]):
    """Read-only store on disk; an error names the chunk whose checksum does not match."""

    def __init__(self, root: Path) -> None:
        super().__init__(LocalStore(root, read_only=True))
        self.root_file = (root / ROOT).absolute()
        self.identity, self.content = _identity(self.root_file), self.root_file.read_bytes()
        self.sealed = sealed_arrays(root)

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Read a file; StoreError if it is a damaged chunk or the store was replaced."""
        found = await self._store.get(key, prototype, byte_range)
        array, chunk, _ = f"{key}/".partition("/c/")  # a scalar's only chunk is array/c
        if chunk:
            self._check_root_file()
        if found is not None and byte_range is None and chunk and array in self.sealed:
            if not intact(found.as_numpy_array()):
                raise StoreError(
                    f"{self._store.root / key}: damaged, its bytes are not those that were "
                    "written; delete this file and run again, and what it held is computed again"
                )
        return found

    def _check_root_file(self) -> None:
        """Raise StoreError if the root file's content has changed; its dates may change."""
        change = ""
        try:
            identity = _identity(self.root_file)
            if identity != self.identity and self.root_file.read_bytes() != self.content:
                change = "replaced"
        except OSError:
            change = "removed"
        if change:
            folder = self.root_file.parent
            raise StoreError(f"{folder}: was {change} since it was opened; open it again")
        self.identity = identity


def _identity(file: Path) -> tuple[int, ...]:
    found = file.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
