"""Settings of the measure `positive_definiteness`."""

from typing import ClassVar

from pydantic import Field

from ntkflow.keys import Count
from ntkflow.measures.common.experiment import Experiment

__all__ = ["Settings"]


class Settings(Experiment):
    """On the sphere the limiting NTK is positive definite unless the activation is a polynomial."""

    paper: ClassVar[str] = "Proposition 2"
    reads: ClassVar[tuple[str, ...]] = ("dataset", "limiting", "networks")

    sizes: list[Count] = Field(min_length=2, description="numbers of points on the sphere")
    frequencies: Count = Field(64, description="Fourier modes of the kernel on the circle")
