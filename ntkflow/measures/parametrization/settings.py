"""Settings of the measure `parametrization`."""

from typing import Annotated, ClassVar

from pydantic import Field

from ntkflow.keys import Count, NotBoolean, PositiveFinite
from ntkflow.measures.common.experiment import Seeds, Untrained

__all__ = ["Settings"]


class Settings(Untrained):
    """In the NTK parametrization each weight hardly moves while f moves at any width."""

    paper: ClassVar[str] = "Remark 1"
    fewest_widths: ClassVar[int] = 2

    seeds: Seeds = Field(5, description="initialisations of each width")
    learning_rate: PositiveFinite = Field(1.0, description="in the NTK parametrization")
    steps: Count = Field(description="steps of gradient descent")
    betas: list[Annotated[float, Field(ge=0, allow_inf_nan=False), NotBoolean]] = Field(
        [0.1, 1.0], min_length=2, description="values of beta that are compared"
    )
