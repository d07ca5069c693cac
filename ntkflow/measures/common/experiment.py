"""Base classes for the settings of measures.

The settings of a measure are a class ``Settings`` in its module ``settings``: its keys in an
experiment, the stores it reads, and its caption. Planning imports these modules, so they must
import neither JAX nor xarray.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from ntkflow.configuration.networks import FullyConnectedConfig, NetworkConfig
from ntkflow.configuration.training import TrainingConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Count, NotBoolean, PositiveFinite, Strict

PAPER = "Jacot, Gabriel & Hongler (2018)"

RECORDED_KERNELS_LIMIT = 2**31
"""Largest size in bytes of the kernels recorded for one width, which are in memory at once."""

REQUIRED_KEYS = {
    "dataset": (),
    "limiting": (),
    "spectrum": (),
    "gaussian": ("band_times",),
    "ensembles": ("widths", "seeds", "training"),
    "dynamics": ("widths", "seeds", "training"),
    "initial": ("initial", "training"),
    "landmarks": ("landmarks", "selection", "sizes", "ridge"),
    "networks": (),
}
"""Kinds of data that a measure can read, and the keys that their rules use."""

COMPARED = {"limiting", "spectrum", "gaussian", "dynamics", "landmarks"}
"""Kinds of data that only networks with a limit have."""

Width = Annotated[int, Field(gt=0, le=2**20), NotBoolean]
Draws = Annotated[int, Field(ge=20, le=10**7), NotBoolean]
Seeds = Annotated[int, Field(ge=2, le=10**6), NotBoolean]
Problems = Iterator[tuple[str, str]]


class Experiment(Strict):
    """Base class of the settings of all measures."""

    # Attributes of `Sources` that the measure uses: keys of `REQUIRED_KEYS`.
    reads: ClassVar[tuple[str, ...]] = ("dataset", "limiting")
    elsewhere: ClassVar[frozenset[str]] = frozenset()  # keys that only other rules use
    parallel: ClassVar[bool] = False  # whether it uses all cores for kernels of several blocks
    fully_connected: ClassVar[bool] = False  # whether other networks are of no use to it
    width_table: ClassVar[bool] = False  # whether `figure` has a function ``tabulate_widths``
    title: ClassVar[str] = ""  # of the figure
    caption: ClassVar[str] = ""  # below the figure
    alt: ClassVar[str] = ""  # description of the figure for those who cannot see it
    paper: ClassVar[str] = ""  # place of the statement that the measure tests; empty if none
    source: ClassVar[str] = PAPER  # publication of the statement
    statement: ClassVar[str] = ""  # the docstring by default

    measure: str = Field(description="name of the measure")
    dataset: str = Field(description="name of a data set")
    network: str = Field(description="name of a network")

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        if cls.paper and not cls.statement:
            cls.statement = " ".join((cls.__doc__ or "").split())
        for kind in cls.reads:
            if kind not in REQUIRED_KEYS:
                known = ", ".join(REQUIRED_KEYS)
                raise ValueError(f"reads: found {kind!r}, expected some of {known}")
            if missing := {*REQUIRED_KEYS[kind]} - cls.model_fields.keys():
                raise ValueError(f"reads: {kind!r} needs the keys {sorted(missing)}")
            if kind == "landmarks" and not hasattr(cls, "counts"):
                raise ValueError(f"reads: {kind!r} needs the base class `regression.Regression`")

    @property
    def needs(self) -> tuple[str, ...]:
        """Those of `reads` that this experiment uses; all by default."""
        return self.reads

    @property
    def shared(self) -> set[str]:
        """Keys that other rules use, or that the measure finds in its sources."""
        return {"measure", "dataset", "network", "widths", *self.elsewhere}

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments of the function `measure`."""
        return self.model_dump(mode="json", exclude=self.shared)

    @property
    def goal(self) -> dict[str, Any]:
        """Component and amplitude of the goal of training; the target of the data set if empty."""
        return {}

    def network_label(self, network: NetworkConfig) -> str:
        """Label of the network in figures and tables."""
        return network.label

    def network_problems(self, network: NetworkConfig) -> Problems:
        """Yield a complaint if the measure cannot use a network of this kind."""
        found = f"{self.network!r} is {network.what}"
        if self.fully_connected and not isinstance(network, FullyConnectedConfig):
            yield "network", f"{found}; {self.measure!r} needs a fully-connected network"
        elif network.limit is None and (COMPARED & {*self.needs} or self.goal):
            yield (
                "network",
                f"{found}, which has no limit; {self.measure!r} compares with the limit",
            )

    def statement_on(self, dataset: DatasetConfig) -> str:
        """Statement as figures and tables of this data set print it."""
        return self.statement

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        """Yield (key, complaint) for what does not fit the data set or the network."""
        yield from ()

    def class_problems(self, dataset: DatasetConfig) -> Problems:
        """Yield a complaint unless the points are labelled by class and some are test points."""
        if dataset.target.kind != "one_hot" or dataset.test is None:
            yield "dataset", f"{self.dataset!r} needs the target one_hot and `test` points"


def place_of(experiment: Experiment | type[Experiment]) -> str:
    """Place of the statement of a claim, with its publication unless that is JGH."""
    jgh = experiment.source == PAPER
    return experiment.paper if jgh else f"{experiment.source}, {experiment.paper}"


def remedy(dataset: DatasetConfig) -> str:
    """How to give test points to a data set whose training points are in a file."""
    file = dataset.train.inputs == "file" and dataset.test is None
    return "; add `split` to `train`, or `test`" if file else ""


def repeated(key: str, values: Sequence[object], what: str) -> Problems:
    """Yield a complaint if a value occurs more than once."""
    if len(set(values)) < len(values):
        yield key, f"found {values}, expected each {what} once"


class Widths(Experiment):
    """Base class of measures over widths."""

    fewest_widths: ClassVar[int] = 1
    widths: list[Width] = Field(min_length=1, description="widths n of networks, each once")

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        yield from repeated("widths", self.widths, "width")
        if len(self.widths) < self.fewest_widths:
            yield "widths", f"found {self.widths}, expected at least {self.fewest_widths}"


class Untrained(Widths):
    """Base class of measures that draw or train the networks they need."""

    reads: ClassVar[tuple[str, ...]] = ("dataset", "limiting", "networks")


class Classifying(Untrained):
    """Base class of measures of classification that train networks themselves."""

    seeds: Seeds = Field(3, description="number of initialisations of each width")
    learning_rate: PositiveFinite = Field(1.0, description="learning rate")
    steps: Count = Field(description="number of steps of gradient descent")

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        yield from self.class_problems(dataset)


class Trained(Widths):
    """Base class of measures of networks that the workflow trains."""

    reads: ClassVar[tuple[str, ...]] = ("ensembles",)

    seeds: Count = Field(10, description="number of initialisations of each width")
    training: TrainingConfig = Field(description="gradient descent and what it records")

    on_circle: ClassVar[bool] = False  # whether it needs test points on the circle
    drift: ClassVar[bool] = False  # whether it needs kernels at t = 0 and later
    # Keys of `training` that may differ from what the theory assumes.
    free: ClassVar[frozenset[str]] = frozenset()

    @property
    def recorded_functions(self) -> list[int]:
        """Steps at which networks record f."""
        return self.training.recorded_functions

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        if self.on_circle and not dataset.probed_on_circle:
            yield "dataset", f"{self.dataset!r} needs `test` points with `inputs: circle`"
        yield from self._departures()
        for key, complaint in self.training.problems(dataset):
            yield f"training.{key}", complaint
        yield from self._size_problems(dataset, network)
        found = self.training.recorded_kernels
        if self.drift and (len(found) < 2 or found[0] != 0):
            yield "training.kernel_steps", f"found {found}, expected 0 and a later step"

    def linearised_problems(self, network: NetworkConfig) -> Problems:
        """Yield a complaint unless networks have one output, and Theta(0) is recorded."""
        if network.outputs > 1:
            yield "network", f"{self.network!r} has {network.outputs} outputs, expected one"
        if 0 not in self.training.recorded_kernels:
            yield "training.kernel_steps", "expected 0 among them, for Theta(0) of each network"

    def _departures(self) -> Problems:
        limit = "this measure compares networks with the limit of full-batch gradient "
        reasons = {"probe": "this measure needs the records of all points"}
        for key, (found, usual) in self.training.departures.items():
            if key not in self.free:
                expected = "null" if usual is None else repr(usual)
                reason = reasons.get(key, f"{limit}descent on least squares")
                yield f"training.{key}", f"found {found!r}, expected {expected}: {reason}"

    def _size_problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
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

    @property
    def shared(self) -> set[str]:
        """Keys of every experiment, and those with which networks were trained."""
        return super().shared | {"seeds", "training"}


class OffTraining(Trained):
    """Base class of measures of trained networks at training and test points."""

    reads: ClassVar[tuple[str, ...]] = ("dataset", "limiting", "ensembles")

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        if dataset.test is None:
            yield "dataset", f"{self.dataset!r} needs `test` points{remedy(dataset)}"


class AlongComponent(Trained):
    """Base class of measures of networks trained along one kernel principal component.

    The goal is f_theta(0) + amplitude x f^(component); the target of the data set is not used.
    """

    component: Count = Field(
        2, description="component to train along; 1 has the largest eigenvalue"
    )
    amplitude: PositiveFinite = Field(
        0.5, description="distance of the goal along the component, in each output"
    )

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        count = dataset.train.count
        if self.component >= count:
            yield "component", f"found {self.component}, the data set has {count} points"
        if 0 not in self.training.recorded_kernels:
            yield "training.kernel_steps", "expected 0 among them, for the network's eigenvalues"

    @property
    def goal(self) -> dict[str, Any]:
        """Component and amplitude of the goal."""
        return {"component": self.component, "amplitude": self.amplitude}
