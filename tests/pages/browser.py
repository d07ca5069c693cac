"""Chromium without a window, and what it finds wrong with a page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason=f"needs a browser on the PATH: one of {', '.join(NAMES)}"
)
DESKTOP, PHONE = (1280, 800), (390, 844)


@dataclass
class Opened:
    """A page, with what happened while it was loaded and used."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; its pages share nothing."""
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser, file: Path, size: tuple[int, int] = DESKTOP, **context: Any
) -> Iterator[Opened]:
    """The file by its file: address, in a window of its own."""
    width, height = size
    page = browser.new_page(viewport={"width": width, "height": height}, **context)
    found = Opened(page)
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("requestfailed", lambda request: found.complaints.append(request.url))
    page.on("console", lambda message: found.complaints.append(message.text))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.goto(file.resolve().as_uri())
    yield found
    page.close()


LOADED = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"

# Text that a reader sees, over the first background behind it that is not transparent.
CONTRASTS = """() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = colour => channels(colour).slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if ((channels(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    const [a, b] = [getComputedStyle(element).color, behind(element)].map(luminance);
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
                texts.currentNode.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""


def low_contrasts(page: Page, least: float = 4.5) -> list[tuple[float, str]]:
    """Visible texts whose contrast to what is behind them is less, with the contrast."""
    measured = page.evaluate(CONTRASTS)
    assert len(measured) > 20
    return [(ratio, text) for ratio, text in measured if ratio < least]
