"""Whether the bytes of a store are those that were written."""

import json
from pathlib import Path

from ntkflow.stores.checked import damaged_files
from ntkflow.stores.contents import ROOT
from ntkflow.stores.places import store_folder
from ntkflow.stores.zarr import data_digest

__all__ = ["unsound"]


def unsound(place: str | Path) -> list[str]:
    """What is not as it was written, a line each; every byte is read.

    Chunks are held against their checksums, and all files against the digest in the root.
    """
    path = store_folder(place)
    try:
        written = json.loads((path / ROOT).read_bytes())["attributes"]["sha256"]
        damaged = damaged_files(path)
        found = data_digest(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"not readable as a store ({type(error).__name__}: {error})"]
    if damaged:
        return [f"{file.relative_to(path).as_posix()}: damaged" for file in damaged]
    if found != written:
        return ["its files are not those that were written: their digest is another one"]
    return []
