"""Settings of the measure `component_rates`."""

from typing import ClassVar

from pydantic import Field

from ntkflow.keys import Count
from ntkflow.measures.common.experiment import OffTraining

__all__ = ["Settings"]


class Settings(OffTraining):
    """Each kernel principal component of the error decays at the rate of its eigenvalue."""

    paper: ClassVar[str] = "Section 5"

    components: Count = Field(3, description="components looked at, the largest eigenvalues")
