"""Settings of the measure `gaussian_in_training`."""

from ntkflow.measures.common.experiment import OffTraining


class Settings(OffTraining):
    """Distribution of f over initialisations at the recorded times, against the limiting Gaussian.

    Needs `test` points.
    """

    paper = "Section 5"
    statement = (
        "Training on least squares keeps f Gaussian over initialisations at the recorded times, "
        "with independent outputs."
    )
