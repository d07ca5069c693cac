"""Statistics of all claims -> one table of verdicts, as CSV, JSON and HTML."""

import json
from pathlib import Path
from typing import Any

from ntkflow import runtime
from ntkflow.claims.table import records, tabulate
from ntkflow.pages.claims import page
from ntkflow.stores.zarr import open_store


def main(smk: Any) -> None:
    experiments = zip(smk.params.kinds.items(), smk.input.statistics, strict=True)
    claims = tabulate({name: open_store(file, kind) for (name, kind), file in experiments})
    claims.to_csv(smk.output.csv, index=False)
    # pandas would write ten decimals, and 1e-12 as 0.
    text = json.dumps(records(claims), indent=1, allow_nan=False)
    Path(smk.output.json).write_text(text + "\n", encoding="utf-8")
    Path(smk.output.html).write_text(page(claims), encoding="utf-8")


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
