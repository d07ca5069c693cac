"""Settings of the measure `output_blocks`."""

from typing import ClassVar

from pydantic import Field

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.measures.common.experiment import Draws, Problems, Untrained

__all__ = ["Settings"]


class Settings(Untrained):
    """The initial NTK of wide networks is the limiting one on each output, and none across."""

    paper: ClassVar[str] = "Theorem 1"
    fewest_widths: ClassVar[int] = 2

    draws: Draws = Field(description="initialisations of each width")

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        if network.outputs < 2:
            yield "network", f"{self.network!r} has one output, expected several"
