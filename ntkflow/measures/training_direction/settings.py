"""Settings of the measure `training_direction`."""

from pydantic import Field

from ntkflow.keys import Count, PositiveFinite
from ntkflow.measures.common.experiment import Seeds, Untrained


class Settings(Untrained):
    """Drift of the NTK along one bounded direction that is not a gradient, by width.

    Also measures the distance of f from the path of the limit. Needs two widths.
    """

    paper = "Theorem 2"
    statement = (
        "The drift of the NTK falls at least as fast as n^(-1/2) along one bounded direction that "
        "is not a gradient."
    )
    fewest_widths = 2

    seeds: Seeds = Field(5, description="number of initialisations of each width")
    learning_rate: PositiveFinite = Field(1.0, description="length of a step in time")
    steps: Count = Field(description="number of steps along the direction")
