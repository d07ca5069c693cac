"""Settings of the measure `bayesian_inference`."""

from pydantic import Field

from ntkflow.keys import PositiveFinite
from ntkflow.measures.common.experiment import Classifying


class Settings(Classifying):
    """Test accuracy of the NNGP posterior, kernel methods with the NTK, and trained networks.

    The kernel methods are regression and a support-vector machine; networks are trained from
    f_0 = 0. Needs the target `one_hot` and `test` points.
    """

    paper = "Introduction"
    statement = (
        "The NNGP posterior, and regression and a support-vector machine with the NTK, are as "
        "accurate on test points as networks trained from f = 0, within 0.03 and up to the "
        "fluctuation of f; the posterior is calibrated for functions drawn from networks."
    )
    title = "Test accuracy of kernel methods and networks"
    caption = (
        "Left, accuracy on test points of the posterior with the NNGP kernel, of a support-vector "
        "machine and regression with the limiting NTK, of gradient descent with the NTK, and of "
        "networks trained from f = 0 in as many steps, their mean and one point each; bars are "
        "95 % Wilson intervals over test points. Right, the fraction of test targets in the "
        "central interval of the posterior, against the predicted fraction; the dashed line is "
        "equality."
    )
    alt = (
        "Two panels: test accuracy by method, and the observed against the predicted fraction of "
        "targets in central intervals of the posterior."
    )

    noise: PositiveFinite = Field(0.01, description="variance of the observation noise")
