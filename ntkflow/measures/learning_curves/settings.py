"""Settings of the measure `learning_curves`."""

from typing import Annotated

from pydantic import Field

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Count, NotBoolean
from ntkflow.measures.common.experiment import Experiment, Problems, repeated


class Settings(Experiment):
    """Test error of regression with the limiting NTK, by training-set size, and its theory.

    Trains no networks. Training sets are random subsets of the training points of the data set,
    which together are the population; eigenvalues are those of the kernel between all of them.
    """

    source = "Simon et al. (2023)"
    paper = "eigenlearning equations and conservation law"
    statement = (
        "The test error of regression with the limiting NTK, the limit of networks at infinite "
        "time, is within 10 % of its theory at every training-set size, and the learnabilities of "
        "all eigenfunctions sum to that size."
    )

    sizes: list[Annotated[int, Field(ge=2), NotBoolean]] = Field(
        min_length=1, description="training-set sizes n, each once"
    )
    training_sets: Annotated[int, Field(ge=2, le=10**6), NotBoolean] = Field(
        50, description="number of random training sets of each size"
    )
    modes: Count = Field(4, description="number of learnabilities that are measured, in groups")

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        yield from repeated("sizes", self.sizes, "size")
        count = dataset.train.count
        if max(self.sizes) > count // 2:
            yield (
                "sizes",
                f"found {max(self.sizes)}, expected at most {count // 2}, half of the data set's "
                f"{count} training points: the others are test points",
            )
