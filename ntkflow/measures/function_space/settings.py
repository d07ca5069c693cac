"""Settings of the measure `function_space`."""

from pydantic import Field

from ntkflow.keys import Count
from ntkflow.measures.common.experiment import Untrained


class Settings(Untrained):
    """Identities of the kernel gradient, the seminorm and the dual element, for each cost."""

    paper = "Sections 3, 3.1 and 4"
    statement = (
        "Gradient descent on parameters is kernel gradient descent on functions, for each of "
        "three costs."
    )

    reads = ("dataset", "networks")

    functions: Count = Field(20, description="number of functions of the linear model")
