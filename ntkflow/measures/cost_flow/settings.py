"""Settings of the measure `cost_flow`."""

from typing import Literal

from pydantic import Field

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Count, PositiveFinite
from ntkflow.measures.common.experiment import Problems, Seeds, Untrained

TARGETS = {"cross_entropy": "one_hot", "logistic": "one_vs_rest"}


class Settings(Untrained):
    """Networks trained on a cost against the kernel gradient flow of the limiting NTK, by width.

    Needs four widths. The cost cross_entropy needs the target one_hot, logistic one_vs_rest.
    """

    paper = "Theorem 2, Section 3"
    statement = (
        "In training on cross-entropy, the distance of f from the kernel gradient flow of "
        "Theta_inf falls like n^(-1/2), and that from the flow of Theta(0) faster."
    )
    fewest_widths = 4

    seeds: Seeds = Field(description="number of initialisations of each width")
    cost: Literal["least_squares", "logistic", "cross_entropy"] = Field(
        "cross_entropy", description="cost that networks and flows minimise"
    )
    learning_rate: PositiveFinite = Field(1.0, description="learning rate of the networks")
    steps: Count = Field(description="number of steps of gradient descent")

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        expected = TARGETS.get(self.cost)
        if expected and dataset.target.kind != expected:
            found = dataset.target.kind
            yield "cost", f"found {self.cost!r}, expected the target {expected}, not {found}"
