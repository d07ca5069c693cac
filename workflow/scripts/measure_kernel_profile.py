"""Recorded NTKs and their limit -> NTK along the circle (width, seed, step, sample)."""

from typing import Any

from ntkflow import runtime
from ntkflow.analysis import kernel_profile
from ntkflow.stores.zarr import open_by_width, open_store, write_store


def main(smk: Any) -> None:
    params = smk.params
    ensembles = open_by_width(params.widths, smk.input.ensembles, "ensemble")
    kernels = open_store(smk.input.kernels, "limiting")
    statistics = kernel_profile.measure_kernel_profile(ensembles, kernels, params.reference_angle)
    statistics = statistics.assign_attrs(params.labels)
    attributes = runtime.provenance(smk, *ensembles.values())
    write_store(statistics, smk.output.statistics, "kernel_profile", attributes)
    kernel_profile.tabulate(statistics).to_csv(smk.output.table, index=False)


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
