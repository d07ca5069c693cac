"""Settings of the measure `training_direction`."""

from pydantic import Field

from ntkflow.keys import Count, PositiveFinite
from ntkflow.measures.common.experiment import Draws, Seeds, Untrained


class Settings(Untrained):
    """Drift of the NTK along one bounded direction that is not a gradient, by width.

    Also compares f with the path of the limit, and with that of the linearised network. Needs two
    widths.
    """

    paper = "Theorem 2"
    statement = (
        "The drift of the NTK falls at least as fast as n^(-1/2) along one bounded direction that "
        "is not a gradient, and f follows the limiting kernel."
    )
    fewest_widths = 2

    seeds: Seeds = Field(5, description="number of trained initialisations of each width")
    draws: Draws = Field(200, description="number of networks of each width that are not trained")
    learning_rate: PositiveFinite = Field(1.0, description="length of a step in time")
    steps: Count = Field(description="number of steps along the direction")
