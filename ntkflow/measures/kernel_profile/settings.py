"""Settings of the measure `kernel_profile`."""

from pydantic import Field

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Finite
from ntkflow.measures.common.experiment import PAPER, Problems
from ntkflow.measures.common.untrained import WithUntrained


class Settings(WithUntrained):
    """NTK Theta(x_0, x) around the circle at the recorded times, with its limit (JGH Figure 1).

    Needs `test` points on the circle and at least one step in `kernel_steps`.
    """

    reads = ("ensembles", "limiting", "dataset", "networks")
    on_circle = True
    free = frozenset({"cost", "optimizer", "batch_size"})
    paper = "Section 6.1, Figure 1"
    statement = (
        "Around the circle the mean NTK at initialisation tends to the limiting NTK and its "
        "variance at one input is that of theory; in training it grows at the smallest width, and "
        "the change from there to the largest falls at least as fast as n^(-1/2)."
    )
    title = "NTK around the circle at each recorded time"
    caption = (
        "Empirical NTK Θ(x₀, x) between a fixed point of the unit circle and all others at each "
        "recorded time; one line per network. The limit n → ∞ is dashed. The points of the circle "
        f"are test points. After {PAPER}, Figure 1."
    )
    alt = (
        "One panel per recorded time: the empirical NTK against the angle on the circle, one line "
        "per network, coloured by width, with the dashed limit. With several times, another panel "
        "shows the change."
    )

    reference_angle: Finite = Field(
        0.0, description="angle in radians; x_0 is the nearest test point"
    )

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        if not self.training.recorded_kernels:
            yield "training.kernel_steps", "found none, expected at least one step"
