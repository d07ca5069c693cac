"""Settings of the measure `training_direction`."""

from typing import ClassVar

from pydantic import Field

from ntkflow.keys import Count, PositiveFinite
from ntkflow.measures.common.experiment import Seeds, Untrained

__all__ = ["Settings"]


class Settings(Untrained):
    """The NTK stays what it was along any bounded training direction, not only a gradient."""

    paper: ClassVar[str] = "Theorem 2"
    fewest_widths: ClassVar[int] = 2

    seeds: Seeds = Field(5, description="initialisations of each width")
    learning_rate: PositiveFinite = Field(1.0, description="step in time")
    steps: Count = Field(description="steps along the direction")
