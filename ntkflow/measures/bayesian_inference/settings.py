"""Settings of the measure `bayesian_inference`."""

from typing import ClassVar

from pydantic import Field

from ntkflow.keys import PositiveFinite
from ntkflow.measures.common.experiment import Classifying

__all__ = ["Settings"]


class Settings(Classifying):
    """The kernel, in Bayesian inference or a support-vector machine, does as well as networks."""

    paper: ClassVar[str] = "Introduction"

    noise: PositiveFinite = Field(0.01, description="variance of the observations' noise")
