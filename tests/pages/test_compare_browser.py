"""The comparison of two runs as a browser shows it: alone, on a phone, and in the dark."""

from functools import partial

import pytest

from ntkflow.pages.compare import page
from tests.pages.browser import (
    DESKTOP,
    LOADED,
    PHONE,
    chromium,
    low_contrasts,
    needs_chromium,
    opened,
)
from tests.pages.test_compare import changed

pytestmark = needs_chromium
__all__ = ["changed"]  # a fixture


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def look(browser, tmp_path, changed):
    """Opens the comparison in a window of the size and colours that are asked for."""
    file = tmp_path / "compare.html"
    file.write_text(page(changed), encoding="utf-8")
    return partial(opened, browser, file)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_page_fits_and_is_readable(look, size, scheme):
    with look(size, color_scheme=scheme) as found:
        for details in found.page.query_selector_all("details"):
            details.evaluate("element => { element.open = true; }")
        assert found.page.evaluate("document.documentElement.scrollWidth") == size[0]
        assert found.page.evaluate(LOADED)
        assert not low_contrasts(found.page)
        assert [url for url in found.requests if not url.startswith("data:")] == [found.page.url]
        assert not found.complaints


@pytest.mark.parametrize(("size", "beside"), [(PHONE, False), (DESKTOP, True)])
def test_figures_are_stacked_on_a_phone(look, size, beside):
    with look(size) as found:
        images = found.page.locator("#figure-nine img")
        first, second = (image.bounding_box() for image in images.all())
        assert (first["y"] == second["y"]) is beside
        assert (first["x"] < second["x"]) is beside


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_both_values_of_a_number_are_in_sight(look, size):
    with look(size) as found:
        for name in ("verdict changed", "intervals apart"):
            box = found.page.get_by_text(name, exact=True).last.bounding_box()
            assert box["x"] + box["width"] <= size[0]
        tables = found.page.get_by_role("table").all()
        assert all(table.locator("caption").count() == 1 for table in tables)
