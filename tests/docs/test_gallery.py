"""docs/gallery.md shows every experiment of the default study, and each figure is there."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from docs.gallery import copy
from ntkflow.measures.common.evidence import AGREES, DISAGREES, UNDECIDED
from ntkflow.measures.function_bands import figure as function_bands
from ntkflow.plotting import style
from tests.measures import statistics as examples
from tests.measures.found import BY_EVIDENCE

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
VERDICTS = {verdict.capitalize() for verdict in (AGREES, DISAGREES, UNDECIDED)}
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
    claimed = STUDY["experiments"][name]["measure"] in BY_EVIDENCE
    assert len(given) == claimed
    assert set(given) <= VERDICTS


def test_figures_are_those_of_the_pages_and_small():
    figures = [*(DOCS / "figures").iterdir()]
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    shown = {*re.findall(r"\((?:\.\./)?figures/([\w-]+\.png)\)", pages)}
    assert {figure.name for figure in figures} == shown
    assert sum(figure.stat().st_size for figure in figures) < BUDGET


def test_copies_look_like_the_originals_and_are_smaller(tmp_path):
    original, copied = tmp_path / "original.png", tmp_path / "copied.png"
    style.save(function_bands.draw(examples.function_bands()), [original])
    copy(original, copied)
    with Image.open(original) as one, Image.open(copied) as two:
        pixels = [np.asarray(image.convert("RGB"), int) for image in (one, two)]
    difference = np.abs(pixels[0] - pixels[1])
    assert difference.mean() < 0.5  # of 255
    assert np.mean(difference.max(axis=2) > 32) < 1e-3
    assert copied.stat().st_size < original.stat().st_size / 2
