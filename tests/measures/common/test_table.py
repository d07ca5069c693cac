"""The table says what the numbers say, in CSV and on the page."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from ntkflow.analysis.jackknife import Estimate
from ntkflow.measures.common.evidence import AGREES, Quantity, judge
from ntkflow.measures.common.table import records, tabulate
from ntkflow.measures.kernel_drift import measure as kernel_drift
from ntkflow.pages.rendering import claims_page
from tests.measures import statistics as examples

NINE = {"experiment": "nine", "statement": "One is <two> & three.", "paper": "Theorem 9"}


def numbers():
    return [
        Quantity.check("error", 1e-15, 1e-12, "rounding"),
        Quantity("slope", Estimate(-0.52, 0.02, 30), "equals", -0.5, 0.1, "a tenth", 10),
    ]


def claims():
    drift = judge(kernel_drift.claims(examples.kernel_drift()))
    bounded = {"experiment": "drift", "statement": "The drift is bounded.", "paper": "Theorem 2"}
    return [(NINE, judge(numbers())), (bounded, drift)]


def test_one_row_a_number():
    table = tabulate(claims())
    nine = table[table["experiment"] == "nine"]
    assert nine["quantity"].tolist() == ["error", "slope"]
    assert nine["verdict"].tolist() == [AGREES, AGREES]
    assert set(nine["figure"]) == {"figures/nine.png"}
    assert set(nine["paper"]) == {"Theorem 9"}
    assert table["paper"].tolist()[-1] == "Theorem 2"


class Page(HTMLParser):
    """Elements of a page, checked to be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.images = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "a":
            self.links.append(found["href"])
        if tag == "img":
            self.images.append((found["src"], found["alt"]))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_whole_and_offline():
    text = claims_page(tabulate(claims()))
    found = Page(text)
    assert not found.open
    assert found.links == [
        link
        for name in ("nine", "drift")
        for link in (f"figures/{name}.png", f"statistics/{name}.zarr")
    ]
    assert all(alt for _, alt in found.images)
    assert "://" not in text
    assert "One is &lt;two&gt; &amp; three." in text
    assert "−0.561 to −0.479" in text
    assert "≤ 1.0e−12" in text
    assert " 2 agree.<" in " ".join(text.split())
    assert re.search(r"✓\s+agrees", text)


def test_number_that_is_missing_has_a_dash():
    error, slope = numbers()
    missing = replace(slope, estimate=Estimate(np.nan, np.nan, np.nan))
    text = claims_page(tabulate([(NINE, judge([error, missing]))]))
    assert "?" in text
    assert "nan" not in text
    assert "– to" not in text


def test_page_lists_checks_apart_and_says_how_many_seeds_decide():
    wide = replace(numbers()[1], estimate=Estimate(-0.5, 0.1, np.inf))
    text = " ".join(claims_page(tabulate([(NINE, judge([numbers()[0], wide]))])).split())
    assert text.index("Numbers of the claim") < text.index("Checks of identities")
    assert "? undecided</b>, 10 seeds of about 39" in text
    assert 'title="margin: a tenth"' in text


def test_json_keeps_small_numbers_and_has_no_infinity():
    error, slope = records(tabulate(claims()[:1]))
    assert (error["value"], error["margin"], error["seeds_needed"]) == (1e-15, 1e-12, None)
    assert slope["margin"] == 0.1
