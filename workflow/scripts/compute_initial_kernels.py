"""Inputs -> empirical NTK (seed, sample, sample_prime, output, output_prime) at t = 0."""

from typing import Any

import numpy as np

from ntkflow.device import configure_jax
from ntkflow.jobs.log import run
from ntkflow.jobs.provenance import provenance
from ntkflow.networks.empirical import initial_kernels
from ntkflow.networks.mlp import seed_keys
from ntkflow.networks.models import network_from_plain
from ntkflow.stores import labels
from ntkflow.stores.zarr import open_store, write_store


def main(smk: Any) -> None:
    params = smk.params
    configure_jax(smk.threads, params.device)
    dataset = open_store(smk.input.dataset, "dataset").load()
    model = network_from_plain(**params.architecture)
    keys = seed_keys(params.seed, int(smk.wildcards.width), params.seeds)
    dtype = np.dtype(params.precision)
    ntk = initial_kernels(keys, dataset["x"].values, model, dtype=dtype)
    kernels = labels.initial_kernels(dataset, ntk)
    attributes = provenance(smk, precision=params.precision)
    write_store(kernels, smk.output.kernels, "initial_kernels", attributes)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
