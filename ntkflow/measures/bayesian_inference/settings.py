"""Settings of the measure `bayesian_inference`."""

from pydantic import Field

from ntkflow.keys import PositiveFinite
from ntkflow.measures.common.experiment import Classifying


class Settings(Classifying):
    """Test accuracy of the NNGP posterior, kernel methods with the NTK, and trained networks.

    The kernel methods are regression and a support-vector machine. Needs the target `one_hot` and
    `test` points.
    """

    paper = "Introduction"
    statement = (
        "The NNGP posterior, and regression and a support-vector machine with the NTK, are at "
        "most 0.03 less accurate on test points than networks that fit the training points, and "
        "the posterior is calibrated and better than a Gaussian fitted to the training targets."
    )

    noise: PositiveFinite = Field(0.01, description="variance of the observation noise")
