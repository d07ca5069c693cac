"""Trained networks and the limiting Gaussian -> functions and percentiles on the circle."""

from typing import Any

from ntkflow import runtime
from ntkflow.analysis import function_bands
from ntkflow.stores.zarr import open_by_width, open_store, write_store


def main(smk: Any) -> None:
    params = smk.params
    ensembles = open_by_width(params.widths, smk.input.ensembles, "ensemble")
    gaussian = open_store(smk.input.gaussian, "gaussian")
    dataset = open_store(smk.input.dataset, "dataset")
    statistics = function_bands.measure_function_bands(ensembles, gaussian, dataset)
    statistics = statistics.assign_attrs(params.labels)
    attributes = runtime.provenance(smk, *ensembles.values())
    write_store(statistics, smk.output.statistics, "function_bands", attributes)
    function_bands.tabulate(statistics).to_csv(smk.output.table, index=False)


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
