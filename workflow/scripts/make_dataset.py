"""Data set entry of the configuration -> store of x (sample, feature) and y (sample, output)."""

from typing import Any

from ntkflow.jobs.log import run
from ntkflow.jobs.provenance import provenance
from ntkflow.stores.datasets import make_dataset
from ntkflow.stores.zarr import write_store


def main(smk: Any) -> None:
    entry = smk.params.dataset
    dataset = make_dataset(
        train=entry["train"],
        test=entry.get("test"),
        target=entry["target"],
        label_noise=entry["label_noise"],
        seed=entry["seed"],
    )
    attributes = provenance(smk)
    write_store(dataset, smk.output.dataset, "dataset", attributes)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
