"""Settings of the measure `parametrization`."""

from typing import Annotated

from pydantic import Field

from ntkflow.keys import Count, NotBoolean, PositiveFinite
from ntkflow.measures.common.experiment import Seeds, Untrained


class Settings(Untrained):
    """Movement of weights and of f in NTK and in standard parametrization, and effect of beta.

    Needs two widths.
    """

    fully_connected = True
    paper = "Remark 1"
    statement = (
        "In the NTK parametrization the relative movement of weights falls with width, while f "
        "follows the limiting kernel. At one rate, the standard one moves f by O(n) as much."
    )
    fewest_widths = 2

    seeds: Seeds = Field(5, description="number of initialisations of each width")
    learning_rate: PositiveFinite = Field(
        1.0, description="learning rate in the NTK parametrization"
    )
    steps: Count = Field(description="number of steps of gradient descent")
    betas: list[Annotated[float, Field(ge=0, allow_inf_nan=False), NotBoolean]] = Field(
        [0.1, 1.0], min_length=2, description="values of beta to compare"
    )
