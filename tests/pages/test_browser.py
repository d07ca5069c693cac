"""The report as a browser shows it: alone, small, dark, by keyboard, and as it is read out."""

import itertools
from functools import partial

import pandas as pd
import pytest

from ntkflow.pages.rendering import claims_page
from tests.pages import examples
from tests.pages.browser import (
    DESKTOP,
    LOADED,
    PHONE,
    chromium,
    low_contrasts,
    needs_chromium,
    opened,
)

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def look(browser, tmp_path):
    """Opens the report in a window of the size and colours that are asked for."""
    file = tmp_path / "report.html"
    file.write_text(examples.report(), encoding="utf-8")
    return partial(opened, browser, file)


def test_opens_from_a_file_and_asks_for_nothing_else(look):
    with look() as found:
        assert found.page.evaluate(LOADED)
        assert len(found.page.query_selector_all("img")) == 2
        others = [url for url in found.requests if not url.startswith("data:")]
        assert others == [found.page.url]
        assert found.page.url.startswith("file:///")
        assert not found.complaints


def test_policy_forbids_other_scripts_and_the_network(look):
    with look() as found:
        insert = "document.body.append(Object.assign(document.createElement('{}'), {{{}}}))"
        found.page.evaluate(insert.format("script", "textContent: 'window.ran = true'"))
        found.page.evaluate(insert.format("img", "src: 'http://127.0.0.1:9/image.png'"))
        assert found.page.evaluate("window.ran") is None
        assert len([text for text in found.complaints if "Content Security Policy" in text]) == 2


@pytest.mark.parametrize("size", [PHONE, (320, 600), DESKTOP])
def test_page_does_not_scroll_sideways(look, size):
    with look(size) as found:
        for details in found.page.query_selector_all("details"):
            details.evaluate("element => { element.open = true; }")
        width = found.page.evaluate("document.documentElement.scrollWidth")
        assert width == size[0]


def test_wide_tables_scroll_by_themselves_on_a_phone(look):
    with look(PHONE) as found:
        table = found.page.get_by_role("region", name="Table of claims, scrolls sideways")
        table.focus()
        found.page.keyboard.press("ArrowRight")
        # Scrolling is smooth. The page forbids `wait_for_function`, which makes code of a string.
        for _ in range(100):
            if table.evaluate("region => region.scrollLeft") > 0:
                break
            found.page.wait_for_timeout(50)
        else:
            pytest.fail("the table does not scroll")


@pytest.mark.parametrize("page", ["report", "claims"])
def test_claims_are_chosen_by_verdict_without_a_script(browser, tmp_path, page):
    judged = {"nine": -0.3, "eight": -0.5, "seven": -0.3}
    rows = pd.concat([examples.claims(name, value) for name, value in judged.items()])
    pages = {"report": partial(examples.report, claims=rows), "claims": partial(claims_page, rows)}
    file = tmp_path / "page.html"
    file.write_text(pages[page](), encoding="utf-8")
    with opened(browser, file) as found:
        listed = found.page.locator("[data-verdict]")
        verdicts = [entry.get_attribute("data-verdict") for entry in listed.all()]
        assert verdicts == ["disagrees", "agrees", "disagrees"]
        for chosen in ("agrees", "disagrees", "all"):
            found.page.locator(f".choice [value='{chosen}']").check()
            shown = [entry.is_visible() for entry in listed.all()]
            assert shown == [chosen in (verdict, "all") for verdict in verdicts]


def test_claims_are_sorted_by_each_column_and_back(browser, tmp_path):
    judged = {"nine": ("b", -0.3), "eight": ("a", -0.5), "seven": ("B", -0.3), "six": ("c", -0.41)}
    rows = pd.concat(
        examples.claims(name, value).assign(statement=statement, paper=f"Section {10 - place}")
        for place, (name, (statement, value)) in enumerate(judged.items())
    )
    file = tmp_path / "page.html"
    file.write_text(examples.report(claims=rows), encoding="utf-8")
    orders = {
        "statement": ["eight", "nine", "seven", "six"],
        "verdict": ["eight", "nine", "seven", "six"],  # agrees, disagrees twice, undecided
        "numbers that agree": ["nine", "seven", "six", "eight"],
        "in the paper": ["six", "seven", "eight", "nine"],
    }
    with opened(browser, file) as found:
        table = found.page.locator("table.claims")
        listed = lambda: [  # noqa: E731
            link.get_attribute("href").removeprefix("#figure-")
            for link in table.locator("tbody a").all()
        ]
        for name, order in orders.items():
            head = table.get_by_role("columnheader", name=name)
            for direction in ("ascending", "descending", None):
                head.get_by_role("button").press("Enter")
                assert head.get_attribute("aria-sort") == direction
                assert table.locator("[aria-sort]").count() == (direction is not None)
                if direction == "ascending":
                    assert listed() == order
            assert listed() == [*judged]
        # Equal rows keep their order in both directions, and a choice holds in any order.
        for _ in range(2):
            table.get_by_role("button", name="verdict").click()
        assert listed() == ["six", "nine", "seven", "eight"]
        found.page.locator(".choice [value='disagrees']").check()
        shown = [row for row in table.locator("tbody tr").all() if row.is_visible()]
        assert [row.get_attribute("data-verdict") for row in shown] == ["disagrees"] * 2


def test_keyboard_reaches_the_report_and_what_is_folded(look):
    with look() as found:
        page = found.page
        page.keyboard.press("Tab")
        link = page.evaluate("[document.activeElement.textContent, document.activeElement.hash]")
        assert link == ["Skip to the report", "#main"]
        assert page.get_by_text("Skip to the report").bounding_box()["x"] >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        summary = page.get_by_text("Show the configuration")
        text = page.get_by_role("region", name="Configuration in YAML")
        assert not text.is_visible()
        summary.focus()
        page.keyboard.press("Enter")
        assert text.is_visible()
        assert examples.HOSTILE in text.inner_text()


def test_focus_is_seen(look):
    with look() as found:
        for _ in range(12):
            found.page.keyboard.press("Tab")
            outline = "getComputedStyle(document.activeElement).outline"
            assert "solid 3px" in found.page.evaluate(outline)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(look, scheme):
    with look(color_scheme=scheme) as found:
        for details in found.page.query_selector_all("details"):
            details.evaluate("element => { element.open = true; }")
        assert not low_contrasts(found.page)
        dark = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (dark != "rgb(255, 255, 255)") is (scheme == "dark")


def test_low_contrast_would_be_noticed(look):
    with look() as found:
        found.page.add_style_tag(content="h1 { color: #888 !important; }")
        ((ratio, text),) = low_contrasts(found.page)
        assert 3 < ratio < 4.5
        assert text == "The neural tangent kernel, measured"


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_what_a_screen_reader_finds(look, size):
    with look(size) as found:
        page = found.page
        assert page.evaluate("document.documentElement.lang") == "en"
        assert page.title()
        levels = page.evaluate(
            "[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])"
        )
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
        for role in ("main", "navigation"):
            assert page.get_by_role(role).count() == 1
        for region in page.get_by_role("region").all():
            assert page.get_by_role("region", name=_name(region), exact=True).count() == 1
        assert all(table.query_selector("caption") for table in page.query_selector_all("table"))
        assert not page.query_selector_all("th:not([scope])")
        assert all(image.get_attribute("alt") for image in page.query_selector_all("img"))
        assert all(link.inner_text().strip() for link in page.get_by_role("link").all())


def _name(region):
    """The accessible name of an element with aria-label or aria-labelledby."""
    return region.evaluate(
        "e => e.getAttribute('aria-label') ?? "
        "document.getElementById(e.getAttribute('aria-labelledby')).textContent"
    )


def test_print_shows_what_is_folded(look):
    with look() as found:
        found.page.emulate_media(media="print")
        assert found.page.get_by_role("region", name="Configuration in YAML").is_visible()
        assert not found.page.get_by_role("navigation").count()
