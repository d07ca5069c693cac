"""Settings of the measure `random_functions`."""

from pydantic import Field

from ntkflow.keys import Count
from ntkflow.measures.common.experiment import Draws, Experiment


class Settings(Experiment):
    """Kernel of P random functions against the kernel they are drawn from, by P.

    Also compares gradient descent on their linear model with kernel gradient descent.
    """

    paper = "Section 3.1, Remark on random functions"
    statement = (
        "A linear model of random functions descends along its kernel, which tends to theirs."
    )

    functions: list[Count] = Field(min_length=2, description="numbers P of random functions")
    draws: Draws = Field(description="number of draws of the functions")
