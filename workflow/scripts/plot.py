"""Statistics -> figure, as PDF, SVG and PNG, and table."""

from importlib import import_module
from typing import Any

from ntkflow.jobs.log import run
from ntkflow.plotting import style
from ntkflow.stores.zarr import open_store


def main(smk: Any) -> None:
    figure = import_module(smk.params.figure)
    statistics = open_store(smk.input.statistics).assign_attrs(smk.params.labels)
    style.save(figure.draw(statistics), smk.output.figures)
    figure.tabulate(statistics).to_csv(smk.output.table, index=False)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
