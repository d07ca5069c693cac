"""Settings of the measure `convex_costs`."""

from pydantic import Field

from ntkflow.keys import PositiveFinite
from ntkflow.measures.common.experiment import Experiment


class Settings(Experiment):
    """Convex costs along kernel gradient descent, against the bound from convexity.

    A kernel of half the rank shows what is lost if the kernel is not positive definite, and two
    costs that are not convex lead to critical points.
    """

    paper = "Section 3"
    statement = (
        "Kernel gradient descent with the limiting NTK keeps four convex costs within the bound "
        "from convexity, and leads two others to a critical point."
    )

    time: PositiveFinite = Field(description="end of the flow, in units of 1 / lambda_min")
