"""Settings of the measure `component_rates`."""

from pydantic import Field

from ntkflow.keys import Count
from ntkflow.measures.common.experiment import OffTraining


class Settings(OffTraining):
    """Decay rate of kernel principal components of the error, each against its eigenvalue.

    Also measures the distance from the limiting dynamics at training and at other points. Needs
    `test` points.
    """

    paper = "Section 5"
    statement = "Each kernel principal component of the error decays at the rate of its eigenvalue."

    components: Count = Field(3, description="number of components, largest eigenvalues first")
