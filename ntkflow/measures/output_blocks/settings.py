"""Settings of the measure `output_blocks`."""

from pydantic import Field

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.measures.common.experiment import Draws, Problems, Untrained


class Settings(Untrained):
    """Diagonal and off-diagonal output blocks of the NTK at initialisation, by width.

    Needs two widths and several outputs.
    """

    paper = "Theorem 1"
    statement = (
        "At initialisation the NTK of wide networks tends to the limiting NTK in diagonal output "
        "blocks and to zero in off-diagonal ones."
    )
    fewest_widths = 2

    draws: Draws = Field(description="number of initialisations of each width")

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        if network.outputs < 2:
            yield "network", f"{self.network!r} has one output, expected several"
