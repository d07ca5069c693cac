"""The `training` of an experiment: what is minimised, how, and what is recorded."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from ntkflow.datasets.config import DatasetConfig
from ntkflow.kernels.names import imported_function
from ntkflow.keys import (
    Count,
    Fault,
    Natural,
    NotBoolean,
    PositiveFinite,
    Strict,
    shorthand,
)
from ntkflow.networks.names import check_cost_name

__all__ = ["TrainingConfig"]


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
Share = Annotated[float, Field(ge=0, lt=1), NotBoolean]


class GradientDescent(Strict):
    """What the theory is of."""

    name: Literal["gradient_descent"]


class Momentum(Strict):
    """Gradient descent with momentum."""

    name: Literal["momentum"]
    momentum: Share = Field(0.9, description="share of the last change that each change keeps")
    nesterov: bool = Field(False, description="whether the gradient is Nesterov's")


class Adam(Strict):
    """Adam (Kingma & Ba 2015)."""

    name: Literal["adam"]
    b1: Share = Field(0.9, description="decay of the mean of gradients")
    b2: Share = Field(0.999, description="decay of the mean of their squares")
    eps: PositiveFinite = Field(1e-8, description="added to the root of the latter")


Optimizer = Annotated[
    Annotated[GradientDescent | Momentum | Adam, Field(discriminator="name")],
    shorthand(
        "name",
        Literal["gradient_descent", "momentum", "adam"] | GradientDescent | Momentum | Adam,
    ),
]


def _known(name: str) -> str:
    check_cost_name(name)
    if ":" in name:
        imported_function(name, "cost")
    return name


class TrainingConfig(Strict):
    """Full-batch gradient descent on least squares, unless it says otherwise."""

    learning_rate: PositiveFinite = Field(1.0, description="eta; time is eta x steps")
    steps: Annotated[int, Field(gt=0, lt=2**31), NotBoolean] = Field(description="number of steps")
    cost: Annotated[str, AfterValidator(_known)] = Field(
        "least_squares", description="what is minimised: a name, or module:function"
    )
    optimizer: Optimizer = Field(
        GradientDescent(name="gradient_descent"),
        description="name, or mapping of `name` and options",
    )
    batch_size: Count | None = Field(None, description="training points of a step; all by default")
    function_steps: Spaced | Steps = Field(
        Spaced(), description="steps at which f is recorded: listed, or count and spacing"
    )
    kernel_steps: Spaced | Steps | None = Field(
        None,
        description="steps at which the empirical NTK is recorded, in the same way; first and "
        "last by default",
    )
    probe: Literal["all", "train", "test"] = Field(
        "all", description="points at which f and the empirical NTK are recorded"
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
        """Bytes of a recorded number."""
        return 8 if self.precision == "float64" else 4

    @property
    def departures(self) -> dict[str, tuple[Any, Any]]:
        """What the theory has otherwise, and how: JGH's is gradient descent on least squares."""
        found = {
            "cost": (self.cost, "least_squares"),
            "optimizer": (self.optimizer.name, "gradient_descent"),
            "batch_size": (self.batch_size, None),
            "probe": (self.probe, "all"),
        }
        return {key: pair for key, pair in found.items() if pair[0] != pair[1]}

    def probed(self, dataset: DatasetConfig) -> int:
        """Number of points at which there are records."""
        train = dataset.train.count
        return {"all": dataset.points, "train": train, "test": dataset.points - train}[self.probe]

    def problems(self, dataset: DatasetConfig) -> Iterator[tuple[str, str]]:
        """Yield (key, complaint) for what does not fit the data set."""
        target = dataset.target
        if self.batch_size is not None and self.batch_size > dataset.train.count:
            yield (
                "batch_size",
                f"found {self.batch_size}, the data set has {dataset.train.count} training points",
            )
        if self.probe == "test" and dataset.test is None:
            yield "probe", "found 'test', the data set has no `test` points"
        if self.cost == "cross_entropy" and target.kind != "one_hot":
            yield "cost", f"found 'cross_entropy', expected the target one_hot, not {target.kind}"
        if self.cost == "logistic" and target.kind != "one_vs_rest":
            yield "cost", f"found 'logistic', expected the target one_vs_rest, not {target.kind}"
