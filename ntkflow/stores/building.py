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

__all__ = ["adopt", "claim", "clear", "explained", "partial_folder", "remove"]

CLAIM = "claim"  # a file: where folders are shared over NFS, they cannot be locked


def partial_folder(path: Path, fingerprint: str) -> Path:
    """Where a store with this fingerprint is put together: beside its place."""
    return path.with_name(f".{path.name}.{fingerprint[:16]}.partial")


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Make the folder and hold it against other runs, until the end or the death of this process.

    Raises
    ------
    StoreError
        If another run holds it.
    """
    descriptor = _lock(folder)
    try:
        yield
    finally:
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


def remove(folder: Path) -> None:
    """Remove a folder that this process holds, what it is held by last."""
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != CLAIM:
            entry.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def clear(folder: Path) -> None:
    """Remove what a run has left that was killed after its store was finished."""
    if folder.is_dir():
        with suppress(StoreError), claim(folder):
            remove(folder)


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
