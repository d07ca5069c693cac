"""Settings of the measure `linearisation`."""

from typing import ClassVar

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.measures.common.experiment import Problems, Trained


class Settings(Trained):
    """Distance of f from its limiting dynamics: by fluctuation and by movement of the kernel.

    Needs three widths, one output, and kernels recorded at step 0.
    """

    paper = "Theorems 1 and 2"
    statement = (
        "Networks depart from their limiting dynamics by fluctuations of the initial NTK, "
        "of order n^(-1/2), and by its movement in training, of order 1/n for smooth activations."
    )
    reads: ClassVar[tuple[str, ...]] = ("dataset", "limiting", "ensembles", "networks")
    fewest_widths = 3

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        yield from self.linearised_problems(network)
