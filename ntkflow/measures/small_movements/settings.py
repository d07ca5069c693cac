"""Settings of the measure `small_movements`."""

from pydantic import Field

from ntkflow.configuration.networks import FullyConnectedConfig, NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Count, PositiveFinite
from ntkflow.measures.common.experiment import Problems, Seeds, Untrained


class Settings(Untrained):
    """Movement in training of weights, of pre-activations of single units, and of f, by width.

    Needs a smooth activation, a depth of at least 2, one output and two widths.
    """

    fully_connected = True
    paper = "Section 4.2"
    statement = (
        "In training, pre-activations of single hidden units move by n^(-1/2) and weights between "
        "hidden layers by 1/n of their size, while f moves by O(1), in part through hidden layers."
    )
    fewest_widths = 2

    seeds: Seeds = Field(400, description="number of initialisations of each width")
    learning_rate: PositiveFinite = Field(1.0, description="learning rate")
    steps: Count = Field(description="number of steps of gradient descent")

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        assert isinstance(network, FullyConnectedConfig)  # `fully_connected`
        yield from super().problems(dataset, network)
        if network.depth < 2 or network.outputs > 1 or network.width_ratios:
            yield (
                "network",
                f"found depth {network.depth}, {network.outputs} outputs and width_ratios "
                f"{network.width_ratios}, expected a hidden layer, one output and equal widths",
            )
