"""Statistics of all claims -> one table of verdicts, as CSV, JSON and HTML."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from ntkflow.jobs.log import run
from ntkflow.measures.common.evidence import EVIDENCE, judge, judged
from ntkflow.measures.common.table import records, tabulate
from ntkflow.pages.rendering import claims_page
from ntkflow.stores.zarr import open_store


def main(smk: Any) -> None:
    found = []
    inputs = zip(smk.params.labels, smk.params.measures, smk.input.statistics, strict=True)
    for labels, measure, place in inputs:
        store = open_store(place)
        if store.attrs["store"] == EVIDENCE.kind:
            numbers = judged(store)
        else:
            numbers = judge(import_module(f"ntkflow.measures.{measure}.measure").claims(store))
        found.append((labels, numbers))
    claims = tabulate(found)
    claims.to_csv(smk.output.csv, index=False)
    # pandas would write ten decimals, and 1e-12 as 0.
    text = json.dumps(records(claims), indent=1, allow_nan=False)
    Path(smk.output.json).write_text(text + "\n", encoding="utf-8")
    Path(smk.output.html).write_text(claims_page(claims), encoding="utf-8")


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
