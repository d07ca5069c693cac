"""Settings of the measure `random_functions`."""

from typing import ClassVar

from pydantic import Field

from ntkflow.keys import Count
from ntkflow.measures.common.experiment import Draws, Experiment

__all__ = ["Settings"]


class Settings(Experiment):
    """A linear model of random functions descends along its kernel, which tends to theirs."""

    paper: ClassVar[str] = "Section 3.1, Remark on random functions"

    functions: list[Count] = Field(min_length=2, description="numbers P of random functions")
    draws: Draws = Field(description="draws of them")
