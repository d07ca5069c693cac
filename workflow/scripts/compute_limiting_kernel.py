"""x (sample, feature) -> limiting NNGP kernel and NTK (sample, sample_prime), block by block."""

from functools import partial
from typing import Any

import jax

from ntkflow import runtime
from ntkflow.kernels.activations import activation
from ntkflow.kernels.limiting import limiting_kernels, series_truncation
from ntkflow.stores import labels
from ntkflow.stores.grams import lift
from ntkflow.stores.zarr import open_store, write_store


def main(smk: Any) -> None:
    runtime.configure_jax(smk.threads)
    runtime.configure_dask(smk.threads)
    dataset = open_store(smk.input.dataset, "dataset").load()
    network = {key: smk.params.network[key] for key in ("depth", "beta", "weight_gain")}
    network["activation"] = activation(**smk.params.network["activation"])
    kernel = jax.jit(partial(limiting_kernels, **network))
    x = dataset["x"].values
    accuracy = {"series_truncation": series_truncation(x, **network)}
    nngp, ntk = lift(kernel, x, x, kernels=2, block=smk.params.block)
    attributes = runtime.provenance(smk) | accuracy
    write_store(labels.limiting(dataset, nngp, ntk), smk.output.kernels, "limiting", attributes)


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
