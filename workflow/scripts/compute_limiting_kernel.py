"""x (sample, feature) -> limiting NNGP kernel and NTK (sample, sample_prime), block by block."""

from typing import Any

from ntkflow.device import configure_jax
from ntkflow.interface.limiting import store_limiting_kernels
from ntkflow.interface.plain import limit_arguments
from ntkflow.jobs.log import progress, run
from ntkflow.jobs.provenance import provenance
from ntkflow.stores.zarr import open_store


def main(smk: Any) -> None:
    params = smk.params
    configure_jax(smk.threads, params.device)
    dataset = open_store(smk.input.dataset, "dataset")
    x, network = limit_arguments(dataset["x"], params.network)
    store_limiting_kernels(
        x,
        store=smk.output.kernels,
        **network,
        **params.kernels,
        threads=smk.threads,
        points=dataset,
        attributes=provenance(smk, precision=params.kernels["precision"]),
        progress=progress,
        overwrite=True,
    )


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
