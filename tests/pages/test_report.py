"""The report says what it is given, escaped, and needs nothing beside it."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from importlib.resources import files

import pandas as pd
import pytest

from tests.measures.found import SETTINGS
from tests.pages import examples

VOID = ("meta", "img", "link", "input")


class Page(HTMLParser):
    """What a page is made of, checked to be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text, self.script = [], [], "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.script += data
        elif self.open[-1:] != ["style"]:
            self.text += data

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture
def found():
    page = Page(examples.report())
    assert not page.open
    return page


def test_text_from_outside_is_escaped(found):
    assert found.all("script") == [{}]
    assert examples.HOSTILE not in found.script
    words = " ".join(found.text.split())
    assert words.count(examples.HOSTILE) >= 8
    assert examples.HOSTILE in found.all("img")[0]["alt"]
    assert examples.CONFIGURATION.strip() in found.text


def test_nothing_is_fetched(found):
    policy = found.all("meta")[2]["content"]
    digest = base64.b64encode(hashlib.sha256(found.script.encode()).digest()).decode()
    assert policy == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    sources = [image["src"] for image in found.all("img")]
    assert len(sources) == 2
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert not [link for link in found.all("link") if not link["href"].startswith("data:")]


def test_script_is_the_library_as_published_and_ours(found):
    library, ours, notice = (
        files("ntkflow.pages").joinpath(name).read_text("utf-8")
        for name in ("panzoom.min.js", "report.js", "panzoom.txt")
    )
    assert found.script == library + ours
    digest = hashlib.sha256(library.encode()).hexdigest()
    assert f"SHA-256: {digest}\n" in notice
    (version,) = re.findall(r"@panzoom/panzoom ([\d.]+),", notice)
    assert f"Panzoom {version} " in library
    assert "Permission is hereby granted, free of charge" in notice
    assert len(ours.splitlines()) < 200


def test_links_lead_to_places_of_the_page_or_files_of_the_results(found):
    identifiers = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)
    targets = [link["href"] for link in found.all("a") if not link["href"].startswith("data:")]
    assert {t[1:] for t in targets if t[0] == "#"} <= set(identifiers)
    assert {t for t in targets if t[0] != "#"} == {
        *(
            f"{kind}/{name}.{end}"
            for kind, end in (("figures", "svg"), ("statistics", "zarr"))
            for name in ("nine", "profile")
        ),
        "provenance.json",
        "claims.csv",
        "claims.json",
    }


def test_each_claim_leads_to_its_figure(found):
    assert [link["href"] for link in found.all("a")].count("#figure-nine") == 3  # contents twice


def test_labels_name_what_exists(found):
    identifiers = {attributes.get("id") for _, attributes in found.tags}
    named = {a["aria-labelledby"] for _, a in found.tags if "aria-labelledby" in a}
    assert named <= identifiers


def test_report_says_how_the_run_was_made(found):
    words = " ".join(found.text.split())
    for said in (
        "1 March 2026, 09:05 UTC",
        "1 job, 1 min 15 s in total",
        "0 ✓ agree 1 ✗ disagrees 0 ? are undecided",
        "2.0 GiB",
        "revision abc",
        "jax 1.2",
        "1 of 2",
        SETTINGS["kernel_profile"].caption,
        "snakemake --cores all --configfile configuration.yaml",
    ):
        assert said in words


def test_large_drawing_is_shown_as_pixels():
    many_lines = examples.SVG + b"<!--" + b"-" * 300_000 + b"-->"
    images = Page(examples.report(experiments=examples.experiments(many_lines))).all("img")
    assert [image["src"].partition(",")[0] for image in images] == ["data:image/png;base64"] * 2
    assert {image["width"] for image in images} == {"63"}


def test_the_longest_rules_come_first_and_the_others_are_folded():
    jobs = {f"rule_{n:02}": {"s": n, "max_rss": 1.0, "ended": 0.0} for n in range(12)}
    text = examples.report(timings=examples.summarise(jobs, []))
    shown, folded = text.split("<summary>2 more rules</summary>")
    assert re.findall(r"<code>rule_(\d+)", shown) == [f"{n:02}" for n in range(11, 1, -1)]
    assert re.findall(r"<code>rule_(\d+)", folded) == ["01", "00"]


def test_run_without_claims_and_timings():
    empty = examples.summarise({}, [])
    text = examples.report(claims=pd.DataFrame([]), timings=empty)
    found = Page(text)
    assert not found.open
    assert "claims" not in [attributes.get("id") for _, attributes in found.tags]
    assert "No timings" in found.text
    assert "Last job ended" not in found.text


def test_what_was_resumed_names_both_codes():
    made = examples.provenance()
    codes = ["a" * 40, "d" * 40 + "-dirty"]
    made["stores_made_by"] |= {"code_revision": codes, "device": ["cpu", "x86_64"]}
    text = " ".join(Page(examples.report(provenance=made)).text.split())
    assert "; ".join(codes) in text
    assert "revision aaaaaaaaaaaa; dddddddddddd-dirty " in text
    assert "computed on cpu " in text
