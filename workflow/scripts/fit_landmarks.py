"""Inputs x and targets y -> regressions with landmarks, and f (sample, output) at test points."""

from typing import Any

from ntkflow.device import configure_jax
from ntkflow.interface.landmark_fits import Fits
from ntkflow.jobs.log import progress, run
from ntkflow.jobs.provenance import provenance
from ntkflow.stores.places import resolve_place, sums_folder
from ntkflow.stores.zarr import open_store, write_store


def main(smk: Any) -> None:
    params = smk.params
    configure_jax(smk.threads, params.device)
    dataset = open_store(smk.input.dataset, "dataset")
    sums = sums_folder(resolve_place(smk.output.fits))
    fits = Fits(dataset, **params.fits, sums=sums, threads=smk.threads, progress=progress)
    attributes = provenance(smk, dataset, precision=params.fits["kernels"]["precision"])
    write_store(fits.store(), smk.output.fits, "landmarks", attributes)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
