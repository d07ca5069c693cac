"""Settings of the measure `gaussian_in_training`."""

from typing import ClassVar

from ntkflow.measures.common.experiment import OffTraining


class Settings(OffTraining):
    """Distribution of f over initialisations at the recorded times, against the limiting Gaussian.

    Needs `test` points.
    """

    paper: ClassVar[str] = "Section 5"
    statement: ClassVar[str] = (
        "Training on least squares keeps f Gaussian over initialisations at the recorded times."
    )
