"""Settings of the measure `published_eigenvalues`."""

from typing import Annotated

from pydantic import Field

from ntkflow.configuration.networks import FullyConnectedConfig, NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Count, NotBoolean, PositiveFinite
from ntkflow.measures.common.experiment import Problems, Seeds, Widths, repeated

Depth = Annotated[int, Field(ge=2), NotBoolean]


class Settings(Widths):
    """Leading eigenvalues of the NTK on batches of a data set against published values.

    Batches are disjoint random subsets of the training points. The limiting NTK is computed on each
    batch, and that of networks of the largest width on one batch each. `depths` replaces the depth
    of the network.
    """

    reads = ("dataset", "networks")
    fully_connected = True
    paper = "Section 6"
    statement = "The NTK on a batch has the published eigenvalues."

    size: Count = Field(
        512, description="number of points of a batch, at most half of the training points"
    )
    published: list[PositiveFinite] = Field(
        min_length=1, description="published eigenvalues of Theta(X, X) / N, descending"
    )
    depths: list[Depth] = Field(min_length=1, description="numbers L of weight layers")
    seeds: Seeds = Field(4, description="number of networks, at most the number of batches")

    def network_label(self, network: NetworkConfig) -> str:
        assert isinstance(network, FullyConnectedConfig)  # `fully_connected`
        return network.label_at(*self.depths)

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        assert isinstance(network, FullyConnectedConfig)  # `fully_connected`
        yield from super().problems(dataset, network)
        yield from repeated("depths", self.depths, "depth")
        batches = dataset.train.count // self.size
        if batches < 2:
            half = f"at most half of the {dataset.train.count} training points"
            yield "size", f"found {self.size}, expected {half}"
        elif self.seeds > batches:
            yield "seeds", f"found {self.seeds}, expected at most {batches}, one for each batch"
        if len(self.published) > self.size:
            yield "published", f"found {len(self.published)}, expected at most {self.size}"
        if sorted(self.published, reverse=True) != self.published:
            yield "published", f"found {self.published}, expected the largest first"
        if network.depth < 2 or network.outputs != 1:
            yield "network", f"found {self.network!r}, expected hidden layers and one output"
