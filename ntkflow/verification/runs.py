"""Compare two finished runs: python -m ntkflow.verification.runs FIRST SECOND.

Writes one page of HTML with both side by side, and prints a summary.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ntkflow.pages.compare import COLUMNS, Comparison, Run, page
from ntkflow.stores.places import StoreError
from ntkflow.verification.comparison import Report, compare
from ntkflow.verification.folder import NOT_HERE, Folder, FolderError, write_beside
from ntkflow.verification.reference import ABSENT, Product, differing_values


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 if the page is written, 2 if a folder does not hold a finished run."""
    parser = argparse.ArgumentParser(
        prog="python -m ntkflow.verification.runs", description=__doc__
    )
    parser.add_argument("first", type=Path, help="folder of results")
    parser.add_argument("second", type=Path, help="second folder of results")
    place = "page to write, over an earlier one (default: %(default)s)"
    parser.add_argument("--output", type=Path, default=Path("build/compare.html"), help=place)
    given = parser.parse_args(arguments)
    try:
        if given.output.suffix != ".html":
            raise FolderError(f"--output: found {given.output}, expected a name that ends in .html")
        found = comparison(Folder(given.first), Folder(given.second))
        text, folders = page(found), (given.first, given.second)
        write_beside(given.output, lambda file: file.write_text(text, encoding="utf-8"), folders)
    except (FolderError, StoreError, OSError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    print(f"{given.first} compared with {given.second}")
    for title, line in found.summary().items():
        print(f"{title + ':':15}{line}")
    print(f"Open in a browser: {given.output.absolute()}")
    return 0


def comparison(first: Folder, second: Folder) -> Comparison:
    """Both runs, the keys in which they differ, and the result for each product."""
    runs = _run(first), _run(second)
    differing = differing_values(first.configuration, second.configuration)
    configuration = [(key, _written(one), _written(other)) for key, one, other in differing]
    return Comparison(*runs, configuration, asdict(compared(first, second)))


def compared(first: Folder, second: Folder) -> Report:
    """Compare each product of the second run with that of the first.

    Arrays are read only if the digests differ.
    """
    before, after = first.digests(), second.digests()
    products = {
        path: Product(kind="", sha256=digest)
        if after.get(path, digest) == digest
        else first.product(path)
        for path, digest in before.items()
    }
    return compare(after, products, second.product)


def _run(folder: Folder) -> Run:
    folder.require_unaltered()
    figures = {}
    for svg in sorted((folder.root / "figures").glob("*.svg")):
        png = svg.with_suffix(".png")
        if f"figures/{svg.name}" in folder.recorded and png.is_file():
            figures[svg.stem] = (svg.read_bytes(), png.read_bytes())
    return Run(str(folder.root), folder.provenance, _claims(folder), figures)


def _claims(folder: Folder) -> pd.DataFrame:
    """Table of claims; empty if no experiment of the run is a claim."""
    file = folder.root / "claims.json"
    if file.name not in folder.recorded:
        return pd.DataFrame()
    try:
        table = pd.DataFrame(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise FolderError(f"{file}: found no table of claims ({error}); {NOT_HERE}") from None
    if absent := [name for name in COLUMNS if name not in table]:
        raise FolderError(f"{file}: found no {', '.join(absent)}; expected the claims of a run")
    return table


def _written(value: Any) -> str:
    """A value of the configuration as YAML; empty if the key is absent."""
    if value is ABSENT:
        return ""
    text = yaml.safe_dump(value, default_flow_style=None, allow_unicode=True, sort_keys=False)
    return text.removesuffix("...\n").rstrip("\n")


if __name__ == "__main__":
    sys.exit(main())
