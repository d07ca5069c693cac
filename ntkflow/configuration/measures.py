"""What an experiment trains, records and measures; the claims are in `claims.py`."""

import math
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.config import JsonDict

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.configuration.training import TrainingConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import (
    Count,
    Finite,
    NotBoolean,
    PositiveFinite,
    Strict,
)

__all__ = [
    "BaseExperiment",
    "FunctionBands",
    "KernelDrift",
    "KernelProfile",
    "KernelRegression",
    "PrincipalComponent",
    "TrainedExperiment",
    "Width",
    "WidthScaling",
]

INITIAL_KERNELS_LIMIT = 2**30
"""Bytes of the initial kernels of one width, which are held in memory at once."""

RECORDED_KERNELS_LIMIT = 2**31
"""Bytes of the kernels that are recorded in the training of one width, held at once too."""

Width = Annotated[int, Field(gt=0, le=2**20), NotBoolean]


class BaseExperiment(Strict):
    """A measure of a data set and a network."""

    dataset: str = Field(description="name of a data set")
    network: str = Field(description="name of a network")

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        """(key, complaint) for what the experiment needs, of its data set say, and lacks."""
        yield from ()


class TrainedExperiment(BaseExperiment):
    """A measure of networks that the workflow trains."""

    widths: list[Width] = Field(min_length=1, description="widths n")
    seeds: Count = Field(10, description="initialisations a width")
    training: TrainingConfig = Field(description="gradient descent")

    on_circle: ClassVar[bool] = False
    free: ClassVar[frozenset[str]] = frozenset()
    """Keys of `training` that need not be as the theory has them."""

    @property
    def recorded_functions(self) -> list[int]:
        return self.training.recorded_functions

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        if len(set(self.widths)) < len(self.widths):
            yield "widths", f"found {self.widths}, expected each width once"
        if self.on_circle and not dataset.probed_on_circle:
            yield "dataset", f"{self.dataset!r} needs `test` points on the circle here"
        yield from self._departs()
        for key, complaint in self.training.needs(dataset):
            yield f"training.{key}", complaint
        yield from self._records_too_much(dataset, network)

    def _departs(self) -> Iterator[tuple[str, str]]:
        limit = "the limit that networks are held against here is that of full-batch gradient "
        reasons = {"probe": "this measure needs the records of all points"}
        for key, (found, usual) in self.training.departures.items():
            if key not in self.free:
                expected = "null" if usual is None else repr(usual)
                reason = reasons.get(key, f"{limit}descent on least squares")
                yield f"training.{key}", f"found {found!r}, expected {expected}: {reason}"

    def _no_drift(self) -> Iterator[tuple[str, str]]:
        found = self.training.recorded_kernels
        if len(found) < 2 or found[0] != 0:
            yield "training.kernel_steps", f"found {found}, expected 0 and a later step"

    def _records_too_much(
        self, dataset: DatasetConfig, network: NetworkConfig
    ) -> Iterator[tuple[str, str]]:
        training = self.training
        points, kernels = training.probed(dataset), self.seeds * len(training.recorded_kernels)
        size = kernels * points**2 * network.outputs**2 * training.itemsize
        if size > RECORDED_KERNELS_LIMIT:
            yield (
                "training.kernel_steps",
                f"found {len(training.recorded_kernels)} steps, whose kernels take "
                f"{size // 2**20:,} MiB a width ({kernels} kernels x {points}^2 points x "
                f"{network.outputs}^2 outputs x {training.itemsize} bytes), expected "
                f"{RECORDED_KERNELS_LIMIT // 2**20:,} MiB or less: fewer steps, seeds or points",
            )


class KernelProfile(TrainedExperiment):
    """Theta(x_0, x) along the circle, before and after training (JGH Figure 1)."""

    measure: Literal["kernel_profile"]
    reference_angle: Finite = Field(0.0, description="angle of x_0, in radians")
    on_circle: ClassVar[bool] = True
    free: ClassVar[frozenset[str]] = frozenset({"cost", "optimizer", "batch_size"})

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        yield from super().needs(dataset, network)
        if not self.training.recorded_kernels:
            yield "training.kernel_steps", "found none, expected at least one step"


def _without_default(schema: JsonDict) -> None:
    """Leave the default out of the JSON schema: JSON knows no infinity."""
    del schema["default"]


class FunctionBands(TrainedExperiment):
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


class PrincipalComponent(TrainedExperiment):
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


class WidthScaling(TrainedExperiment):
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
        yield from self._no_drift()
        yield from self._too_large(dataset.points, network.outputs)

    def _too_large(self, points: int, outputs: int) -> Iterator[tuple[str, str]]:
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


class KernelDrift(TrainedExperiment):
    """What training does to the kernel and to the cost, by width (JGH Theorem 2)."""

    measure: Literal["kernel_drift"]
    free: ClassVar[frozenset[str]] = frozenset({"cost", "optimizer", "batch_size", "probe"})

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        yield from super().needs(dataset, network)
        yield from self._no_drift()


class KernelRegression(BaseExperiment):
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
