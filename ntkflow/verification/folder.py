"""Folder of results on disk: integrity, digests and summaries of its products."""

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import yaml

from ntkflow.stores.contents import ROOT
from ntkflow.stores.integrity import root_attributes, unsound
from ntkflow.stores.places import StoreError
from ntkflow.stores.zarr import open_store
from ntkflow.verification.reference import Product
from ntkflow.verification.summary import summarise

RECORDED = ("digests", "configuration", "stores_made_by", "platform", "packages")
"""Keys of provenance.json that are read here."""

NOT_HERE = "expected a folder of results in which a run has come to its end"


class FolderError(ValueError):
    """There are no results to compare."""


class Folder:
    """Results of one run: its configuration, its `provenance` and the products `recorded` there.

    `recorded` are digests by path in the folder `root`. FolderError if the record or the
    configuration is missing or not readable.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.provenance = _mapping(root / "provenance.json", json.loads)
        self.configuration = _mapping(root / "configuration.yaml", yaml.safe_load)
        self.text = (root / "configuration.yaml").read_text(encoding="utf-8")
        for key in RECORDED:
            if not isinstance(self.provenance.get(key), dict):
                raise FolderError(f"{root / 'provenance.json'}: no key {key}; {NOT_HERE}")
        self.recorded: dict[str, str] = self.provenance["digests"]
        if outside := [path for path in self.recorded if not _is_inside(path)]:
            raise FolderError(
                f"{root / 'provenance.json'}: found {outside[0]!r} in digests, expected paths in "
                "the folder"
            )

    def altered(self) -> Iterator[tuple[str, str]]:
        """Yield (path, fault) of each product that changed after the run; all products are read."""
        for path, recorded in self.recorded.items():
            file = self.root / path
            store = path.endswith(".zarr")
            if not file.exists():
                continue
            faults = unsound(file) if store else []
            # The root file of a store contains the digest of its data.
            if not faults and _sha256(file / ROOT if store else file) != recorded:
                faults = ["changed since provenance.json was written"]
            for fault in faults:
                yield path, fault

    def require_unaltered(self, *, complete: bool = False) -> None:
        """Raise FolderError if a product changed after the run or, if `complete`, is missing."""
        faults = [f"{self.root / path}: {fault}" for path, fault in self.altered()]
        if complete:
            absent = (path for path in self.recorded if not (self.root / path).exists())
            faults += [f"{self.root / path}: missing" for path in absent]
        if faults:
            raise FolderError("\n".join(faults))

    def digests(self, without: Collection[str] = ()) -> dict[str, str]:
        """Digests of the existing products by path: of the data of stores, of whole files."""
        paths = (path for path in self.recorded if path not in without)
        return {path: self._digest(path) for path in paths if (self.root / path).exists()}

    def product(self, path: str) -> Product:
        """Product with summaries of its arrays."""
        file, sha256 = self.root / path, self._digest(path)
        if path.endswith(".zarr"):
            attributes = _attributes(file)
            dataset = open_store(file, str(attributes["store"]))
            arrays = {str(name): summarise(array) for name, array in dataset.variables.items()}
            kind, precision = str(attributes["store"]), str(attributes["precision"])
            return Product(kind=kind, precision=precision, sha256=sha256, arrays=arrays)
        if file.suffix in (".csv", ".json"):
            table = pd.read_csv(file) if file.suffix == ".csv" else pd.read_json(file)
            columns = {str(name): summarise(table[name].to_numpy()) for name in table}
            return Product(kind="table", sha256=sha256, arrays=columns)
        return Product(kind="drawing", sha256=sha256)

    def _digest(self, path: str) -> str:
        file = self.root / path
        return str(_attributes(file)["sha256"]) if path.endswith(".zarr") else _sha256(file)


def write_beside(output: Path, write: Callable[[Path], object], folders: Sequence[Path]) -> None:
    """Let `write` fill a new file, then rename it to `output`; the folders of results stay as is.

    FolderError if `output` is in one of them.
    """
    for folder in folders:
        if output.resolve().is_relative_to(folder.resolve()):
            raise FolderError(f"--output: found {output} in {folder}, expected a place elsewhere")
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.{os.getpid()}.partial")
    try:
        write(partial)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)


def _is_inside(path: str) -> bool:
    return not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


def _attributes(store: Path) -> dict[str, Any]:
    try:
        attributes = root_attributes(store)
        return {key: attributes[key] for key in ("store", "precision", "sha256")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{store}: not readable as a store ({error})") from error


def _mapping(file: Path, parse: Any) -> dict[str, Any]:
    try:
        found = parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise FolderError(f"{file}: {error.strerror}; {NOT_HERE}") from None
    except (ValueError, yaml.YAMLError) as error:
        raise FolderError(f"{file}: not readable ({error}); {NOT_HERE}") from None
    if not isinstance(found, dict):
        raise FolderError(f"{file}: found no mapping; {NOT_HERE}")
    return found


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "no file"
