"""Settings of the measure `local_minima`."""

from pydantic import Field

from ntkflow.keys import Count, PositiveFinite
from ntkflow.measures.common.experiment import Seeds, Untrained


class Settings(Untrained):
    """Share of networks that fit the training points, and final cost, by width.

    Needs two widths, and points that networks of the smallest one cannot fit.
    """

    paper = "Introduction"
    statement = (
        "Gradient descent from random initialisation fits the training points with wide networks; "
        "narrow ones often stop at a higher cost, even where their width suffices."
    )
    reads = ("dataset", "networks")
    fewest_widths = 2

    seeds: Seeds = Field(description="number of initialisations of each width")
    learning_rate: PositiveFinite = Field(1.0, description="learning rate")
    steps: Count = Field(description="number of steps of gradient descent")
