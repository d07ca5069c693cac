"""The comparison of two runs says what differs, changed verdicts first, and needs nothing else."""

import math

import pandas as pd
import pytest

from ntkflow.pages.compare import Comparison, Run, page
from tests.pages import examples
from tests.pages.test_report import Page

OTHER_SVG = examples.SVG.replace(b'width="20"', b'width="10"')
NOTHING = {kind: [] for kind in ("identical", "within", "redrawn", "missing", "extra")}


def run(slopes, figures=None, **made):
    """A run whose claims have these slopes by name, and that agree at -0.5."""
    tables = [examples.claims(name, slope) for name, slope in slopes.items()]
    svgs = {name: examples.SVG for name in slopes} if figures is None else figures
    figures = {name: (svg, examples.PNG) for name, svg in svgs.items()}
    claims = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return Run(examples.HOSTILE, examples.provenance(**made), claims, figures)


def comparison(first, second, configuration=(), **products):
    results = {**NOTHING, "different": {}, **products}
    return Comparison(first, second, configuration, results)


@pytest.fixture
def changed():
    """Two runs that differ in everything that the page shows."""
    first = run({"eight": -0.51, "nine": -0.3, "old": -0.5}, device="cpu")
    svgs = {"eight": examples.SVG, "nine": OTHER_SVG, "new": examples.SVG}
    second = run({"eight": -0.52, "nine": -0.5, "new": -0.5}, svgs, device="H200")
    return comparison(
        first,
        second,
        [("networks.tanh.depth", "3", ""), ("seed", examples.HOSTILE, "4")],
        identical=["statistics/same.zarr"],
        different={"statistics/nine.zarr": ["f: apart by 0.1", *"abcd"]},
        missing=["statistics/old.zarr"],
        extra=["statistics/new.zarr"],
    )


def text_of(comparison):
    found = Page(page(comparison))
    assert not found.open
    return " ".join(found.text.split())


def test_changed_verdicts_come_first_and_claims_of_one_run_last(changed):
    assert [claim.name for claim in changed.claims] == ["nine", "eight", "old", "new"]
    assert changed.claims[0].verdicts == ["disagrees", "agrees"]
    assert changed.claims[2].verdicts == ["agrees", ""]
    slope, check = changed.claims[0].pairs
    assert slope.changed
    assert slope.apart
    assert slope.difference == pytest.approx(-0.2)
    assert check.equal
    slope = changed.claims[1].pairs[1]
    assert (slope.changed, slope.apart, slope.equal) == (False, False, False)
    assert math.isnan(changed.claims[2].pairs[0].difference)


def test_page_shows_all_that_differs(changed):
    text = text_of(changed)
    for said in (
        "networks.tanh.depth 3 none",
        "device differs cpu H200",
        "2 differ, 1 with another verdict, 1 with intervals apart",
        "1 differs: nine disagrees → agrees",
        "−0.2 verdict changed intervals apart",
        "2 claims in one run only",
        "f: apart by 0.1; a; b; and 2 more arrays",
        "1 only in the first statistics/old.zarr",
        "No figure in the second run.",
    ):
        assert said.lower() in text.lower()


def test_text_of_the_runs_is_escaped(changed):
    found = Page(page(changed))
    assert not found.all("script")
    assert found.text.count(examples.HOSTILE) > 5
    assert all(image["src"].startswith("data:image/svg+xml;") for image in found.all("img"))


def test_figures_with_the_same_bytes_are_shown_once(changed):
    found = Page(page(changed))
    shown = [image["alt"] for image in found.all("img")]
    assert shown == [
        "Figure of nine in the first run",
        "Figure of nine in the second run",
        "Figure of old in the first run",
        "Figure of new in the second run",
        "Figure of eight in the first run",
    ]


def test_numbers_within_the_tolerance_of_their_store_are_folded():
    close = {"within": ["statistics/nine.zarr"]}
    found = comparison(run({"nine": -0.3}), run({"nine": -0.3000001}), **close)
    assert "1 claim with the same verdicts and numbers within tolerance" in text_of(found)
    assert found.summary()["numbers"] == "same within tolerance"
    decided = comparison(run({"nine": -0.3}), run({"nine": -0.5}), **close)
    assert decided.claims[0].rank == 0


def test_runs_without_claims_and_figures():
    found = comparison(run({}), run({}))
    text = text_of(found)
    assert "Both runs have the same configuration." in text
    assert "Claims" not in text
    assert found.summary()["packages"] == "same versions"


def test_versions_of_a_resumed_run_are_all_named():
    provenance = examples.provenance()
    provenance["stores_made_by"]["versions"] = [{"jax": "1.2"}, {"jax": "1.3"}]
    resumed = Run("resumed", provenance, pd.DataFrame(), {})
    assert ("jax", "1.2, 1.3", "1.2") in comparison(resumed, run({})).facts


def test_packages_with_another_version_come_before_those_of_one_run():
    first, second = run({}), run({})
    first.provenance["packages"] |= {"aaa": "1", "jax": "1.0"}
    second.provenance["packages"] |= {"jax": "2.0"}
    found = comparison(first, second)
    assert found.packages == [("jax", "1.0", "2.0"), ("aaa", "1", "")]
    assert found.summary()["packages"] == "2 differ: jax 1.0 → 2.0, aaa 1 → none"
