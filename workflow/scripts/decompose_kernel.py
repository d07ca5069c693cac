"""Limiting NTK -> eigenvalue (component) and eigenfunction (sample, component)."""

from typing import Any

from ntkflow import runtime
from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.stores.zarr import open_store, write_store


def main(smk: Any) -> None:
    kernels = open_store(smk.input.kernels, "limiting")
    spectrum = decompose_kernel(kernels)
    attributes = runtime.provenance(smk, kernels)
    write_store(spectrum, smk.output.spectrum, "spectrum", attributes)


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
