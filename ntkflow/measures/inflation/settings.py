"""Settings of the measure `inflation`."""

from typing import ClassVar

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.measures.common.experiment import AlongComponent, Problems

__all__ = ["Settings"]


class Settings(AlongComponent):
    """The NTK of narrower networks is inflated during training, so they converge faster."""

    paper: ClassVar[str] = "Section 6"
    reads: ClassVar[tuple[str, ...]] = ("dataset", "limiting", "ensembles")

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        yield from self.drift_problems()
