"""Models of the key `training` of an experiment: cost, optimiser and records."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from ntkflow.datasets.config import DatasetConfig
from ntkflow.functions import imported_function
from ntkflow.keys import Count, Fault, Natural, NotBoolean, PositiveFinite, Strict, shorthand
from ntkflow.networks.names import check_cost_name


class Spaced(Strict):
    """Steps to record, in place of a list: `count` of them between the first and the last."""

    count: Annotated[int, Field(ge=2, le=100_000), NotBoolean] = Field(
        41, description="number of steps; those that coincide count once"
    )
    spacing: Literal["geometric", "linear"] = Field("geometric", description="spacing of the steps")

    def steps(self, last: int) -> list[int]:
        if self.spacing == "linear":
            grid = [last * i / (self.count - 1) for i in range(self.count)]
        else:
            grid = [0.0, *(last ** (i / (self.count - 2 or 1)) for i in range(self.count - 1))]
        return sorted({0, *(min(round(step), last) for step in grid), last})


Steps = list[Natural]
Fraction = Annotated[float, Field(ge=0, lt=1), NotBoolean]


class GradientDescent(Strict):
    """Plain gradient descent, the optimiser the theory covers."""

    name: Literal["gradient_descent"]


class Momentum(Strict):
    """Gradient descent with momentum."""

    name: Literal["momentum"]
    momentum: Fraction = Field(0.9, description="weight of the previous update")
    nesterov: bool = Field(False, description="true for Nesterov momentum")


class Adam(Strict):
    """Adam (Kingma & Ba 2015)."""

    name: Literal["adam"]
    b1: Fraction = Field(0.9, description="decay rate of the mean of the gradients")
    b2: Fraction = Field(0.999, description="decay rate of the mean of the squared gradients")
    eps: PositiveFinite = Field(1e-8, description="constant added to the denominator")


Optimizer = Annotated[
    Annotated[GradientDescent | Momentum | Adam, Field(discriminator="name")],
    shorthand(
        "name", Literal["gradient_descent", "momentum", "adam"] | GradientDescent | Momentum | Adam
    ),
]


def _known(name: str) -> str:
    check_cost_name(name)
    if ":" in name:
        imported_function(name, "cost")
    return name


class TrainingConfig(Strict):
    """Full-batch gradient descent on least squares, unless keys select another method.

    Only `kernel_drift` and `kernel_profile` allow another `cost`, `optimizer` or `batch_size`: the
    other measures compare networks with the closed form of this method. The recorded kernels of one
    width are in memory at once: seeds x steps x points^2 x outputs^2 x 4 bytes (8 in float64) may
    be at most 2 GiB.
    """

    learning_rate: PositiveFinite = Field(
        1.0, description="learning rate eta, stable below 2 / lambda_1; time is eta x steps"
    )
    steps: Annotated[int, Field(gt=0, lt=2**31), NotBoolean] = Field(
        description="number of steps of gradient descent"
    )
    cost: Annotated[str, AfterValidator(_known)] = Field(
        "least_squares",
        description="cost: `least_squares`, `logistic`, `cross_entropy`, or module:function for a "
        "function c(f, y) of JAX arrays",
    )
    optimizer: Optimizer = Field(
        GradientDescent(name="gradient_descent"),
        description="optimiser of optax: a name, or a mapping of `name` and options",
    )
    batch_size: Count | None = Field(
        None, description="number of training points per step; `null` is all of them"
    )
    function_steps: Spaced | Steps = Field(
        Spaced(), description="steps at which f is recorded, besides 0 and the last"
    )
    kernel_steps: Spaced | Steps | None = Field(
        None,
        description="steps at which the empirical NTK is recorded; `null` is the first and the "
        "last, `[]` is none",
    )
    probe: Literal["all", "train", "test"] = Field(
        "all",
        description="points at which f and the empirical NTK are recorded; other than all only for "
        "the measure `kernel_drift`",
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
        if isinstance(self.kernel_steps, Spaced):
            return self.kernel_steps.steps(self.steps)
        return sorted(set([0, self.steps] if self.kernel_steps is None else self.kernel_steps))

    @property
    def itemsize(self) -> int:
        """Bytes per recorded number."""
        return 8 if self.precision == "float64" else 4

    @property
    def departures(self) -> dict[str, tuple[Any, Any]]:
        """Keys that depart from the paper's setting: value found and value there, by key."""
        found = {
            "cost": (self.cost, "least_squares"),
            "optimizer": (self.optimizer.name, "gradient_descent"),
            "batch_size": (self.batch_size, None),
            "probe": (self.probe, "all"),
        }
        return {key: pair for key, pair in found.items() if pair[0] != pair[1]}

    def probed(self, dataset: DatasetConfig) -> int:
        """Number of points at which f and the NTK are recorded."""
        train = dataset.train.count
        return {"all": dataset.points, "train": train, "test": dataset.points - train}[self.probe]

    def problems(self, dataset: DatasetConfig) -> Iterator[tuple[str, str]]:
        """Yield (key, complaint) for each key that does not fit the data set."""
        target, points, batch = dataset.target, dataset.train.count, self.batch_size
        if batch is not None and batch > points:
            yield "batch_size", f"found {batch}, the data set has {points} training points"
        if self.probe == "test" and dataset.test is None:
            yield "probe", "found 'test', the data set has no `test` points"
        if self.cost == "cross_entropy" and target.kind != "one_hot":
            yield "cost", f"found 'cross_entropy', expected the target one_hot, not {target.kind}"
        if self.cost == "logistic" and target.kind != "one_vs_rest":
            yield "cost", f"found 'logistic', expected the target one_vs_rest, not {target.kind}"
