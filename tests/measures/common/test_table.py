"""The table says what the numbers say, in CSV and on the page."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from ntkflow.measures.common.evidence import (
    FAILS,
    HOLDS,
    Panel,
    Quantity,
    Series,
    evidence,
    quantities,
)
from ntkflow.measures.common.table import records, tabulate
from ntkflow.measures.kernel_drift import measure as kernel_drift
from ntkflow.pages.rendering import claims_page
from tests.measures import statistics as examples

NINE = {"experiment": "nine", "statement": "One is <two> & three.", "paper": "Theorem 9"}


def claims():
    numbers = [
        Quantity.exact("error", 1e-15, "at most", 0.0, 1e-12),
        Quantity("slope", -0.52, -0.6, -0.45, "equals", -0.5, 0.1, 0.25),
    ]
    drift = kernel_drift.claims(examples.kernel_drift())
    bounded = {"experiment": "drift", "statement": "The drift is bounded.", "paper": "Theorem 2"}
    return [(NINE, numbers), (bounded, drift)]


def test_one_row_a_number():
    table = tabulate(claims())
    nine = table[table["experiment"] == "nine"]
    assert nine["quantity"].tolist() == ["error", "slope"]
    assert nine["verdict"].tolist() == [HOLDS, HOLDS]
    assert set(nine["figure"]) == {"figures/nine.png"}
    assert set(nine["paper"]) == {"Theorem 9"}
    assert table["paper"].tolist()[-1] == "Theorem 2"


def test_verdicts_are_computed_and_not_read():
    store = evidence(claims()[0][1], [Panel("", "x", "y", [Series("", [0], [1])])])
    store["value"].values[1] = store["low"].values[1] = store["high"].values[1] = 3.0
    table = tabulate([(NINE, quantities(store))])
    assert store["verdict"].values.tolist() == [HOLDS, HOLDS]
    assert table["verdict"].tolist() == [HOLDS, FAILS]
    assert set(table["claim_verdict"]) == {FAILS}


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
    assert "−0.6 to −0.45" in text
    assert "≤ 1.0e−12" in text
    assert " 2 hold.<" in " ".join(text.split())
    assert re.search(r"✓\s+holds", text)


def test_number_that_is_missing_has_a_dash():
    error, slope = claims()[0][1]
    missing = replace(slope, value=np.nan, low=np.nan, high=np.nan)
    text = claims_page(tabulate([(NINE, [error, missing])]))
    assert "?" in text
    assert "nan" not in text
    assert "– to" not in text


def test_json_keeps_small_numbers_and_has_no_infinity():
    error, slope = records(tabulate(claims()[:1]))
    assert (error["value"], error["tolerance"], error["resolution"]) == (1e-15, 1e-12, None)
    assert slope["resolution"] == 0.25
