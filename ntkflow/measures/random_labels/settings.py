"""Settings of the measure `random_labels`."""

from pydantic import Field

from ntkflow.keys import Natural
from ntkflow.measures.common.experiment import Classifying


class Settings(Classifying):
    """Accuracy of networks and of the limiting NTK on true and on random labels.

    Needs the target `one_hot` and `test` points.
    """

    paper = "Introduction"
    statement = (
        "Networks and the limiting NTK fit random labels and then classify test points at chance; "
        "after training on the true labels they classify at least 80 % of them correctly. On "
        "random labels networks are slower than the limit, as their linearisation is."
    )

    label_seed: Natural = Field(0, description="seed of the random labels")
