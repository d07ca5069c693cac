"""Settings of the measure `positive_definiteness`."""

from pydantic import Field

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Count
from ntkflow.measures.common.experiment import Experiment, Problems


class Settings(Experiment):
    """Spectrum of the limiting NTK on spheres, for the network's and for other activations.

    Measures smallest eigenvalues, ranks for polynomial activations, and the decay of the spectrum
    on the circle. Needs points on a sphere; those in other dimensions are drawn.
    """

    fully_connected = True
    paper = "Proposition 2"
    statement = (
        "On sampled points of spheres the limiting NTK is positive definite for the non-polynomial "
        "activations tested, and singular with the predicted rank for the polynomials."
    )
    reads = ("dataset", "limiting", "networks")

    sizes: list[Count] = Field(
        min_length=2, description="numbers of points; size m uses the first m points"
    )
    frequencies: Count = Field(
        64, description="number of Fourier modes of the kernel on the circle"
    )

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        if (largest := max(self.sizes)) > dataset.points:
            yield "sizes", f"found {largest}, the data set has {dataset.points} points"
