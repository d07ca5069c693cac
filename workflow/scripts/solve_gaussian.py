"""Limiting kernels and spectrum -> mean and variance (time, sample) of the limiting f_t."""

from typing import Any

import numpy as np

from ntkflow.device import configure_jax
from ntkflow.jobs.log import run
from ntkflow.jobs.provenance import provenance
from ntkflow.kernels.dynamics import Components, gaussian_function
from ntkflow.stores import labels
from ntkflow.stores.zarr import open_store, write_store


def main(smk: Any) -> None:
    configure_jax(smk.threads, smk.params.device)
    dataset = open_store(smk.input.dataset, "dataset")
    kernels = open_store(smk.input.kernels, "limiting")
    spectrum = open_store(smk.input.spectrum, "spectrum").dropna("component")
    components = Components(spectrum["eigenvalue"].values, spectrum["eigenfunction"].values)
    targets = dataset["y"].values[: labels.training_count(dataset)]
    times = np.array([float(time) for time in smk.params.times])
    law = gaussian_function(components, kernels["nngp"].values, targets, times)
    gaussian = labels.gaussian(dataset, law.mean, law.variance, times)
    write_store(gaussian, smk.output.gaussian, "gaussian", provenance(smk, kernels))


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
