"""Base class for the settings of measures of regression, on all points or with landmarks."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Count, NotBoolean
from ntkflow.measures.common.experiment import Experiment, Problems, remedy, repeated


def _several(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _number(value: Any) -> Any:
    if value == "all":
        return value
    try:  # YAML reads 1e3 as a string
        number = -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not (number.is_integer() and number > 0):
        raise ValueError(f"found {value!r}, expected an integer of at least 1, or all")
    return int(number)


Landmarks = Annotated[Count | Literal["all"], BeforeValidator(_number)]


class Regression(Experiment):
    """Base class for kernel regression on the first training points, with or without landmarks."""

    reads: ClassVar[tuple[str, ...]] = ("dataset", "limiting", "landmarks")
    elsewhere: ClassVar[frozenset[str]] = frozenset({"selection"})

    sizes: list[Count] = Field(
        min_length=1, description="training-set sizes; size n uses the first n training points"
    )
    landmarks: Annotated[
        list[Landmarks],
        Field(min_length=1),
        BeforeValidator(_several, json_schema_input_type=Landmarks | list[Landmarks]),
    ] = Field(
        ["all"],
        description="numbers of landmarks, which are chosen among the training points in use; "
        "`all` is the regression on all of them",
    )
    selection: Literal["random", "k-means++"] = Field(
        "random", description="choice of landmarks; k-means++ spreads them out"
    )
    ridge: Annotated[float, Field(ge=0, allow_inf_nan=False), NotBoolean] = Field(
        0.0,
        description="constant added to the eigenvalues of K / N, K being either kernel; 0 is the "
        "limit of infinite training time; noise of variance s^2 in the targets is ridge = s^2 / N",
    )

    @property
    def counts(self) -> list[int]:
        """Numbers of landmarks, without `all`."""
        return sorted(number for number in self.landmarks if number != "all")

    @property
    def needs(self) -> tuple[str, ...]:
        unused = {"limiting": "all" not in self.landmarks, "landmarks": not self.counts}
        return tuple(kind for kind in self.reads if not unused.get(kind))

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from super().problems(dataset, network)
        yield from repeated("sizes", self.sizes, "size")
        yield from repeated("landmarks", self.landmarks, "number")
        most, count = max(self.sizes), dataset.train.count
        if most > count:
            yield "sizes", f"found {most}, the data set has {count} training points"
        if self.counts and self.counts[-1] > min(self.sizes):
            yield (
                "landmarks",
                f"found {self.counts[-1]}, expected at most {min(self.sizes)}, the smallest of the "
                "training-set sizes",
            )
        if dataset.test is None or not dataset.target.known_at(dataset.test):
            needed = "`test` points at which the target is known"
            yield "dataset", f"{self.dataset!r} needs {needed}{remedy(dataset)}"
