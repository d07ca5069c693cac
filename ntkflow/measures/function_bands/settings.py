"""Settings of the measure `function_bands`."""

import math
from typing import Annotated

from pydantic import Field

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import NotBoolean
from ntkflow.measures.common.experiment import PAPER, Problems, Trained, repeated


class Settings(Trained):
    """Network functions against percentiles of the limiting Gaussian (JGH Figure 2).

    Needs `test` points on the circle.
    """

    reads = ("ensembles", "dataset", "gaussian", "limiting")
    elsewhere = frozenset({"band_times"})
    on_circle = True
    paper = "Section 6.2, Figure 2"
    statement = (
        "Trained on least squares, the widest networks have the mean of the limiting Gaussian at "
        "the given times, and the share of them that it predicts is between its percentiles."
    )
    title = "Network functions and the limiting Gaussian around the circle"
    caption = (
        "Network functions on the unit circle at given training times, one line for each of at "
        "most ten networks of a width, over the 10th, 50th and 90th percentiles of the Gaussian "
        "that the limit n → ∞ predicts; dots are the training points. For infinite time the "
        "networks are shown at their last step. "
        f"After {PAPER}, Figure 2."
    )
    alt = (
        "One panel per training time: network functions against the angle on the circle, over the "
        "percentiles of the limiting Gaussian, with the training points as dots."
    )

    band_times: list[Annotated[float, Field(ge=0), NotBoolean]] = Field(
        [math.inf],
        min_length=1,
        description="times at which the Gaussian is drawn, up to the end of training or .inf; "
        "networks are recorded there, and shown at their last step for .inf",
    )

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        yield from repeated("band_times", self.band_times, "time")
        last = self.training.steps * self.training.learning_rate
        for time in self.band_times:
            if math.isfinite(time) and time > last * (1 + 1e-9):
                yield "band_times", f"found {time:g}, training ends at t = {last:g}"

    @property
    def recorded_functions(self) -> list[int]:
        """Steps of the training, and those nearest each finite band time."""
        rate = self.training.learning_rate
        extra = (round(time / rate) for time in self.band_times if math.isfinite(time))
        return sorted({*self.training.recorded_functions, *extra})
