"""Captions: one for every measure, and labels for who does not see them."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils.core import publish_parts
from jinja2 import Template

from ntkflow.measures.common.evidence import Panel
from ntkflow.pages.captions import caption
from ntkflow.pages.report import described
from ntkflow.words import spoken
from tests.measures.found import FOLDERS, SETTINGS


@pytest.mark.parametrize("name", SETTINGS)
def test_every_measure_has_words_or_panels_for_its_figure(name):
    found = caption(SETTINGS[name])
    assert found["title"]
    assert found["text"].endswith(".")
    assert bool(found["alt"]) == (FOLDERS[name] / "figure.py").is_file()


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("width $n$", "width n"),
        (r"$\Theta_{1k}(x, x')$", "Θ_1k(x, x')"),
        (r"$\lambda_{min}(\Theta)/N$", "λ_min(Θ)/N"),
        (r"$\|\tilde K - K\| / \|K\|$", "‖K\N{COMBINING TILDE} - K‖ / ‖K‖"),
        (r"$\max_t \|f_t - f_t^\infty\|$", "max_t ‖f_t - f_t^∞‖"),
    ],
)
def test_label_as_plain_text(label, text):
    assert spoken(label) == text


def test_claims_figure_is_described_panel_by_panel():
    panels = [
        Panel("excess kurtosis", "width $n$", "kurtosis", (), "log", "log"),
        Panel("density", "$f$", "", y_scale="log"),
    ]
    assert described(panels) == (
        "2 panels: 1, excess kurtosis: kurtosis against width n, both axes logarithmic; "
        "2, density: f, y axis logarithmic."
    )


def test_claims_caption_names_its_place_in_the_paper():
    found = caption(SETTINGS["output_blocks"])
    assert found["title"] == SETTINGS["output_blocks"].statement.rstrip(".")
    assert found["text"].startswith("Theorem 1 of Jacot, Gabriel & Hongler (2018). ")


def test_snakemakes_report_has_the_same_words():
    """Its captions are reStructuredText, in which a name may be markup."""
    file = Path(__file__).parents[2] / "workflow" / "report" / "figure.rst"
    settings = [("Network", "tanh_: *a* `b` |c| \\d"), ("Seed", "0")]
    caption = {"title": "It is so", "text": "Θ against n.", "settings": settings}
    params = SimpleNamespace(caption=caption)
    text = Template(file.read_text("utf-8")).render(snakemake=SimpleNamespace(params=params))
    strict = {"halt_level": 2, "report_level": 5}
    body = publish_parts(text, writer="html", settings_overrides=strict)["body"]
    assert "<strong>It is so.</strong> Θ against n." in body
    assert "tanh_: *a* `b` |c| \\d</td>" in body
