"""Settings of the measure `universality`."""

from typing import Annotated, Any

from pydantic import Field

from ntkflow.configuration.activations import ActivationConfig
from ntkflow.configuration.networks import FullyConnectedConfig, NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import NotBoolean, PositiveFinite, Strict, shorthand
from ntkflow.measures.common.experiment import Draws, Problems, Untrained

Depth = Annotated[int, Field(ge=2), NotBoolean]
Bias = Annotated[float, Field(ge=0, allow_inf_nan=False), NotBoolean]
Activation = Annotated[ActivationConfig | None, shorthand("name", str | ActivationConfig | None)]


class Variant(Strict):
    """Changes to the network; a key that is `null` stays as it is."""

    depth: Depth | None = Field(None, description="number L of weight layers")
    activation: Activation = Field(None, description="activation sigma")
    beta: Bias | None = Field(None, description="factor beta of the biases")
    weight_gain: PositiveFinite | None = Field(None, description="factor sigma_w of the weights")
    width_ratios: list[PositiveFinite] | None = Field(
        None, description="width of each hidden layer over n"
    )

    @property
    def changes(self) -> dict[str, Any]:
        """Keys of the network that change."""
        return self.model_dump(mode="json", exclude_none=True)


class Settings(Untrained):
    """Mean NTK at initialisation against the limiting NTK, for variants of a network.

    Needs two widths, and a network with hidden layers of equal widths. For ReLU also compares the
    variance of the NTK at one input with its exact value.
    """

    fully_connected = True
    paper = "Theorem 1"
    statement = (
        "For the networks tested, the mean NTK at initialisation, extrapolated in 1/n, is the "
        "limiting NTK of their depth, activation and variances, whatever the ratios of widths."
    )
    fewest_widths = 2

    draws: Draws = Field(description="number of initialisations of each network and width")
    variants: list[Variant] = Field(
        min_length=1, description="networks compared with their limits next to the given one"
    )

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        assert isinstance(network, FullyConnectedConfig)  # `fully_connected`
        yield from super().problems(dataset, network)
        if network.width_ratios is not None or network.depth < 2:
            yield "network", f"{self.network!r} needs hidden layers, of equal widths"
            return
        for place, variant in enumerate(self.variants):
            key, ratios = f"variants[{place}]", variant.width_ratios
            hidden = (variant.depth or network.depth) - 1
            if not variant.changes:
                yield key, "found no change, expected at least one"
            if ratios is not None and len(ratios) != hidden:
                yield f"{key}.width_ratios", f"found {len(ratios)}, expected {hidden}"
