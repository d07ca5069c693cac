"""Statistics -> table with one row per quantity and width."""

from importlib import import_module
from typing import Any

from ntkflow.jobs.log import run
from ntkflow.stores.zarr import open_store


def main(smk: Any) -> None:
    figure = import_module(smk.params.figure)
    statistics = open_store(smk.input.statistics)
    figure.tabulate_widths(statistics).to_csv(smk.output.table, index=False)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
