"""The `experiments` of a configuration: what is trained, recorded and measured."""

import math
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from ntkflow.configuration.base import (
    Count,
    Fault,
    Finite,
    Natural,
    NotBoolean,
    PositiveFinite,
    Strict,
)
from ntkflow.configuration.datasets import DatasetConfig
from ntkflow.configuration.networks import NetworkConfig

__all__ = ["Experiment", "TrainingConfig"]

INITIAL_KERNELS_LIMIT = 2**30
"""Bytes of the initial kernels of one width, which are held in memory at once."""

Width = Annotated[int, Field(gt=0, le=2**20), NotBoolean]


class Spaced(Strict):
    """So many steps between the first and the last."""

    count: Annotated[int, Field(ge=2, le=100_000), NotBoolean] = Field(
        41, description="number of records, about"
    )
    spacing: Literal["geometric", "linear"] = Field("geometric", description="how they are spaced")

    def steps(self, last: int) -> list[int]:
        if self.spacing == "linear":
            grid = [last * i / (self.count - 1) for i in range(self.count)]
        else:
            grid = [0.0, *(last ** (i / (self.count - 2 or 1)) for i in range(self.count - 1))]
        return sorted({0, *(min(round(step), last) for step in grid), last})


Steps = list[Natural]


class TrainingConfig(Strict):
    """Full-batch gradient descent on least squares."""

    learning_rate: PositiveFinite = Field(1.0, description="eta; time is eta x steps")
    steps: Annotated[int, Field(gt=0, lt=2**31), NotBoolean] = Field(
        description="number of gradient-descent steps"
    )
    function_steps: Spaced | Steps = Field(
        Spaced(), description="steps at which f is recorded: listed, or count and spacing"
    )
    kernel_steps: Steps | None = Field(
        None, description="steps at which the empirical NTK is recorded; first and last by default"
    )
    precision: Literal["float32", "float64"] = Field(
        "float32", description="arithmetic of training and of the empirical NTK"
    )

    @model_validator(mode="after")
    def _within(self) -> "TrainingConfig":
        for name in ("function_steps", "kernel_steps"):
            listed = getattr(self, name)
            if isinstance(listed, list) and any(step > self.steps for step in listed):
                raise Fault(name, f"found {max(listed)}, expected at most the {self.steps} steps")
        return self

    @property
    def recorded_functions(self) -> list[int]:
        if isinstance(self.function_steps, Spaced):
            return self.function_steps.steps(self.steps)
        return sorted({0, *self.function_steps, self.steps})

    @property
    def recorded_kernels(self) -> list[int]:
        return sorted(set([0, self.steps] if self.kernel_steps is None else self.kernel_steps))


class _Experiment(Strict):
    dataset: str = Field(description="name of a data set")
    network: str = Field(description="name of a network")

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        """(key, complaint) for what the experiment needs, of its data set say, and lacks."""
        yield from ()


class _Trained(_Experiment):
    widths: list[Width] = Field(min_length=1, description="widths n")
    seeds: Count = Field(10, description="initialisations a width")
    training: TrainingConfig = Field(description="gradient descent")

    on_circle: ClassVar[bool] = False

    @property
    def recorded_functions(self) -> list[int]:
        return self.training.recorded_functions

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        if len(set(self.widths)) < len(self.widths):
            yield "widths", f"found {self.widths}, expected each width once"
        if self.on_circle and not dataset.probed_on_circle:
            yield "dataset", f"{self.dataset!r} needs `test` points on the circle here"


class KernelProfile(_Trained):
    """Theta(x_0, x) along the circle, before and after training (JGH Figure 1)."""

    measure: Literal["kernel_profile"]
    reference_angle: Finite = Field(0.0, description="angle of x_0, in radians")
    on_circle: ClassVar[bool] = True

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        yield from super().needs(dataset, network)
        if not self.training.recorded_kernels:
            yield "training.kernel_steps", "found none, expected at least one step"


def _without_default(schema: JsonDict) -> None:
    """Leave the default out of the JSON schema: JSON knows no infinity."""
    del schema["default"]


class FunctionBands(_Trained):
    """Network functions against percentiles of the limiting Gaussian (JGH Figure 2)."""

    measure: Literal["function_bands"]
    band_times: list[Annotated[float, Field(ge=0), NotBoolean]] = Field(
        [math.inf],
        min_length=1,
        description="times of the Gaussian; .inf against the last step",
        json_schema_extra=_without_default,
    )
    on_circle: ClassVar[bool] = True

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        yield from super().needs(dataset, network)
        if len(set(self.band_times)) < len(self.band_times):
            yield "band_times", f"found {self.band_times}, expected each time once"
        last = self.training.steps * self.training.learning_rate
        for time in self.band_times:
            if math.isfinite(time) and time > last * (1 + 1e-9):
                yield "band_times", f"found {time:g}, training ends at t = {last:g}"

    @property
    def recorded_functions(self) -> list[int]:
        """The training's steps and those nearest each finite band time."""
        rate = self.training.learning_rate
        extra = (round(time / rate) for time in self.band_times if math.isfinite(time))
        return sorted({*self.training.recorded_functions, *extra})


class PrincipalComponent(_Trained):
    """Training along one kernel principal component (JGH Figure 3).

    The goal is f_theta(0) + amplitude x f^(component), whatever the data set's target.
    """

    measure: Literal["principal_component"]
    component: Count = Field(2, description="which component, the largest eigenvalue is 1")
    amplitude: PositiveFinite = Field(0.5, description="distance of the goal")

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        yield from super().needs(dataset, network)
        if self.component >= dataset.train.count:
            yield (
                "component",
                f"found {self.component}, the data set has {dataset.train.count} points",
            )
        if 0 not in self.training.recorded_kernels:
            yield "training.kernel_steps", "expected 0 among them, for the network's eigenvalues"


class InitialKernels(Strict):
    """Kernels at initialisation, untrained: many, of narrow networks."""

    widths: list[Width] = Field(min_length=1, description="widths n")
    draws: Annotated[int, Field(ge=20), NotBoolean] = Field(description="initialisations a width")


class WidthScaling(_Trained):
    """How fast finite networks approach the limit in n.

    The bias of the mean kernel falls like 1/n and its Monte-Carlo noise like (n draws)^(-1/2): it
    is seen at small widths with many draws, so these have a grid of their own.
    """

    measure: Literal["width_scaling"]
    seeds: Annotated[int, Field(ge=5), NotBoolean] = Field(
        10, description="initialisations a width; with fewer than 5 an interval says nothing"
    )
    initial: InitialKernels = Field(description="untrained networks, for the bias")

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        yield from super().needs(dataset, network)
        if len(set(self.initial.widths)) < len(self.initial.widths):
            yield "initial.widths", f"found {self.initial.widths}, expected each width once"
        if len(self.widths) < 2:
            yield "widths", f"found {self.widths}, expected at least two to fit an exponent"
        kernel_steps = self.training.recorded_kernels
        if len(kernel_steps) < 2 or kernel_steps[0] != 0:
            yield "training.kernel_steps", f"found {kernel_steps}, expected 0 and a later step"
        yield from self._too_large(dataset.points, network.outputs)

    def _too_large(self, points: int, outputs: int) -> Iterator[tuple[str, str]]:
        item = 8 if self.training.precision == "float64" else 4
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


class KernelRegression(_Experiment):
    """Classification by regression with the NNGP kernel and the limiting NTK; nothing is trained.

    Without a ridge, regression with the NTK is the mean of the networks at infinite time.
    """

    measure: Literal["kernel_regression"]
    sizes: list[Count] = Field(
        min_length=1, description="training-set sizes; the first so many training points"
    )
    ridge: Annotated[float, Field(ge=0, allow_inf_nan=False), NotBoolean] = Field(
        0.0, description="added to the eigenvalues of K / N"
    )

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        if len(set(self.sizes)) < len(self.sizes):
            yield "sizes", f"found {self.sizes}, expected each size once"
        if max(self.sizes) > dataset.train.count:
            yield (
                "sizes",
                f"found {max(self.sizes)}, the data set has {dataset.train.count} training points",
            )
        if dataset.target.kind != "one_hot" or dataset.test is None:
            yield "dataset", f"{self.dataset!r} needs the target one_hot and `test` points here"


Experiment = Annotated[
    KernelProfile | FunctionBands | PrincipalComponent | WidthScaling | KernelRegression,
    Field(discriminator="measure"),
]
