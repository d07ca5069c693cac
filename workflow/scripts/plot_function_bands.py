"""Statistics store -> figure, as PDF, SVG and PNG."""

from typing import Any

from ntkflow import runtime
from ntkflow.figures import function_bands, style
from ntkflow.stores.zarr import open_store


def main(smk: Any) -> None:
    statistics = open_store(smk.input.statistics, "function_bands")
    style.save(function_bands.draw(statistics), smk.output)


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
