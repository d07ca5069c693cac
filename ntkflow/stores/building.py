"""Lock, resume and clean up the folder in which a store is built.

Everything that is removed is inside a folder that contains the lock file, by which it is known as
one of this package.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from ntkflow.stores.integrity import chunk_files, fingerprint_in, is_intact
from ntkflow.stores.places import StoreError, check_place

LOCK_FILE = "ntkflow.lock"  # a file: where folders are shared over NFS, they cannot be locked
PLACE_ERRORS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.EBUSY}


def partial_folder(path: Path) -> Path:
    """Folder beside `path` in which stores for it are built, each in its own subfolder."""
    return path.with_name(f".{path.name}.partial")


def check_folder(folder: Path) -> None:
    """Raise StoreError if there are files in `folder`, but not the lock file."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        names = []
    except OSError as error:
        raise StoreError(_not_created(folder, error)) from None
    if folder.is_symlink() or (names and LOCK_FILE not in names):
        found = "a symbolic link" if folder.is_symlink() else f"{names[0]!r}"
        raise StoreError(
            f"{folder}: found {found}, which ntkflow did not write, expected nothing or a folder "
            "of an unfinished run; move it or choose another place"
        )


@contextmanager
def lock_folder(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Create the folder and lock it against other runs, until the block or this process ends.

    It is then removed if it is empty, with the parents that were created for it. A `shared` lock
    excludes only runs that do not share; the folder stays even if it is empty, because others may
    be about to use it. StoreError if another run has locked it, if it contains files but no lock
    file, or if it cannot be created.
    """
    created = [parent for parent in folder.parents if not parent.exists()]
    descriptor = None
    try:
        descriptor = _lock(folder, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        if descriptor is not None:
            if not shared:
                _remove_if_empty(folder)
            os.close(descriptor)
        with suppress(OSError):
            for parent in created:
                parent.rmdir()


def _lock(folder: Path, mode: int) -> int:
    """Open and lock a file in the folder; not one that has been removed in the meantime."""
    for _ in range(1000):  # other runs may remove the folder meanwhile
        check_folder(folder)
        descriptor, fault = None, ""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), (folder / LOCK_FILE).stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BlockingIOError:
            fault = (
                f"{folder}: another run is writing this store; wait for it or stop it, then run "
                "again"
            )
        except OSError as error:
            _remove_if_empty(folder)
            fault = (
                f"{folder}: cannot be locked against other runs ({error.strerror}); put the store "
                "on a file system that has locks"
            )
            fault = fault if descriptor is not None else _not_created(folder, error)
        if descriptor is not None:
            os.close(descriptor)
        if fault:
            raise StoreError(fault)
    raise StoreError(f"{folder}: other runs keep removing this folder; wait for them and run again")


def _remove_if_empty(folder: Path) -> None:
    """Remove a folder that contains nothing but the lock file."""
    with suppress(OSError):
        if os.listdir(folder) == [LOCK_FILE]:
            (folder / LOCK_FILE).unlink()
        folder.rmdir()


def _not_created(folder: Path, error: OSError) -> str:
    return (
        f"{folder}: cannot be created or written ({error.strerror}); make {folder.parent} writable "
        "or choose another place"
    )


def create_folder(folder: Path, fill: Callable[[Path], object]) -> None:
    """Fill a new folder and rename it to `folder`; of several that do so, the first wins."""
    if folder.exists():
        return
    fresh = folder.with_name(f"{folder.name}.{uuid4().hex}.fresh")
    try:
        fill(fresh)
        fresh.rename(folder)
    except OSError:
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def empty(folder: Path) -> None:
    """Remove everything in a locked folder but its lock file; files in use elsewhere may stay."""
    for entry in folder.glob("*"):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != LOCK_FILE:
            entry.unlink(missing_ok=True)


def clear(path: Path, folder: Path) -> None:
    """Remove the leftovers of a run that was killed after it had finished the store at `path`."""
    if partial_folder(path).is_dir():
        with suppress(StoreError), lock_folder(partial_folder(path)):
            put_back(path)
            shutil.rmtree(folder, ignore_errors=True)


def put_in_place(building: Path, path: Path, kind: str | None) -> None:
    """Rename a finished store to `path`; an earlier one of its kind is deleted after that."""
    check_place(path, kind)  # files may have been put there since the run began
    try:
        if path.exists():
            path.rename(_former(path))
        building.rename(path)
    finally:
        put_back(path)


def put_back(path: Path) -> None:
    """Rename the earlier store to `path` again if no other has taken its place; else delete it."""
    if _former(path).is_dir() and not (path.exists() and any(path.iterdir())):
        _former(path).rename(path)
    _discard(path)


def earlier_store(path: Path, arrays: Sequence[str], fingerprint: str) -> Path | None:
    """Damaged or finished store whose arrays carry the fingerprint, at `path` or moved from it."""
    for place in (path, _former(path)):
        if all(fingerprint_in(place / name) == fingerprint for name in arrays):
            return place
    return None


def adopt(path: Path, store: Path, arrays: Sequence[str], fingerprint: str) -> None:
    """Move the intact chunks of a damaged store at `path` into `store`, unless they are there.

    Only if its arrays carry the same fingerprint. All these chunks are read for it.
    """
    if earlier_store(path, arrays, fingerprint) != path:
        return
    former = _former(path)
    path.rename(former)
    for chunk in (chunk for name in arrays for chunk in chunk_files(former / name)):
        target = store / chunk.relative_to(former)
        if not target.exists() and is_intact(chunk):
            target.parent.mkdir(parents=True, exist_ok=True)
            chunk.rename(target)
    _discard(path)


def _former(path: Path) -> Path:
    """Path that a store is moved to while another takes its place."""
    return partial_folder(path) / "former"


def _discard(path: Path) -> None:
    """Delete a former store, renamed first: one deleted in part must not be put back."""
    discarded = partial_folder(path) / "discarded"
    shutil.rmtree(discarded, ignore_errors=True)
    with suppress(FileNotFoundError):
        _former(path).rename(discarded)
        shutil.rmtree(discarded, ignore_errors=True)


def explained(error: OSError, path: Path, folder: Path) -> OSError | StoreError:
    """StoreError with a remedy if the disk is full or the place not writable, else `error`."""
    if error.errno in PLACE_ERRORS and str(path.parent) in str(error.filename):
        return StoreError(_not_created(path, error))
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    done = sum(1 for _ in (folder / "store").glob("*/c/*/*"))
    kept = f"; the {done} chunks in {folder} are kept and not computed again" if done else ""
    return StoreError(
        f"{path}: no space left on the disk ({error.strerror}); free some and run again{kept}"
    )
