"""Settings of the measure `gaussian_process`."""

from pydantic import Field

from ntkflow.measures.common.experiment import Draws, Untrained


class Settings(Untrained):
    """Covariance of f at initialisation against the NNGP kernel, and excess kurtosis against n.

    Needs two widths.
    """

    fully_connected = True
    paper = "Proposition 1"
    statement = (
        "At initialisation f of wide networks has the covariance of the NNGP kernel, and its "
        "excess kurtosis falls like 1/n."
    )
    fewest_widths = 2

    draws: Draws = Field(description="number of initialisations of each width")
