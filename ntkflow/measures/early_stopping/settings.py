"""Settings of the measure `early_stopping`."""

from typing import ClassVar

from ntkflow.measures.common.experiment import OffTraining

__all__ = ["Settings"]


class Settings(OffTraining):
    """With noisy labels the test error has a minimum in time, where the kernel predicts it."""

    paper: ClassVar[str] = "Section 5.1"
