"""x (sample, feature) -> chunks of a share of the blocks of the limiting NNGP kernel and NTK."""

from typing import Any

from ntkflow.device import configure_jax
from ntkflow.interface.limiting import store_kernel_share
from ntkflow.jobs.log import progress, run
from ntkflow.stores.zarr import open_store


def main(smk: Any) -> None:
    params = smk.params
    configure_jax(smk.threads, params.device)
    dataset = open_store(smk.input.dataset, "dataset")
    share = int(smk.wildcards.share), smk.resources.shares
    store_kernel_share(
        dataset, params.store, share, params.network, params.kernels, smk.threads, progress
    )


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
