"""Links, paths, targets of make and rules that the pages name exist."""

import ast
import re
from pathlib import Path

import pytest

from tests.docs.pages import blocks_of

REPOSITORY = Path(__file__).parents[1]
FOLDERS = ("benchmarks", "config", "docs", "tests")
PAGES = [
    *REPOSITORY.glob("*.md"),
    *(page for folder in FOLDERS for page in (REPOSITORY / folder).rglob("*.md")),
]
TOP = "|".join([*FOLDERS, "ntkflow", "profiles", "workflow"])
EXAMPLE = re.compile(r"config/my_\w+\.yaml")  # files that a reader is to write
each_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY))
)


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Names that GitHub gives to the headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)


@each_page
def test_relative_links_resolve(page):
    links = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    broken = []
    for link in links:
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@each_page
def test_paths_exist(page):
    paths = re.findall(rf"`((?:{TOP})/[\w./-]*)`", prose(page))
    made = {block.file for block in blocks_of(page)}  # by a reader who follows the page
    missing = [
        p for p in {*paths} - made if not (EXAMPLE.fullmatch(p) or (REPOSITORY / p).exists())
    ]
    assert not missing


@each_page
def test_targets_are_in_the_makefile(page):
    targets = set(
        re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE)
    )
    named = re.findall(r"(?:`|^)make ([a-z]+)", page.read_text("utf-8"), flags=re.MULTILINE)
    assert set(named) <= targets


def test_diagram_shows_every_rule():
    rules = {
        name
        for file in (REPOSITORY / "workflow" / "rules").glob("*.smk")
        for name in re.findall(r"^rule (\w+):", file.read_text("utf-8"), flags=re.MULTILINE)
    }
    (diagram,) = blocks(REPOSITORY / "README.md", "mermaid")
    nodes = re.sub(r'"[^"]*"|flowchart', "", diagram)
    assert set(re.findall(r"\b[a-z_]+\b", nodes)) == rules


def test_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text("utf-8").splitlines()) <= 200


def test_readme_code_is_python():
    for code in blocks(REPOSITORY / "README.md", "python"):
        ast.parse(code)
