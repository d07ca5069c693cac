"""Settings of the measure `random_functions`."""

from pydantic import Field

from ntkflow.keys import Count
from ntkflow.measures.common.experiment import Draws, Experiment


class Settings(Experiment):
    """Kernel of P random functions against the kernel they are drawn from, by P.

    Also compares gradient descent on their linear model with kernel gradient descent, and its flow
    with that of their covariance.
    """

    paper = "Section 3.1, Remark on random functions"
    statement = (
        "Gradient descent on a linear model of P random functions is kernel gradient descent, "
        "with a kernel that tends to their covariance as P grows; so does its flow."
    )

    functions: list[Count] = Field(min_length=2, description="numbers P of random functions")
    draws: Draws = Field(description="number of draws of the functions")
