"""A small report, with text from outside that would be markup if it were let through."""

from datetime import UTC, datetime
from typing import Any

from ntkflow.analysis.jackknife import Estimate
from ntkflow.jobs.provenance import record
from ntkflow.measures.common.evidence import Panel, Quantity, judge
from ntkflow.measures.common.table import tabulate
from ntkflow.pages.captions import caption
from ntkflow.pages.report import Shown, described, page
from ntkflow.pages.timings import summarise
from tests.measures.found import SETTINGS

HOSTILE = """<script>alert("1")</script>&'"""
SVG = b"""<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" width="36pt" height="18pt" viewBox="0 0 36 18">
<rect id="patch_1" width="20" height="9"/></svg>"""
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
ENDED = datetime(2026, 3, 1, 9, 5, tzinfo=UTC).timestamp()
CONFIGURATION = f"run: [nine]\nlabel: {HOSTILE}\n"


def claims(name: str = "nine", slope: float = -0.3):
    numbers = [
        Quantity.check("error", 1e-15, 1e-12, "rounding"),
        Quantity(f"slope {HOSTILE}", Estimate(slope, 0.02, 20), "equals", -0.5, 0.1, HOSTILE, 10),
    ]
    labels = {"statement": f"One is two {HOSTILE}.", "paper": f"Theorem 9 {HOSTILE}"}
    return tabulate([({"experiment": name, **labels}, judge(numbers))])


def shown(name: str, words: dict[str, str], svg: bytes = SVG) -> Shown:
    files = [f"figures/{name}.svg", f"statistics/{name}.zarr"]
    settings = [("Network", HOSTILE), ("Widths n", "1, 2")]
    return Shown(name, **words, settings=settings, svg=svg, png=PNG, files=files)


def experiments(svg: bytes = SVG) -> list[Shown]:
    alt = described([Panel(HOSTILE, "width $n$", r"$\Theta$", x_scale="log")])
    claim = {"title": f"One is two {HOSTILE}", "text": f"Theorem 9 {HOSTILE}.", "alt": alt}
    profile = caption(SETTINGS["kernel_profile"])
    return [shown("nine", claim, svg), shown("profile", profile, svg)]


def provenance(**made: str) -> dict[str, Any]:
    store = {"code_revision": "abc", "versions": '{"jax": "1.2"}', "device": "cpu", **made}
    platform = {"system": "Linux", "machine": "x86_64", "python": "3.11"}
    digests = {"figures/nine.svg": "0" * 64, "statistics/nine.zarr": "1" * 64}
    return record(CONFIGURATION, digests, [store], platform, {"numpy": HOSTILE})


def report(**changed: Any) -> str:
    jobs = {"plot_nine/nine": {"s": 75.0, "max_rss": 2048.0, "ended": ENDED}}
    values: dict[str, Any] = {
        "experiments": experiments(),
        "claims": claims(),
        "configuration": CONFIGURATION,
        "provenance": provenance(),
        "timings": summarise(jobs, ["figures/nine.svg"]),
    }
    return page(**{**values, **changed})
