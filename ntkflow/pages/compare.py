"""Differences between two runs, as a page of HTML without network or scripts, and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ntkflow.pages.images import image
from ntkflow.pages.rendering import Row, by_experiment, render
from ntkflow.words import listed

NUMBERS = ["value", "low", "high", "expected", "margin"]
# Columns of the table of claims that the page shows.
COLUMNS = ["experiment", "quantity", "statement", "paper", "claim_verdict", "verdict", "relation"]
COLUMNS += NUMBERS


@dataclass(frozen=True)
class Run:
    """Folder, record, table of claims, and figures by experiment of a finished run.

    `claims` is from `ntkflow.measures.common.table.tabulate`, `provenance` from
    `ntkflow.jobs.provenance.record`; a figure has the bytes of its SVG and its PNG.
    """

    name: str
    provenance: Mapping[str, Any]
    claims: pd.DataFrame
    figures: Mapping[str, tuple[bytes, bytes]]


@dataclass(frozen=True)
class Pair:
    """One number of a claim in both runs; None where a run has no such number."""

    quantity: str
    first: Row | None
    second: Row | None

    @property
    def changed(self) -> bool:
        """True if both runs have the number, with different verdicts."""
        return bool(self.first and self.second and self.first["verdict"] != self.second["verdict"])

    @property
    def equal(self) -> bool:
        """True if the number, its interval, its margin and its verdict are the same."""
        if self.first is None or self.second is None or self.changed:
            return False
        one, other = ([float(row[key]) for key in NUMBERS] for row in (self.first, self.second))
        return np.array_equal(one, other, equal_nan=True)

    @property
    def difference(self) -> float:
        """Second value minus first; NaN if a run has none."""
        if self.first is None or self.second is None:
            return float("nan")
        return float(self.second["value"] - self.first["value"])

    @property
    def apart(self) -> bool:
        """True if the intervals do not overlap; False if neither value has a sampling error."""
        rows = [row for row in (self.first, self.second) if row]
        if len(rows) < 2 or all(row["low"] == row["high"] for row in rows):
            return False
        (one, other) = rows
        return bool(one["high"] < other["low"] or other["high"] < one["low"])


@dataclass(frozen=True)
class Claim:
    """One claim in both runs, with its numbers, those whose verdict changed first.

    It is `close` if its statistics are the same within the tolerance of their kind.
    """

    name: str
    pairs: Sequence[Pair]
    close: bool

    @property
    def rows(self) -> list[Row | None]:
        """A row of each run; None if a run has no such claim."""
        first = [pair.first for pair in self.pairs if pair.first]
        second = [pair.second for pair in self.pairs if pair.second]
        return [next(iter(first), None), next(iter(second), None)]

    @property
    def verdicts(self) -> list[str]:
        """The verdict in each run; empty if a run has no such claim."""
        return [row["claim_verdict"] if row else "" for row in self.rows]

    @property
    def rank(self) -> int:
        """Claims with a changed verdict are shown first, equal ones last."""
        if len(set(self.verdicts)) > 1:
            return 0 if all(self.verdicts) else 3
        if any(pair.changed for pair in self.pairs):
            return 1
        return 4 if self.close else 2


@dataclass(frozen=True)
class Comparison:
    """Two runs and what is different between them.

    `configuration` has (dotted key, value, value) of each key that differs, as text, empty where a
    run lacks the key. `products` are the paths by result, and the differences of those that are
    different, as in `ntkflow.verification.comparison.Report`.
    """

    first: Run
    second: Run
    configuration: Sequence[tuple[str, str, str]]
    products: Mapping[str, Any]

    @cached_property
    def claims(self) -> list[Claim]:
        """Claims of both runs, those with changed verdicts first."""
        one, other = by_experiment(self.first.claims), by_experiment(self.second.claims)
        close = {*self.products["identical"], *self.products["within"]}
        found = []
        for name in {**one, **other}:
            rows, others = (
                {row["quantity"]: row for row in run.get(name, [])} for run in (one, other)
            )
            pairs = [Pair(key, rows.get(key), others.get(key)) for key in {**rows, **others}]
            pairs.sort(key=lambda pair: not pair.changed)
            found.append(Claim(name, pairs, f"statistics/{name}.zarr" in close))
        return sorted(found, key=lambda claim: claim.rank)

    @cached_property
    def facts(self) -> list[tuple[str, str, str]]:
        """(name, text, text) of what is recorded about both runs."""
        return _joined(*(_facts(run.provenance) for run in (self.first, self.second)))

    @cached_property
    def packages(self) -> list[tuple[str, str, str]]:
        """(name, version, version) of the packages that differ, empty where one is missing."""
        both = (run.provenance["packages"] for run in (self.first, self.second))
        differing = [row for row in _joined(*both) if row[1] != row[2]]
        return sorted(differing, key=lambda row: not all(row))

    def summary(self) -> dict[str, str]:
        """Summary of the differences, one line for each section of the page."""
        pairs = [pair for claim in self.claims if not claim.close for pair in claim.pairs]
        compared = [pair for pair in pairs if pair.first and pair.second]
        unequal = sum(not pair.equal for pair in compared)
        judged = sum(pair.changed for pair in compared)
        apart = sum(pair.apart for pair in compared)
        both = [claim for claim in self.claims if all(claim.verdicts)]
        changed = [f"{claim.name} {' → '.join(claim.verdicts)}" for claim in both if not claim.rank]
        keys = [key for key, *_ in self.configuration]
        versions = [f"{name} {one or 'none'} → {it or 'none'}" for name, one, it in self.packages]
        counts = {text: len(self.products[kind]) for kind, text in RESULTS.items()}
        same = "same within tolerance" if both else "none in both runs"
        numbers = f"{unequal} differ, {judged} with another verdict, {apart} with intervals apart"
        shared = f"same; claims in both runs: {len(both)}" if both else "no claim in both runs"
        return {
            "configuration": _some(keys, "same keys and values"),
            "provenance": _some([name for name, one, it in self.facts if one != it], "same record"),
            "packages": _some(versions, "same versions"),
            "verdicts": _some(changed, shared),
            "numbers": numbers if unequal else same,
            "products": ", ".join(f"{count} {text}" for text, count in counts.items() if count),
        }


RESULTS = {
    "identical": "with the same bytes",
    "within": "within tolerance",
    "redrawn": "drawn with other bytes",
    "different": "different",
    "missing": "only in the first",
    "extra": "only in the second",
}


def page(comparison: Comparison) -> str:
    """Comparison in HTML; a figure with the same bytes in both runs is shown once."""
    runs = (comparison.first, comparison.second)
    names = dict.fromkeys(name for run in runs for name in run.figures)
    figures = {name: [run.figures.get(name) for run in runs] for name in names}
    images = {
        name: [image(name, *figure) if figure else None for figure in pair]
        for name, pair in figures.items()
    }
    same = [name for name, (one, other) in figures.items() if one == other]
    return render(
        "compare.html.jinja",
        it=comparison,
        claims=comparison.claims,
        images=images,
        same=same,
        results=RESULTS,
    )


def _facts(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Code, versions and devices that computed the stores; several if a run was resumed."""
    made, platform = provenance["stores_made_by"], provenance["platform"]
    libraries: dict[str, dict[str, None]] = {}
    for versions in made["versions"]:
        for name, version in versions.items():
            libraries.setdefault(name, {})[version] = None
    texts = {key: listed(found) for key, found in made.items() if key != "versions"}
    return {
        "configuration digest": provenance["configuration"]["sha256"],
        **{key.replace("_", " "): text for key, text in texts.items()},
        "platform": listed(platform),
        **{name: listed([*versions]) for name, versions in libraries.items()},
    }


def _joined(one: Mapping[str, str], other: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return [(name, one.get(name, ""), other.get(name, "")) for name in {**one, **other}]


def _some(names: Sequence[str], none: str) -> str:
    """Number of differences and the first few of them; `none` if there are none."""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    verb = "differs" if len(names) == 1 else "differ"
    return f"{len(names)} {verb}: {', '.join(names[:4])}{more}" if names else none
