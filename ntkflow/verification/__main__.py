"""Compare results with a published reference: python -m ntkflow.verification results."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ntkflow.configuration.messages import ConfigurationError
from ntkflow.stores.places import StoreError
from ntkflow.verification.comparison import compare
from ntkflow.verification.folder import Folder, FolderError
from ntkflow.verification.reference import (
    Reference,
    UnusableReferenceError,
    differing_keys,
    read_reference,
    studied,
)

PUBLISHED = Path(__file__).parents[2] / "references"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 if results and reference agree, 1 if not, 2 if they cannot be compared."""
    parser = argparse.ArgumentParser(prog="python -m ntkflow.verification", description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    choice = (
        "a reference, or a folder from which the one with the same configuration is used "
        "(default: the published ones)"
    )
    parser.add_argument("--reference", type=Path, default=PUBLISHED, help=choice)
    saving = "write a reference from the results"
    parser.add_argument("--write", type=Path, metavar="FILE", help=saving)
    given = parser.parse_args(arguments)
    try:
        return write(given.results, given.write) if given.write else verify(given)
    except (ConfigurationError, FolderError, UnusableReferenceError, StoreError, OSError) as error:
        print(f"verify: {error}", file=sys.stderr)
        return 2


def verify(given: argparse.Namespace) -> int:
    """Print what differs between the results and their reference."""
    folder = Folder(given.results)
    altered = set()
    for path, fault in folder.altered():
        altered.add(path)
        print(f"{path}: {fault}")
    name, reference, part = matching(folder, given.reference)
    platform = reference.made_with.get("platform", {})
    versions = ", ".join(f"{key} {value}" for key, value in platform.items())
    print(f"{given.results} compared with {name}, made with {versions}")
    digests, products = folder.digests(altered), reference.products
    if part:
        products = reference.products_of_part(part, folder.recorded)
        digests = {path: digest for path, digest in digests.items() if "/" in path}
        print(f"The results contain some of its experiments: {', '.join(part)}")
    expected = {path: it for path, it in products.items() if path not in altered}
    report = compare(digests, expected, folder.product)
    for line in report.lines():
        print(line)
    if altered:
        print(f"{len(altered)} products changed after the run and were not compared")
    return 0 if report.agrees and not altered else 1


def matching(folder: Folder, place: Path) -> tuple[str, Reference, list[str]]:
    """Reference in a file, or the one in a folder with the configuration of the results.

    The reference may have further experiments; then those of the results are listed, else none.
    UnusableReferenceError if there is none; the message lists the keys that differ in the nearest.
    """
    files = sorted(place.glob("*.json")) if place.is_dir() else [place]
    if not files or not place.exists():
        expected = "expected a file or a folder of them"
        raise UnusableReferenceError(f"{place}: no reference here, {expected}")
    wanted = studied(folder.configuration, [folder.root])
    run, apart, parts = [*wanted["experiments"]], {}, []
    for file in files:
        reference = read_reference(file.read_bytes(), str(file), [folder.root])
        keys = differing_keys(wanted, reference.studied([folder.root], run))
        if not keys and len(reference.studied([folder.root])["experiments"]) == len(run):
            return str(file), reference, []
        if not keys:
            parts.append((str(file), reference, run))
        apart[file] = keys
    if parts:
        return parts[0]
    nearest = min(apart, key=lambda file: len(apart[file]))
    keys = apart[nearest]
    more = f" and {len(keys) - 8} more" if len(keys) > 8 else ""
    raise UnusableReferenceError(
        f"{folder.root}: no reference has this configuration; the nearest, {nearest}, differs in "
        f"{', '.join(keys[:8])}{more}"
    )


def write(results: Path, file: Path) -> int:
    """Write a reference from these results."""
    folder = Folder(results)
    folder.require_unaltered(complete=True)
    made_with = {key: folder.provenance[key] for key in ("stores_made_by", "platform")}
    products = {path: folder.product(path) for path in folder.recorded}
    reference = Reference(
        format=1, made_with=made_with, configuration=folder.text, products=products
    )
    file.write_text(reference.model_dump_json(exclude_defaults=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
