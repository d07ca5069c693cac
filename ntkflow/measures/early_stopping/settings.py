"""Settings of the measure `early_stopping`."""

from ntkflow.measures.common.experiment import OffTraining


class Settings(OffTraining):
    """Training time at which the test error is smallest, for networks and for the limiting kernel.

    Needs `test` points, and noisy labels for a minimum to exist.
    """

    paper = "Section 5.1"
    statement = (
        "With noisy labels the test error has a minimum in time, at about the time that the "
        "limiting kernel predicts."
    )
