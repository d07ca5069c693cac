"""Settings of the measure `drift_by_activation`."""

from typing import Annotated

from pydantic import Field

from ntkflow.configuration.activations import ActivationConfig
from ntkflow.configuration.networks import FullyConnectedConfig, NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import NotBoolean, PositiveFinite, shorthand
from ntkflow.measures.common.experiment import Problems, Seeds, Untrained, repeated

Depth = Annotated[int, Field(ge=2), NotBoolean]
Activation = Annotated[ActivationConfig, shorthand("name", str | ActivationConfig)]


class Settings(Untrained):
    """Exponent in n of the drift of the NTK in training, by activation and depth.

    The goal is f_theta(0) plus the target of the data set, scaled. Of the network, the activation
    and the depth are not used. Needs two widths.
    """

    fully_connected = True
    paper = "Theorem 2"
    statement = (
        "In training, the NTK of the networks tested drifts by n^(-1) for smooth activations. For "
        "activations with a kink it drifts by less than the bound n^(-1/2), and by n^(-3/4), as a "
        "heuristic gives."
    )
    fewest_widths = 2

    activations: list[Activation] = Field(min_length=1, description="activations")
    depths: list[Depth] = Field(
        min_length=1, description="numbers L of weight layers; that of the network is not used"
    )
    seeds: Seeds = Field(300, description="number of initialisations of each width")
    time: PositiveFinite = Field(4.0, description="end of training, in units of N / ‖Θ(0)‖")
    amplitude: PositiveFinite = Field(
        0.1, description="root mean square of the distance to the goal, over training points"
    )

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        assert isinstance(network, FullyConnectedConfig)  # `fully_connected`
        yield from super().problems(dataset, network)
        yield from repeated("activations", [each.name for each in self.activations], "activation")
        yield from repeated("depths", self.depths, "depth")
        if network.depth < 2:
            yield "network", f"found {self.network!r} without hidden layers, expected some"
        if dataset.target.kind == "zero":
            yield "dataset", f"found {self.dataset!r} with target zero, expected a target to learn"
