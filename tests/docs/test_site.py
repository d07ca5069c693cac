"""The site of `make docs`: its links, its public names, and what a browser shows from disk.

The quick start is carried out in the same copy of the code.
"""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docs.conf import ROOT, diagram
from docs.diagrams import diagrams
from tests.docs.pages import blocks_of, link_environment, run
from tests.docs.scripts import YAML, run_script, scripts
from tests.docs.test_adding import BESIDES
from tests.pages.browser import LOADED, PHONE, chromium, low_contrasts, needs_chromium, opened
from tests.workflow.conftest import CODE, built_once, copy_of_code

QUICK_START = ROOT / "docs" / "tutorials" / "quick_start.md"
PUBLIC = re.compile(r"^ntkflow\.(?:api|estimators)(?:\.\w+)*$", flags=re.MULTILINE)
ELSEWHERE = re.compile(r"^ntkflow\.api\.Gaussian|\.set_\w+_request$")  # once, and of scikit-learn
slow = pytest.mark.slow


class Parsed(HTMLParser):
    """Anchors and links of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.ids |= {found.get("id"), found.get("name")}
        self.links += filter(None, (found.get("href"), found.get("src")))


def build(clone: Path) -> None:
    """Carry out the quick start in a copy of the code, and build the site."""
    copy_of_code(clone, *CODE, *BESIDES)
    link_environment(clone)
    (study,) = YAML.findall(QUICK_START.read_text(encoding="utf-8"))
    (clone / "config" / "my_circle.yaml").write_text(study, encoding="utf-8")
    for block in blocks_of(QUICK_START):
        if not block.language and not block.text.startswith("git clone"):
            run(block.text, clone)
    run("make docs", clone)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_once(tmp_path_factory, "site", build)


@pytest.fixture(scope="module")
def site(clone: Path) -> Path:
    return clone / "build" / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Parsed]:
    return {page: Parsed(page) for page in site.rglob("*.html")}


@pytest.fixture(scope="module")
def look(site: Path) -> Iterator[Callable]:
    """Opens a page of the site in a window of its own."""
    with chromium() as browser:
        yield lambda page, *size, **context: opened(browser, site / page, *size, **context)


def test_every_diagram_has_its_image():
    assert {*map(diagram, diagrams())} == {*(ROOT / "docs" / "diagrams").iterdir()}


@slow
def test_quick_start_draws_a_figure_and_its_code_runs(clone, capsys, monkeypatch):
    assert (clone / "results" / "figures" / "my_circle.png").is_file()
    monkeypatch.chdir(clone)
    ((_, code),) = scripts(QUICK_START).items()
    names = run_script(code, capsys)
    assert abs(float(names["inside"].sel(width=512)) - 0.8) < 0.1


@slow
def test_every_link_leads_somewhere(pages):
    broken = []
    for page, parsed in pages.items():
        for link in parsed.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                assert url.scheme in ("https", "mailto"), link
                continue
            target = (page.parent / unquote(url.path)).resolve() if url.path else page
            anchors = pages[target].ids if target in pages else {""}
            if not target.is_file() or (url.fragment and unquote(url.fragment) not in anchors):
                broken.append((page.name, link))
    assert len(pages) > 50
    assert not broken


@slow
def test_reference_has_every_public_name(site, pages):
    page = site / "docs" / "api.html"
    text = page.read_text(encoding="utf-8")
    names = PUBLIC.findall((ROOT / "tests" / "public.txt").read_text(encoding="utf-8"))
    assert len(names) > 100
    missing = [
        name
        for name in names
        if not ELSEWHERE.search(name)
        and not {name, f"module-{name}"} & pages[page].ids
        and not re.search(rf"<strong>[^<]*\b{name.rpartition('.')[2]}\b[^<]*</strong>", text)
    ]
    assert not missing


@slow
def test_formulas_have_no_unknown_command(pages):
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    formulas = re.findall(r"<math .*?</math>", text, flags=re.DOTALL)
    assert len(formulas) > 50
    assert not [formula for formula in formulas if "\\" in formula]


@slow
@pytest.mark.parametrize(("notebook", "figures"), [("kernels", 2), ("results", 1)])
def test_notebook_has_run(site, notebook, figures):
    """An error in a cell stops the build."""
    text = (site / "docs" / "notebooks" / f"{notebook}.html").read_text(encoding="utf-8")
    assert len(re.findall(r'<img [^>]*src="\.\./\.\./_images/\w+\.png"', text)) == figures


@slow
@needs_chromium
def test_pages_open_from_disk_alone(look, pages, site):
    with look("genindex.html", PHONE) as found:
        for page in pages.keys() - {site / "index.html"}:  # which leads to the first page
            found.page.goto(page.as_uri())
            assert found.page.evaluate(LOADED), page
            assert not found.complaints, page
            width = found.page.evaluate("document.documentElement.scrollWidth")
            assert width == PHONE[0], page
        assert all(url.startswith(("file:", "data:")) for url in found.requests)


@slow
@needs_chromium
def test_search_finds_a_function(look):
    with look("index.html") as found:
        found.page.wait_for_url("**/docs/README.html")
        box = found.page.get_by_role("textbox", name="Search")
        box.fill("limiting_kernels")
        box.press("Enter")
        link = found.page.get_by_role("link", name="ntkflow.api.limiting_kernels", exact=True)
        link.click()
        found.page.wait_for_url("**/docs/api.html#ntkflow.api.limiting_kernels")
        assert not found.complaints


@slow
@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["README", "api", "notebooks/kernels"])
def test_text_stands_out_from_what_is_behind_it(look, page, scheme):
    with look(f"docs/{page}.html", color_scheme=scheme) as found:
        assert not low_contrasts(found.page)
        shade = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (shade != "rgb(255, 255, 255)") is (scheme == "dark")
