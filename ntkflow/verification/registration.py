"""Margins and settings of the claims, fixed on a date, before the numbers of fresh seeds are seen.

``python -m ntkflow.verification.registration results`` compares the claims of a run with the latest
registration, ``references/registration-DATE.yaml``; ``--write`` adds one.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from ntkflow.verification.folder import FolderError

REFERENCES = Path(__file__).parents[2] / "references"
FIXED = ("relation", "expected", "margin", "reason", "kind")
SETTINGS = ("datasets", "networks", "experiments")

Registration = Mapping[str, Any]


def register(results: Path, date: str) -> Registration:
    """Settings of a run's claims, and the margin of each number by experiment."""
    try:
        rows = json.loads((results / "claims.json").read_text(encoding="utf-8"))
        text = (results / "configuration.yaml").read_text(encoding="utf-8")
    except OSError as error:
        message = f"{results}: found no claims of a run ({error.strerror}), expected some"
        raise FolderError(message) from None
    configuration = yaml.safe_load(text)
    numbers: dict[str, dict[str, Any]] = {}
    for row in rows:
        fixed = {name: row[name] for name in FIXED}
        numbers.setdefault(row["experiment"], {})[row["quantity"]] = fixed
    settings = {name: configuration[name] for name in SETTINGS}
    return {"date": date, "settings": settings, "numbers": numbers}


def latest(folder: Path = REFERENCES) -> Registration:
    """The registration with the latest date. FolderError if there is none."""
    files = sorted(folder.glob("registration-*.yaml"))
    if not files:
        raise FolderError(f"{folder}: found no registration-DATE.yaml, expected one")
    found: Registration = yaml.safe_load(files[-1].read_text(encoding="utf-8"))
    return found


def differences(registered: Registration, found: Registration) -> Iterator[str]:
    """Yield one line for each setting or margin that is not as it was registered."""
    for kind in SETTINGS:
        then, now = registered["settings"][kind], found["settings"][kind]
        for name in sorted(then):  # what has been added since has changed nothing
            if then[name] != now.get(name):
                yield f"{kind}.{name}: found other settings than registered"
    for experiment, numbers in found["numbers"].items():
        then = registered["numbers"].get(experiment, {})
        for name, fixed in numbers.items():
            if name not in then:
                yield f"{experiment}: {name}: not registered"
            elif fixed != then[name]:
                yield f"{experiment}: {name}: found {fixed}, registered {then[name]}"
        for name in sorted(then.keys() - numbers.keys()):
            yield f"{experiment}: {name}: registered, but not measured"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 if a run has what is registered, 1 if not, 2 if they cannot be compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="register this run there")
    given = parser.parse_args(arguments)
    date = f"{datetime.now(UTC):%Y-%m-%dT%H%M}"  # of UTC; no registration replaces another
    try:
        found = register(given.results, date)
        if given.write:
            file = given.write / f"registration-{date}.yaml"
            text = yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=100)
            file.write_text(text, encoding="utf-8")
            print(file)
            return 0
        registered = latest()
    except (FolderError, OSError) as error:
        print(f"registration: {error}", file=sys.stderr)
        return 2
    lines = [*differences(registered, found)]
    print(
        *lines, f"{len(lines)} differences from the registration of {registered['date']}", sep="\n"
    )
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
