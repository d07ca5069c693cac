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
    statement = (
        "On least squares kernel principal components of the error decay at the rates of their "
        "eigenvalues as n grows, and f approaches the limiting dynamics at least as fast as "
        "n^(-1/2)."
    )

    components: Count = Field(
        3, description="number of components at most, largest eigenvalues first"
    )
