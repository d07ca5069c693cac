"""Trained networks -> cost (width, seed, step), drift of the NTK (width, seed, kernel_step)."""

from typing import Any

from ntkflow import runtime
from ntkflow.analysis import kernel_drift
from ntkflow.stores.zarr import open_by_width, write_store


def main(smk: Any) -> None:
    ensembles = open_by_width(smk.params.widths, smk.input.ensembles, "ensemble")
    statistics = kernel_drift.measure_kernel_drift(ensembles).assign_attrs(smk.params.labels)
    attributes = runtime.provenance(smk, *ensembles.values())
    write_store(statistics, smk.output.statistics, "kernel_drift", attributes)
    kernel_drift.tabulate(statistics).to_csv(smk.output.table, index=False)


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
