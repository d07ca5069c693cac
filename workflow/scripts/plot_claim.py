"""Statistics store -> figure, as PDF, SVG and PNG."""

from typing import Any

from ntkflow import runtime
from ntkflow.figures import claim, style
from ntkflow.stores.zarr import open_store


def main(smk: Any) -> None:
    statistics = open_store(smk.input.statistics, "claim")
    style.save(claim.draw(statistics), smk.output)


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
