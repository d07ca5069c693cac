"""Figures, claims, configuration, provenance and timings -> one page of HTML."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ntkflow import runtime
from ntkflow.configuration.claims import CLAIMS
from ntkflow.configuration.study import Study, read_study
from ntkflow.pages.captions import CAPTIONS, Caption, Drawn, caption_of_claim
from ntkflow.pages.report import Shown, page
from ntkflow.pages.settings import settings
from ntkflow.pages.timings import summarise
from ntkflow.stores.zarr import open_store


def main(smk: Any) -> None:
    report = Path(smk.output.report)
    configuration = Path(smk.input.configuration).read_text(encoding="utf-8")
    provenance = json.loads(Path(smk.input.provenance).read_text(encoding="utf-8"))
    study = read_study(yaml.safe_load(configuration))
    rows = [row for file in smk.input.claims for row in json.loads(Path(file).read_text("utf-8"))]
    # Not among the inputs: they differ from run to run, and are no reason to render again.
    benchmarks = report.parent / "benchmarks"
    jobs = {
        file.relative_to(benchmarks).with_suffix("").as_posix(): file
        for file in sorted(benchmarks.rglob("*.tsv"))
        if file.stem != smk.rule
    }
    timings = summarise({name: _job(file) for name, file in jobs.items()}, provenance["digests"])
    ended = [file.stat().st_mtime for file in jobs.values()]
    finished = datetime.fromtimestamp(max(ended), UTC) if ended else None
    experiments = [_shown(name, study, report.parent, provenance) for name in study.selected]
    text = page(experiments, pd.DataFrame(rows), configuration, provenance, timings, finished)
    report.write_text(text, encoding="utf-8")


def _job(file: Path) -> dict[str, float]:
    row = pd.read_csv(file, sep="\t", na_values=["-", "NA"]).iloc[0]
    return {"s": float(row["s"]), "max_rss": float(row["max_rss"])}


def _shown(name: str, study: Study, results: Path, provenance: Any) -> Shown:
    experiment = study.selected[name]
    parts = (experiment, study.datasets[experiment.dataset], study.networks[experiment.network])
    beside = (f"figures/{name}.", f"tables/{name}.", f"statistics/{name}.")
    return Shown(
        name,
        _caption(experiment.measure, results / f"statistics/{name}.zarr"),
        settings(*(model.model_dump(mode="json") for model in (*parts, study))),
        (results / f"figures/{name}.svg").read_bytes(),
        (results / f"figures/{name}.png").read_bytes(),
        [file for file in provenance["digests"] if file.startswith(beside)],
    )


def _caption(measure: str, statistics: Path) -> Caption:
    if measure not in CLAIMS:
        return CAPTIONS[measure]
    store = open_store(statistics, "claim")
    texts = ("title", "x_label", "y_label", "x_scale", "y_scale")
    columns = zip(*(store[text].values.tolist() for text in texts), strict=True)
    claim = CLAIMS[measure]
    return caption_of_claim(claim.statement(), claim.paper, [Drawn(*panel) for panel in columns])


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
