"""A store under way: claimed by one run, found again by the next."""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ntkflow.stores.checked import StoreError, damaged_chunks

__all__ = ["CLAIM", "adopt", "claim", "clear", "empty", "explained", "partial_folder"]

CLAIM = "claim"  # a file: where folders are shared over NFS, they cannot be locked


def partial_folder(path: Path) -> Path:
    """Where stores for this place are put together, one a folder: beside it."""
    return path.with_name(f".{path.name}.partial")


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Make the folder and hold it against other runs, until the end or the death of this process.

    In the end it is removed if there is nothing in it.

    Raises
    ------
    StoreError
        If another run holds it.
    """
    descriptor = _lock(folder)
    try:
        yield
    finally:
        if not any(entry.name != CLAIM for entry in folder.glob("*")):
            shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _lock(folder: Path) -> int:
    """An open and locked file in the folder; not one that has been removed in the meantime."""
    file = folder / CLAIM
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), file.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except OSError as error:
            os.close(descriptor)
            raise StoreError(_not_locked(folder, error)) from None
        os.close(descriptor)


def _not_locked(folder: Path, error: OSError) -> str:
    if isinstance(error, BlockingIOError):
        return (
            f"{folder}: another run is writing this store; wait for it or stop it, then run again"
        )
    return (
        f"{folder}: cannot be locked against other runs ({error.strerror}); put the store on a "
        "file system that has locks"
    )


def empty(folder: Path) -> None:
    """Remove all in a folder but what it is held by; files in use elsewhere may stay."""
    for entry in folder.glob("*"):
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != CLAIM:
            entry.unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Remove what a run has left in its folder that was killed after its store was finished."""
    if folder.parent.is_dir():
        with suppress(StoreError), claim(folder.parent):
            shutil.rmtree(folder, ignore_errors=True)


def adopt(path: Path, store: Path, arrays: Sequence[str], fingerprint: str) -> None:
    """Move the chunks of a damaged store at `path` into `store`, those that are whole.

    Only if its arrays carry the same fingerprint. All their chunks are read for it.
    """
    if not path.is_dir() or not all(_fingerprint(path / name) == fingerprint for name in arrays):
        return
    for name in arrays:
        for chunk in damaged_chunks(path / name):
            chunk.unlink(missing_ok=True)
        if not (store / name / "c").exists() and (path / name / "c").is_dir():
            (path / name / "c").rename(store / name / "c")
    shutil.rmtree(path)


def explained(error: OSError, path: Path, folder: Path) -> OSError | StoreError:
    """A full disk, in words; other errors as they are."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    done = sum(1 for _ in (folder / "store").glob("*/c/*/*"))
    kept = f"; the {done} chunks in {folder} are kept and not computed again" if done else ""
    return StoreError(
        f"{path}: no space left on the disk ({error.strerror}); free some and run again{kept}"
    )


def _fingerprint(array: Path) -> str | None:
    try:
        metadata = json.loads((array / "zarr.json").read_text(encoding="utf-8"))
        return str(metadata["attributes"]["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
