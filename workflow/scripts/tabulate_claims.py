"""Statistics of all claims -> one table of verdicts, as CSV, JSON and HTML."""

from pathlib import Path
from typing import Any

from ntkflow import runtime
from ntkflow.claims.table import tabulate
from ntkflow.pages.claims import page
from ntkflow.stores.zarr import open_store


def main(smk: Any) -> None:
    experiments = zip(smk.params.kinds.items(), smk.input.statistics, strict=True)
    claims = tabulate({name: open_store(file, kind) for (name, kind), file in experiments})
    claims.to_csv(smk.output.csv, index=False)
    claims.to_json(smk.output.json, orient="records", indent=1)
    Path(smk.output.html).write_text(page(claims), encoding="utf-8")


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
