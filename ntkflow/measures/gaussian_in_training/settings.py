"""Settings of the measure `gaussian_in_training`."""

from typing import ClassVar

from ntkflow.measures.common.experiment import OffTraining

__all__ = ["Settings"]


class Settings(OffTraining):
    """Training on least squares keeps f Gaussian over initialisations, at every time."""

    paper: ClassVar[str] = "Section 5"
