"""Settings of the measure `published_accuracy`."""

from typing import Annotated

from pydantic import Field

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Count, NotBoolean
from ntkflow.measures.common.experiment import Experiment, Problems


class Settings(Experiment):
    """Test accuracy of regression with the NNGP kernel against a published value.

    Training sets are disjoint random subsets of the training points of the data set; each is
    tested on all the others. Needs the target `one_hot`.
    """

    source = "Lee et al. (2018)"
    paper = "Table 1"
    statement = "Regression with the NNGP kernel has the published test accuracy."

    size: Count = Field(1000, description="training-set size; the data set has at least two")
    published: Annotated[float, Field(gt=0, lt=1), NotBoolean] = Field(
        description="published test accuracy"
    )
    tested: Count = Field(10000, description="number of test points of the published accuracy")

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        count = dataset.train.count
        if count < 2 * self.size:
            yield "size", f"found {self.size}, expected at most half of the {count} training points"
        if dataset.target.kind != "one_hot":
            yield "dataset", f"{self.dataset!r} needs the target one_hot"
