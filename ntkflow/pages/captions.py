"""Captions of figures, for the report and for the report of Snakemake."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ntkflow.measures.common.experiment import PAPER, Experiment


@dataclass(frozen=True)
class Drawn:
    """One panel of the default figure, with labels for Matplotlib."""

    title: str
    x_label: str
    y_label: str
    x_scale: str
    y_scale: str


EVIDENCE = (
    "Points are means over networks or draws with their 95 % bootstrap intervals, coloured by "
    "width if they belong to one. Black dashed lines are the limit in theory, thick grey ones an "
    "expected slope or value."
)


def caption(experiment: Experiment | type[Experiment]) -> dict[str, str]:
    """Title, text and alternative text of a figure; the last is empty if `described` gives it."""
    source = f"{experiment.paper} of {PAPER}. " if experiment.paper else ""
    return {
        "title": experiment.title or experiment.statement.rstrip("."),
        "text": experiment.caption or f"{source}{EVIDENCE}",
        "alt": experiment.alt,
    }


def described(panels: Sequence[Drawn]) -> str:
    """Alternative text of the default figure."""
    counted = "One panel" if len(panels) == 1 else f"{len(panels)} panels"
    listed = "; ".join(_panel(place, panel) for place, panel in enumerate(panels, 1))
    return f"{counted}: {listed}."


def _panel(place: int, panel: Drawn) -> str:
    axes = " against ".join(filter(None, [spoken(panel.y_label), spoken(panel.x_label)]))
    scales = {"x": panel.x_scale, "y": panel.y_scale}
    curved = [name for name, scale in scales.items() if scale != "linear"]
    which = ["", f", {''.join(curved)} axis logarithmic", ", both axes logarithmic"][len(curved)]
    return f"{place}, {spoken(panel.title)}: {axes}{which}"


SIGNS = {"Theta": "Θ", "Sigma": "Σ", "lambda": "λ", "theta": "θ", "gamma": "γ"}
SIGNS |= {"mu": "μ", "beta": "β", "sigma": "σ", "infty": "∞", "sqrt": "√"}


def spoken(label: str) -> str:
    """Label of Matplotlib as plain text, with its LaTeX commands as characters."""
    label = re.sub(r"\\tilde (\w)", "\\1\N{COMBINING TILDE}", label.replace(r"\|", "‖"))
    label = re.sub(r"\\([A-Za-z]+)", lambda found: SIGNS.get(found[1], found[1]), label)
    return " ".join(re.sub(r"[${}\\]", "", label).split())
