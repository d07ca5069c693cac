"""Report of a run as one self-contained page of HTML, without network.

Its one script enlarges figures and sorts claims; without it the page shows the same.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pandas as pd

from ntkflow.measures.common.evidence import Panel
from ntkflow.pages.images import data_uri, encoded, image
from ntkflow.pages.rendering import by_experiment, render, verdict_counts
from ntkflow.words import spoken

SCRIPTS = ("panzoom.min.js", "report.js")


@dataclass(frozen=True)
class Shown:
    """One experiment of the report: its caption, its settings and the content of its figure."""

    name: str
    title: str
    text: str
    alt: str
    settings: Sequence[tuple[str, str]]  # name, value
    svg: bytes
    png: bytes
    files: Sequence[str]  # paths of its products in the folder of results


def page(
    experiments: Sequence[Shown],
    claims: pd.DataFrame,
    configuration: str,
    provenance: Mapping[str, Any],
    timings: pd.DataFrame,
) -> str:
    """Report in HTML, with links relative to the folder of results.

    `claims` is from `ntkflow.measures.common.table.tabulate`, `provenance` from
    `ntkflow.jobs.provenance.record`, `timings` from `ntkflow.pages.timings.summarise`.
    """
    rows = by_experiment(claims)
    script = "".join(files("ntkflow.pages").joinpath(f).read_text("utf-8") for f in SCRIPTS)
    return render(
        "report.html.jinja",
        experiments=experiments,
        images={it.name: image(it.name, it.svg, it.png) for it in experiments},
        claims=rows,
        counts=verdict_counts(rows),
        configuration=configuration,
        download=data_uri("text/yaml", configuration.encode()),
        provenance=provenance,
        made=_made(provenance),
        timings=timings.to_dict("records"),
        script=script,
        script_digest=encoded(hashlib.sha256(script.encode()).digest()),
        finished="" if timings.empty else _moment(timings["ended"].max()),
    )


def _moment(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _made(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Code, versions and devices that computed the stores; several if a run was resumed."""
    found = dict(provenance["stores_made_by"])
    # Stores computed without JAX name the machine in place of a device.
    found["device"] = [d for d in found["device"] if d != provenance["platform"]["machine"]]
    # Forty digits, then "-dirty" if there were local changes.
    found["short_revision"] = [code[:12] + code[40:] for code in found["code_revision"]]
    versions = [", ".join(map(" ".join, one.items())) for one in found.pop("versions")]
    return {key: "; ".join(texts) for key, texts in {**found, "versions": versions}.items()}


def described(panels: Sequence[Panel]) -> str:
    """Alternative text of the default figure."""
    counted = "One panel" if len(panels) == 1 else f"{len(panels)} panels"
    listed = "; ".join(_panel(place, panel) for place, panel in enumerate(panels, 1))
    return f"{counted}: {listed}."


def _panel(place: int, panel: Panel) -> str:
    axes = " against ".join(filter(None, [spoken(panel.y_label), spoken(panel.x_label)]))
    scales = {"x": panel.x_scale, "y": panel.y_scale}
    curved = [name for name, scale in scales.items() if scale != "linear"]
    which = ["", f", {''.join(curved)} axis logarithmic", ", both axes logarithmic"][len(curved)]
    return f"{place}, {spoken(panel.title)}: {axes}{which}"
