"""Settings of the measure `early_stopping`."""

from ntkflow.measures.common.experiment import OffTraining


class Settings(OffTraining):
    """Test error in training, of networks and of the limiting kernel from the same f_0.

    Needs `test` points, and noisy labels for a minimum to exist.
    """

    paper = "Section 5.1"
    statement = (
        "With noisy labels the test error of wide networks falls, then rises, along the curve that "
        "gradient descent of the limiting kernel predicts."
    )
