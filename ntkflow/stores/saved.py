"""Arrays in one file, from which a killed run resumes."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import uuid4

import numpy as np


def save_arrays(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to a file, in place of an earlier one; a killed process leaves the earlier."""
    fresh = file.with_name(f"{file.name}.{uuid4().hex}.fresh")
    try:
        with fresh.open("wb") as opened:
            np.savez(opened, allow_pickle=False, **arrays)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def load_arrays(file: Path, report: Callable[[str], None]) -> dict[str, np.ndarray] | None:
    """Read arrays that `save_arrays` wrote; None if there is no file, or a damaged one.

    `report` receives a line of text about a damaged file, which its checksums reveal.
    """
    if not file.is_file():
        return None
    try:
        with np.load(file) as saved:
            return dict(saved)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        report(f"{file}: found a damaged file ({error}); its points are visited again")
        return None
