"""Figures, claims, configuration, provenance and timings -> one page of HTML."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ntkflow.jobs.log import run
from ntkflow.measures.common.evidence import PANEL_TEXTS, Panel
from ntkflow.pages.report import Shown, described, page
from ntkflow.pages.timings import summarise
from ntkflow.stores.zarr import open_store


def main(smk: Any) -> None:
    report = Path(smk.output.report)
    configuration = Path(smk.input.configuration).read_text(encoding="utf-8")
    provenance = json.loads(Path(smk.input.provenance).read_text(encoding="utf-8"))
    rows = [row for file in smk.input.claims for row in json.loads(Path(file).read_text("utf-8"))]
    digests, results = provenance["digests"], report.parent
    timings = summarise(_jobs(results / "benchmarks", smk.rule), digests)
    captions = smk.params.captions.items()
    experiments = [_shown(name, caption, results, digests) for name, caption in captions]
    text = page(experiments, pd.DataFrame(rows), configuration, provenance, timings)
    report.write_text(text, encoding="utf-8")
    print(f"\nOpen the report of this run in a browser: {report.absolute()}\n", file=sys.stderr)


def _jobs(benchmarks: Path, rule: str) -> dict[str, dict[str, float]]:
    """Time and memory of each job in the benchmark files of Snakemake, except this rule's.

    These files are not inputs of the rule, because they differ from run to run.
    """
    jobs = {}
    for file in sorted(benchmarks.rglob("*.tsv")):
        name = file.relative_to(benchmarks).with_suffix("").as_posix()
        row = pd.read_csv(file, sep="\t", na_values=["-", "NA"]).iloc[0]
        if name != rule:
            seconds, memory = float(row["s"]), float(row["max_rss"])
            jobs[name] = {"s": seconds, "max_rss": memory, "ended": file.stat().st_mtime}
    return jobs


def _shown(name: str, caption: dict[str, Any], results: Path, products: Iterable[str]) -> Shown:
    svg, png = (results / f"figures/{name}.{suffix}" for suffix in ("svg", "png"))
    starts = (f"figures/{name}.", f"tables/{name}.", f"statistics/{name}.")
    texts = {**caption, "alt": caption["alt"] or _drawn(results / f"statistics/{name}.zarr")}
    files = [file for file in products if file.startswith(starts)]
    return Shown(name, svg=svg.read_bytes(), png=png.read_bytes(), files=files, **texts)


def _drawn(statistics: Path) -> str:
    store = open_store(statistics, "claim")
    columns = zip(*(store[name].values.tolist() for name in PANEL_TEXTS), strict=True)
    return described([Panel(**dict(zip(PANEL_TEXTS, texts, strict=True))) for texts in columns])


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
