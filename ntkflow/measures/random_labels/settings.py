"""Settings of the measure `random_labels`."""

from typing import ClassVar

from pydantic import Field

from ntkflow.keys import Natural
from ntkflow.measures.common.experiment import Classifying

__all__ = ["Settings"]


class Settings(Classifying):
    """Networks, and kernels, fit random labels; on true ones they generalise."""

    paper: ClassVar[str] = "Introduction"

    label_seed: Natural = Field(0, description="seed of the random labels")
