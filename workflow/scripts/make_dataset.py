"""Data set entry of the configuration -> store of x (sample, feature) and y (sample, output)."""

from typing import Any

from ntkflow.datasets.config import DatasetConfig
from ntkflow.datasets.make import make_dataset
from ntkflow.jobs.log import run
from ntkflow.jobs.provenance import provenance
from ntkflow.stores.zarr import write_store


def main(smk: Any) -> None:
    dataset = make_dataset(DatasetConfig.model_validate(smk.params.dataset))
    write_store(dataset, smk.output.dataset, "dataset", provenance(smk))


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
