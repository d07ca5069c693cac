"""f_0 of each network and the spectrum -> limiting f_t (seed, step, sample, output)."""

from typing import Any

from ntkflow.device import configure_jax
from ntkflow.jobs.log import run
from ntkflow.jobs.provenance import provenance
from ntkflow.kernels.dynamics import Components, kernel_flow
from ntkflow.stores import labels
from ntkflow.stores.zarr import open_store, write_store


def main(smk: Any) -> None:
    configure_jax(smk.threads, smk.params.device)
    ensemble = open_store(smk.input.ensemble, "ensemble")
    spectrum = open_store(smk.input.spectrum, "spectrum").dropna("component")
    components = Components(spectrum["eigenvalue"].values, spectrum["eigenfunction"].values)
    records = ensemble[["f", "goal"]].load().astype("float64")
    goal = records["goal"].values[:, : labels.training_count(ensemble)]
    f = kernel_flow(components, records["f"].values[:, 0], goal, ensemble["time"].values)
    dynamics = labels.dynamics(ensemble, f)
    write_store(dynamics, smk.output.dynamics, "dynamics", provenance(smk, ensemble))


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
