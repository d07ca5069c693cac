"""Settings of the measure `early_stopping`."""

from typing import ClassVar

from ntkflow.measures.common.experiment import OffTraining


class Settings(OffTraining):
    """Training time at which the test error is smallest, for networks and for the limiting kernel.

    Needs `test` points, and noisy labels for a minimum to exist.
    """

    paper: ClassVar[str] = "Section 5.1"
    statement: ClassVar[str] = (
        "With noisy labels the test error has a minimum in time, where the kernel predicts it."
    )
