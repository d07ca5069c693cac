"""Limiting kernels and targets -> accuracy (kernel, size) of regression with either kernel."""

from typing import Any

from ntkflow import runtime
from ntkflow.analysis import kernel_regression
from ntkflow.stores.zarr import open_store, write_store


def main(smk: Any) -> None:
    params = smk.params
    kernels = open_store(smk.input.kernels, "limiting")
    dataset = open_store(smk.input.dataset, "dataset")
    statistics = kernel_regression.measure_kernel_regression(
        kernels,
        dataset,
        sizes=params.sizes,
        ridge=params.ridge,
        memory=params.memory,
        progress=runtime.progress,
    )
    statistics = statistics.assign_attrs(params.labels)
    attributes = runtime.provenance(smk, kernels)
    write_store(statistics, smk.output.statistics, "kernel_regression", attributes)
    kernel_regression.tabulate(statistics).to_csv(smk.output.table, index=False)


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
