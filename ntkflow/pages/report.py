"""A whole run as one page of HTML: nothing beside it is needed, no network and no script."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from ntkflow.pages.rendering import by_experiment, render, verdict_counts

__all__ = ["Shown", "page"]

LARGEST_SVG = 300_000
"""Bytes; a drawing of more lines than that is shown as pixels."""

PIXELS_PER_POINT = 1.75
"""Of a figure made for print, on a screen."""


@dataclass(frozen=True)
class Shown:
    """One experiment of the report.

    Attributes
    ----------
    title, text, alt
        Its caption.
    settings
        (name, value) of what it was run with.
    svg, png
        Its figure.
    files
        Paths of its products in the folder of results, to which the page links.
    """

    name: str
    title: str
    text: str
    alt: str
    settings: Sequence[tuple[str, str]]
    svg: bytes
    png: bytes
    files: Sequence[str]


def page(
    experiments: Sequence[Shown],
    claims: pd.DataFrame,
    configuration: str,
    provenance: Mapping[str, Any],
    timings: pd.DataFrame,
) -> str:
    """The report, whose links to files are relative to the folder of results.

    Parameters
    ----------
    claims
        As `ntkflow.measures.common.table.tabulate` gives it; empty without claims.
    configuration
        Text of the YAML file.
    provenance
        As `ntkflow.provenance.record` gives it.
    timings
        As `ntkflow.pages.timings.summarise` gives it.
    """
    rows = by_experiment(claims)
    return render(
        "report.html.jinja",
        experiments=experiments,
        images={shown.name: _image(shown) for shown in experiments},
        claims=rows,
        counts=verdict_counts(rows),
        configuration=configuration,
        download=_data_uri("text/yaml", configuration.encode()),
        provenance=provenance,
        made=_made(provenance),
        timings=timings.to_dict("records"),
        finished="" if timings.empty else _moment(timings["ended"].max()),
    )


def _image(shown: Shown) -> dict[str, Any]:
    """Source and size of a figure, as an image: so no identifier in it meets another's."""
    size = re.search(rb'<svg[^>]*? width="([\d.]+)pt"', shown.svg)
    if size is None:
        raise ValueError(f"the figure of {shown.name}: found no width in points in its SVG")
    small = len(shown.svg) <= LARGEST_SVG
    kind, content = ("svg+xml", shown.svg) if small else ("png", shown.png)
    return {
        "source": _data_uri(f"image/{kind}", content),
        "width": round(float(size[1]) * PIXELS_PER_POINT),
    }


def _moment(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _made(provenance: Mapping[str, Any]) -> dict[str, str]:
    """How stores were made; more than one thing of a kind, where a run was resumed."""
    found = dict(provenance["stores_made_by"])
    # What was computed without JAX names the machine in place of a device.
    found["device"] = [d for d in found["device"] if d != provenance["platform"]["machine"]]
    # Forty digits, then perhaps "-dirty".
    found["short_revision"] = [code[:12] + code[40:] for code in found["code_revision"]]
    versions = [", ".join(map(" ".join, one.items())) for one in found.pop("versions")]
    return {key: "; ".join(texts) for key, texts in {**found, "versions": versions}.items()}
