"""Trained networks and the spectrum -> distances along and across a component."""

from typing import Any

from ntkflow import runtime
from ntkflow.analysis import principal_component
from ntkflow.stores.zarr import open_by_width, open_store, write_store


def main(smk: Any) -> None:
    params = smk.params
    ensembles = open_by_width(params.widths, smk.input.ensembles, "ensemble")
    spectrum = open_store(smk.input.spectrum, "spectrum")
    statistics = principal_component.measure_principal_component(
        ensembles, spectrum, params.component, params.amplitude
    )
    statistics = statistics.assign_attrs(params.labels)
    attributes = runtime.provenance(smk, *ensembles.values())
    write_store(statistics, smk.output.statistics, "principal_component", attributes)
    principal_component.tabulate(statistics).to_csv(smk.output.table, index=False)


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
