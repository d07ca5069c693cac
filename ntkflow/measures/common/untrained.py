"""Settings of networks that a measure draws besides those that are trained."""

from pydantic import Field

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Strict
from ntkflow.measures.common.experiment import Draws, Problems, Trained, Width, repeated


class UntrainedNetworks(Strict):
    """Networks at initialisation, of which more can be drawn than trained."""

    widths: list[Width] = Field(min_length=1, description="widths n, each once")
    draws: Draws = Field(description="number of initialisations of each width")


class WithUntrained(Trained):
    """Base class of measures of trained networks that may also draw untrained ones."""

    untrained: UntrainedNetworks | None = Field(
        None,
        description="more networks, at initialisation, for the numbers of the claim there; `null` "
        "takes the trained ones at the first record",
    )

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        yield from repeated("untrained.widths", self.drawn_widths, "width")

    @property
    def drawn_widths(self) -> list[int]:
        """Widths of the untrained networks."""
        return self.untrained.widths if self.untrained else []
