"""docs/gallery.md shows every experiment of the default study, and each figure is there."""

import re
from pathlib import Path

import pytest
import yaml
from PIL import Image

from ntkflow.claims.evidence import FAILS, HOLDS, UNDECIDED
from ntkflow.configuration.claims import CLAIMS

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
STUDY = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8"))
ENTRY = re.compile(
    r"^### `(\w+)`\n\n!\[[^]]+\]\(figures/(\w+)\.png\)\n\n(.*?)(?=^##|\Z)",
    flags=re.DOTALL | re.MULTILINE,
)
ENTRIES = {
    name: (figure, text)
    for name, figure, text in ENTRY.findall((DOCS / "gallery.md").read_text(encoding="utf-8"))
}
VERDICTS = {verdict.capitalize() for verdict in (HOLDS, FAILS, UNDECIDED)}
BUDGET = 2.5e6
"""Bytes of all figures, which everyone has who clones."""


def test_every_experiment_has_its_entry():
    assert list(ENTRIES) == STUDY["run"]


@pytest.mark.parametrize("name", ENTRIES)
def test_entry_shows_its_own_figure(name):
    figure, text = ENTRIES[name]
    assert figure == name
    assert len(text.split()) > 15
    with Image.open(DOCS / "figures" / f"{name}.png") as image:
        image.verify()
        assert image.width > 900


@pytest.mark.parametrize("name", ENTRIES)
def test_claims_and_they_alone_have_a_verdict(name):
    given = re.findall(r"\*\*([A-Z][a-z ]+)[.:]\*\*", ENTRIES[name][1])
    claimed = STUDY["experiments"][name]["measure"] in CLAIMS
    assert len(given) == claimed
    assert set(given) <= VERDICTS


def test_figures_are_those_of_the_gallery_and_small():
    figures = [*(DOCS / "figures").iterdir()]
    assert {figure.stem for figure in figures} == set(ENTRIES)
    assert sum(figure.stat().st_size for figure in figures) < BUDGET
