"""Limiting NTK -> eigenvalue (component) and eigenfunction (sample, component)."""

from typing import Any

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.jobs.log import run
from ntkflow.jobs.provenance import provenance
from ntkflow.stores.zarr import open_store, write_store


def main(smk: Any) -> None:
    kernels = open_store(smk.input.kernels, "limiting")
    spectrum = decompose_kernel(kernels)
    write_store(spectrum, smk.output.spectrum, "spectrum", provenance(smk, kernels))


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
