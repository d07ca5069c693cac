"""Enlarged figures in a browser: values of points, zoom, keyboard, and no script but the page's."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from playwright.sync_api import Page

from ntkflow.measures.kernel_drift import figure as kernel_drift
from ntkflow.plotting import style
from tests.measures import statistics
from tests.pages import examples
from tests.pages.browser import (
    DESKTOP,
    PHONE,
    Opened,
    chromium,
    low_contrasts,
    needs_chromium,
    opened,
)

pytestmark = needs_chromium

HINT = "Point at a mark, or tap it, to read its value."
Look = Callable[..., AbstractContextManager[Opened]]


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def plotted() -> Figure:
    """A figure with axes of each kind."""
    x, y = np.array([1.0, 2.0, 4.0]), np.array([0.031, 0.5, 2.718])
    with style.paper():
        figure = Figure(figsize=(6.75, 4))
        (linear, log, symlog), (twin, image, cut) = figure.subplots(2, 3)
        linear.plot(x, -y, "o", label="a")
        linear.legend()
        linear.fill_between(x, 1, x)
        log.plot(100 * x, 1e-4 * y)
        log.set(xscale="log", yscale="log", xlabel="width, $n$", ylabel="error")
        symlog.scatter([0, 0.5, 300], x, s=[9, 16, 25])
        symlog.set_xscale("symlog", linthresh=2)
        symlog.invert_yaxis()
        twin.plot(x, y)
        twin.twinx().plot(x, 1000 / y, ".")
        image.imshow(np.arange(12).reshape(3, 4))
        cut.vlines(0.5, 0, 0.3)
        cut.grid()
        cut.set(xlim=(0, 1), ylim=(0, 1), yticks=[0, 0.5, 1])
        return style.fixed_layout(figure)


@pytest.fixture
def look(browser, plotted: Figure, tmp_path: Path) -> Look:
    """Opens a report with the figure, in a window of the size and colours that are asked for."""
    style.save(plotted, [tmp_path / "figure.svg"])
    svg = (tmp_path / "figure.svg").read_bytes()
    file = tmp_path / "report.html"
    file.write_text(examples.report(experiments=examples.experiments(svg)), encoding="utf-8")
    return partial(opened, browser, file)


def enlarge(page: Page, name: str = "nine") -> None:
    page.get_by_role("button", name=f"Enlarge figure {name}").click()


def reading(page: Page) -> str:
    return page.locator("output").inner_text()


def place(page: Page, axes: Axes, point: tuple[float, float]) -> tuple[float, float]:
    """Pixel of the window at a point of the data, from the transformations of Matplotlib."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    across, up = figure.transFigure.inverted().transform(axes.transData.transform(point))
    box = page.locator(".stage svg").bounding_box()
    assert box
    width, height = figure.get_size_inches()
    scale = min(box["width"] / width, box["height"] / height)
    x = box["x"] + box["width"] / 2 + (across - 0.5) * scale * width
    y = box["y"] + box["height"] / 2 + (0.5 - up) * scale * height
    return x, y


def values(text: str) -> list[float]:
    return [float(number.replace("−", "-")) for number in re.findall(r" = ([−\de.]+)", text)]


LINEAR, LOG, SYMLOG, TWIN, IMAGE, CUT, OTHER_TWIN = range(7)
POINTS = [
    *((LINEAR, (x, -y)) for x, y in ((1, 0.031), (2, 0.5), (4, 2.718))),
    *((LINEAR, (x, y)) for x, y in ((2, 1), (2, 2), (4, 4))),
    *((LOG, (x, y)) for x, y in ((100, 3.1e-6), (200, 5e-5), (400, 2.718e-4))),
    *((SYMLOG, point) for point in ((0, 1), (0.5, 2), (300, 4))),
    *((TWIN, (x, y)) for x, y in ((1, 0.031), (2, 0.5))),
    *((OTHER_TWIN, (x, 1000 / y)) for x, y in ((1, 0.031), (2, 0.5))),
    (IMAGE, (1.3, 2.2)),
    (CUT, (0.5, 0.3)),
]


def settled(page: Page) -> float:
    """The zoom, after it has been drawn."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.evaluate(
        "new DOMMatrix(getComputedStyle(document.querySelector('.stage div')).transform).a"
    )


def test_values_of_points_are_those_that_were_drawn(look: Look, plotted: Figure):
    with look() as found:
        enlarge(found.page)
        for panel, point in POINTS:
            x, y = place(found.page, plotted.axes[panel], point)
            near = 0 if panel == IMAGE else 4  # pixels
            found.page.mouse.move(x + near, y - near)
            assert values(reading(found.page)) == pytest.approx(point, rel=1e-3, abs=2e-3)
        assert not found.complaints


def test_value_comes_with_the_labels_of_its_axes(look: Look, plotted: Figure):
    with look() as found:
        enlarge(found.page)
        found.page.mouse.move(*place(found.page, plotted.axes[LOG], (200, 5e-5)))
        assert reading(found.page) == "width, n = 200; error = 0.00005"


def test_no_value_away_from_marks(look: Look, plotted: Figure):
    with look() as found:
        enlarge(found.page)
        assert reading(found.page) == HINT
        found.page.mouse.move(*place(found.page, plotted.axes[LINEAR], (1, -0.031)))
        assert reading(found.page) != HINT
        legend = plotted.axes[LINEAR].get_legend()
        assert legend is not None
        (handle,) = legend.get_lines()
        corner = handle.get_window_extent().get_points().mean(axis=0)
        for axes, point in (
            (plotted.axes[CUT], (0.2, 0.5)),
            (plotted.axes[CUT], (0, 0.5)),  # a line of the grid
            (plotted.axes[CUT], (0.5, 0)),  # an interval that the figure cuts at the axis
            (plotted.axes[LINEAR], (3, -0.3)),
            (plotted.axes[LINEAR], plotted.axes[LINEAR].transData.inverted().transform(corner)),
        ):
            found.page.mouse.move(*place(found.page, axes, point))
            assert reading(found.page) == HINT


def test_measured_networks_have_their_width(browser, tmp_path: Path):
    """Their marks are beside the tick of the width."""
    store = statistics.kernel_drift((64, 128), seeds=5)
    figure = kernel_drift.draw(store)
    style.save(figure, [tmp_path / "figure.svg"])
    svg = (tmp_path / "figure.svg").read_bytes()
    file = tmp_path / "report.html"
    file.write_text(examples.report(experiments=examples.experiments(svg)), encoding="utf-8")
    drift = store["drift"].isel(kernel_step=-1)
    with opened(browser, file) as found:
        enlarge(found.page)
        for line in figure.axes[2].get_lines()[:2]:
            first = line.get_xydata()[0]
            found.page.mouse.move(*place(found.page, figure.axes[2], first))
            width, value = values(reading(found.page))
            assert width in (64, 128)
            assert value == pytest.approx(drift.sel(width=width)[0].item(), rel=1e-3)


def test_wheel_zooms_into_the_place_of_the_pointer(look: Look, plotted: Figure):
    with look() as found:
        page, point = found.page, (200, 5e-5)
        enlarge(page)
        page.mouse.move(*place(page, plotted.axes[LOG], point))
        for _ in range(12):
            page.mouse.wheel(0, -100)
        assert 3 < settled(page) < 4
        x, y = place(page, plotted.axes[LOG], point)
        page.mouse.move(x + 5, y + 5)
        assert values(reading(page)) == pytest.approx(point)
        page.mouse.down()
        page.mouse.move(x + 105, y + 45, steps=5)
        page.mouse.up()
        settled(page)
        moved = place(page, plotted.axes[LOG], point)
        assert np.subtract(moved, (x, y)) == pytest.approx((100, 40), abs=1)


def test_keyboard_alone_is_enough(look: Look):
    with look(reduced_motion="reduce") as found:
        page = found.page
        button = page.get_by_role("button", name="Enlarge figure profile")
        button.focus()
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name=examples.experiments()[1].title)
        assert dialog.is_visible()
        assert page.evaluate("document.activeElement.className") == "stage"
        zooms = []
        for key in ("+", "+", "-", "0"):
            page.keyboard.press(key)
            zooms.append(settled(page))
        assert zooms == pytest.approx([np.exp(0.3), np.exp(0.6), np.exp(0.3), 1])
        page.keyboard.press("+")
        settled(page)
        before = page.locator(".stage svg").bounding_box()
        page.keyboard.press("ArrowLeft")
        settled(page)
        after = page.locator(".stage svg").bounding_box()
        assert before
        assert after
        assert after["x"] - before["x"] == pytest.approx(60, abs=1)
        for _ in range(6):
            page.keyboard.press("Tab")
            reached = page.evaluate("document.activeElement.closest('dialog')?.id")
            assert (
                reached == "enlarged" or page.evaluate("document.activeElement.tagName") == "BODY"
            )
        page.keyboard.press("Escape")
        assert not dialog.is_visible()
        assert button.evaluate("element => element === document.activeElement")
        assert not page.locator(".stage svg").count()


def test_click_on_a_figure_enlarges_it(look: Look):
    with look() as found:
        found.page.locator("#figure-profile img").click()
        assert found.page.get_by_role("dialog", name=examples.experiments()[1].title).is_visible()


def test_buttons_do_what_keys_do(look: Look):
    with look(reduced_motion="reduce") as found:
        enlarge(found.page)
        for name, zoom in (("Zoom in", np.exp(0.3)), ("Zoom out", 1), ("Zoom in", np.exp(0.3))):
            found.page.get_by_role("button", name=name).click()
            assert settled(found.page) == pytest.approx(zoom)
        found.page.get_by_role("button", name="Fit").click()
        assert settled(found.page) == 1
        found.page.get_by_role("button", name="Close").click()
        assert not found.page.get_by_role("dialog").count()


def test_fingers_tap_and_pinch(look: Look, plotted: Figure):
    with look(PHONE, has_touch=True) as found:
        page = found.page
        enlarge(page)
        page.touchscreen.tap(*place(page, plotted.axes[LOG], (200, 5e-5)))
        assert values(reading(page)) == pytest.approx((200, 5e-5))
        session = page.context.new_cdp_session(page)
        for kind, apart in (("touchStart", 20), ("touchMove", 60), ("touchMove", 120)):
            places = (195 - apart, 195 + apart)
            points = [{"x": x, "y": 420, "id": finger} for finger, x in enumerate(places)]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert settled(page) > 1.5


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_zoom_is_animated_unless_the_reader_asks_for_less_motion(look: Look, motion: str):
    with look(reduced_motion=motion) as found:
        enlarge(found.page)
        found.page.keyboard.press("+")
        settled(found.page)
        style = "document.querySelector('.stage div').style.transitionDuration"
        assert (found.page.evaluate(style) == "200ms") is (motion == "no-preference")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, (320, 600), DESKTOP])
def test_dialog_fits_its_window_and_can_be_read(look: Look, size: tuple[int, int], scheme: str):
    with look(size, color_scheme=scheme) as found:
        enlarge(found.page)
        for part in found.page.locator("dialog, dialog button, dialog .stage").all():
            box = part.bounding_box()
            assert box
            assert 0 <= box["x"] <= box["x"] + box["width"] <= size[0]
            assert 0 <= box["y"] <= box["y"] + box["height"] <= size[1]
        assert not low_contrasts(found.page)


def test_large_figure_zooms_as_pixels_without_values(browser, tmp_path: Path):
    file = tmp_path / "report.html"
    large = examples.SVG + b"<!--" + b"-" * 300_000 + b"-->"
    file.write_text(examples.report(experiments=examples.experiments(large)), encoding="utf-8")
    with opened(browser, file) as found:
        enlarge(found.page)
        assert found.page.locator(".stage img").get_attribute("alt")
        found.page.mouse.move(640, 400)
        found.page.keyboard.press("+")
        assert settled(found.page) > 1
        assert reading(found.page) == ""
        assert not found.complaints


def test_without_scripts_the_page_is_static(look: Look):
    with look(java_script_enabled=False) as found:
        assert found.page.locator(".enlarge").count() == 2
        assert not found.page.get_by_role("button").count()
        assert not found.page.locator("dialog").is_visible()
        assert found.page.get_by_role("columnheader", name="verdict").count()


def test_print_has_no_controls(look: Look):
    with look() as found:
        assert found.page.get_by_role("button").count() == 2 + 4
        enlarge(found.page)
        found.page.emulate_media(media="print")
        assert not found.page.locator("dialog").is_visible()
        assert not found.page.locator(".enlarge").first.is_visible()


def test_changed_script_does_not_run(look: Look, tmp_path: Path):
    with look() as found:
        assert found.page.get_by_role("button", name="Enlarge figure nine").is_visible()
        assert not found.complaints
        file = tmp_path / "report.html"
        text = file.read_text("utf-8")
        file.write_text(text.replace("const NEAR = 12", "const NEAR = 13"), encoding="utf-8")
        found.page.reload()
        assert not found.page.get_by_role("button", name="Enlarge figure nine").is_visible()
        assert len([text for text in found.complaints if "Content Security Policy" in text]) == 1


def test_handlers_in_markup_do_not_run(look: Look):
    with look() as found:
        for markup in (
            "<img src='data:,' onerror='window.ran = true'>",
            "<svg onload='window.ran = true'>",
        ):
            found.page.evaluate(
                "text => document.body.insertAdjacentHTML('beforeend', text)", markup
            )
        found.page.wait_for_timeout(200)
        assert found.page.evaluate("window.ran") is None
        assert found.complaints
        assert all("Content Security Policy" in text for text in found.complaints)
