"""x (sample, feature) -> limiting NNGP kernel and NTK (sample, sample_prime), block by block."""

from typing import Any

from ntkflow.device import configure_jax
from ntkflow.interface.limiting import store_limiting_kernels
from ntkflow.jobs.log import progress, run
from ntkflow.jobs.provenance import provenance
from ntkflow.stores.zarr import open_store


def main(smk: Any) -> None:
    params = smk.params
    configure_jax(smk.threads, params.device)
    dataset = open_store(smk.input.dataset, "dataset")
    store_limiting_kernels(
        dataset["x"],
        store=smk.output.kernels,
        **params.network,
        **params.kernels,
        threads=smk.threads,
        points=dataset,
        attributes=provenance(smk, precision=params.kernels["precision"]),
        progress=progress,
        overwrite=True,
    )


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
