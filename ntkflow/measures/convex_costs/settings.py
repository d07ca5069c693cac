"""Settings of the measure `convex_costs`."""

from typing import ClassVar

from pydantic import Field

from ntkflow.keys import PositiveFinite
from ntkflow.measures.common.experiment import Experiment

__all__ = ["Settings"]


class Settings(Experiment):
    """Kernel gradient descent finds the minimum of a convex cost if the kernel is definite."""

    paper: ClassVar[str] = "Section 3"

    time: PositiveFinite = Field(description="end of the flow, in units of 1 / lambda_min")
