"""Networks, their limit and its dynamics -> statistics by width, with exponents."""

from typing import Any

from ntkflow import runtime
from ntkflow.analysis import width_scaling
from ntkflow.stores.zarr import open_by_width, open_store, write_store


def main(smk: Any) -> None:
    params = smk.params
    ensembles = open_by_width(params.widths, smk.input.ensembles, "ensemble")
    initial = open_by_width(params.initial_widths, smk.input.initial, "initial_kernels")
    dynamics = open_by_width(params.widths, smk.input.dynamics, "dynamics")
    kernels = open_store(smk.input.kernels, "limiting")
    statistics = width_scaling.measure_width_scaling(ensembles, initial, dynamics, kernels)
    statistics = statistics.assign_attrs(params.labels)
    attributes = runtime.provenance(smk, *ensembles.values())
    write_store(statistics, smk.output.statistics, "width_scaling", attributes)
    width_scaling.tabulate(statistics).to_csv(smk.output.table, index=False)
    width_scaling.tabulate_widths(statistics).to_csv(smk.output.widths, index=False)


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
