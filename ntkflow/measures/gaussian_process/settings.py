"""Settings of the measure `gaussian_process`."""

from typing import ClassVar

from pydantic import Field

from ntkflow.measures.common.experiment import Draws, Untrained

__all__ = ["Settings"]


class Settings(Untrained):
    """Wide networks at initialisation are a Gaussian process with the NNGP kernel."""

    paper: ClassVar[str] = "Proposition 1"
    fewest_widths: ClassVar[int] = 2

    draws: Draws = Field(description="initialisations of each width")
