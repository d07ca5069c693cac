"""Settings of the measure `kernel_drift`."""

from typing import ClassVar

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.measures.common.experiment import PAPER, Problems, Trained

__all__ = ["Settings"]


class Settings(Trained):
    """Change of the kernel and of the cost in training, by width (JGH Theorem 2)."""

    free: ClassVar[frozenset[str]] = frozenset({"cost", "optimizer", "batch_size", "probe"})
    paper: ClassVar[str] = "Theorem 2"
    statement: ClassVar[str] = (
        "The NTK stays what it was while networks train on a cost that is not least squares."
    )
    title: ClassVar[str] = "Cost and drift of the NTK in training, by width"
    caption: ClassVar[str] = (
        "Left, the cost on the training points. Middle, the drift of the empirical NTK, "
        "‖Θ(t) − Θ(0)‖ / ‖Θ(0)‖ in Frobenius norms over the recorded points and all outputs. One "
        "line per network. Right, with several widths, the last drift against width: dots are "
        "networks, bars their mean with its 95 % bootstrap interval. With five networks or more of "
        "each width a power law is fitted and labelled with its exponent and interval. The thick "
        "grey line has the slope −1/2, which bounds the drift from above under gradient descent on "
        f"any cost ({PAPER}, Theorem 2). The bound does not cover optimisers whose steps do not "
        "scale with the gradient, such as Adam."
    )
    alt: ClassVar[str] = (
        "Panels: cost against time; drift of the empirical NTK against time; and, with several "
        "widths, the last drift against width on logarithmic axes, with a fitted line and the "
        "slope that theory predicts."
    )

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        yield from self.drift_problems()
