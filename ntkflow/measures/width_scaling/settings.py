"""Settings of the measure `width_scaling`."""

from typing import Annotated

from pydantic import Field

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import NotBoolean, Strict
from ntkflow.measures.common.experiment import Problems, Trained, Width, repeated

INITIAL_KERNELS_LIMIT = 2**30
"""Largest size in bytes of the initial kernels of one width, which are in memory at once."""


class InitialKernels(Strict):
    """Untrained networks, many of each width, for the bias of the mean kernel.

    The kernels of one width are in memory at once: draws x points^2 x outputs^2 x 4 bytes (8 with
    `precision: float64`), counting training and test points, may be at most 1 GiB.
    """

    widths: list[Width] = Field(min_length=1, description="widths n, each once")
    draws: Annotated[int, Field(ge=20), NotBoolean] = Field(
        description="number of initialisations of each width, as far as memory allows"
    )


class Settings(Trained):
    """Spread, bias and drift of the NTK, and distance from the limiting dynamics, against width.

    The bias of the mean kernel falls like 1/n and its Monte-Carlo noise like (n draws)^(-1/2), so
    it is visible at small widths with many draws. Untrained networks therefore have a separate list
    of widths, `initial`. Needs two widths, 5 seeds, and 0 and a later step in `kernel_steps`.
    """

    reads = ("ensembles", "initial", "dynamics", "limiting")
    elsewhere = frozenset({"initial"})
    fewest_widths = 2
    drift = True
    width_table = True
    paper = "Theorems 1 and 2, Section 5"
    statement = (
        "As n grows, the NTK tends to Theta_inf at initialisation, it drifts less in training, and "
        "f approaches its limiting dynamics."
    )
    title = "Distance of finite networks from the limit, by width"
    caption = (
        "Statistics of finite networks against width on logarithmic axes. Dots are "
        "initialisations, bars 95 % intervals, lines least-squares fits labelled with "
        "the exponent and its interval. Thick grey lines have the slope that theory predicts, for "
        "drift and distance an upper bound. Hollow points are not fitted: their interval reaches "
        "zero, or there is a single initialisation. Fewer than two other points are not fitted "
        "either."
    )
    alt = (
        "Four panels on logarithmic axes, against width: spread of the NTK at initialisation, bias "
        "of its mean, its drift in training, and distance from the limiting dynamics, each with a "
        "fitted line and the slope that theory predicts."
    )

    seeds: Annotated[int, Field(ge=5), NotBoolean] = Field(
        10, description="number of initialisations of each width; fewer than 5 give no interval"
    )
    initial: InitialKernels = Field(
        description="untrained networks, for the bias of the mean kernel"
    )

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        yield from repeated("initial.widths", self.initial.widths, "width")
        yield from self._too_large(dataset.points, network.outputs)

    def _too_large(self, points: int, outputs: int) -> Problems:
        item = self.training.itemsize
        draws, draw = self.initial.draws, points**2 * outputs**2 * item
        most = INITIAL_KERNELS_LIMIT // draw
        if draws > most:
            remedy = f"at most {most} draws, or" if most >= 20 else "a data set of"
            yield (
                "initial.draws",
                f"found {draws}, whose kernels take {-(-draws * draw // 2**20):,} MiB ({draws} "
                f"draws x {points}^2 points x {outputs}^2 outputs x {item} bytes), expected "
                f"{INITIAL_KERNELS_LIMIT // 2**20:,} MiB or less: {remedy} fewer points",
            )
