"""Settings of the measure `component_rates`."""

from pydantic import Field

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Count
from ntkflow.measures.common.experiment import OffTraining, Problems


class Settings(OffTraining):
    """Decay rates of the kernel principal components of the error, against their eigenvalues.

    All components are measured of which less than 0.7 is left at the end. Needs one output, `test`
    points and kernels recorded at step 0.
    """

    paper = "Section 5"
    statement = (
        "On least squares the kernel principal components of the error decay at the rates of "
        "their eigenvalues as the width tends to infinity."
    )

    components: Count = Field(
        3,
        description="number of components with a number of their own, largest eigenvalues first; "
        "the mean rate of the others is one more",
    )

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        yield from self.linearised_problems(network)
