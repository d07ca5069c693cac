"""Arrays in one file, from which a killed run resumes."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import uuid4

import numpy as np

from ntkflow.stores.places import StoreError

FRESH = ".fresh"  # ends the name of a file that is being written


def save_arrays(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to a file, in place of an earlier one; a killed process leaves the earlier.

    StoreError if the file cannot be written.
    """
    fresh = file.with_name(f"{file.name}.{uuid4().hex}{FRESH}")
    try:
        with fresh.open("wb") as opened:
            np.savez(opened, allow_pickle=False, digest=_digest(arrays), **arrays)
        fresh.replace(file)
    except OSError as error:
        raise StoreError(
            f"{file}: cannot be written ({error.strerror}); free some space and run again to "
            "resume from the last save, or choose another folder to start again"
        ) from error
    finally:
        fresh.unlink(missing_ok=True)


def load_arrays(file: Path, report: Callable[[str], None]) -> dict[str, np.ndarray] | None:
    """Read arrays that `save_arrays` wrote; None if there is no file, or a damaged one.

    `report` receives a line of text about a damaged file.
    """
    if not file.is_file():
        return None
    try:
        with np.load(file) as saved:
            arrays = dict(saved)
        if arrays.pop("digest").tobytes() != _digest(arrays).tobytes():
            raise ValueError("its digest does not match")
    except Exception as error:  # a damaged file makes zipfile and NumPy raise errors of many types
        reason = f"{type(error).__name__}: {error}"[:200].splitlines()[0]
        report(f"{file}: found a damaged file ({reason}); it is computed again")
        return None
    return arrays


def _digest(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """SHA-256 of names, shapes and numbers."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.shape} {array.dtype}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return np.frombuffer(digest.digest(), np.uint8)
