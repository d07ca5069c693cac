"""Inputs x and targets y -> sums over a share of the points, for regressions with landmarks."""

from typing import Any

from ntkflow.device import configure_jax
from ntkflow.interface.landmark_fits import Fits
from ntkflow.jobs.log import progress, run
from ntkflow.stores.places import resolve_place, sums_folder
from ntkflow.stores.zarr import open_store


def main(smk: Any) -> None:
    params = smk.params
    configure_jax(smk.threads, params.device)
    dataset = open_store(smk.input.dataset, "dataset")
    sums = sums_folder(resolve_place(params.store))
    fits = Fits(dataset, **params.fits, sums=sums, threads=smk.threads, progress=progress)
    fits.keep_share((int(smk.wildcards.share), smk.resources.shares))


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
