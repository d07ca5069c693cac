"""Settings of the measure `kernel_regression`."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Count, NotBoolean
from ntkflow.measures.common.experiment import Experiment, Problems, repeated

Number = Count | Literal["all"]


def _several(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


class Settings(Experiment):
    """Test error of regression with the NNGP kernel and the limiting NTK, by training-set size.

    Trains no networks. Without a ridge, regression with the NTK gives the mean of infinitely wide
    networks at infinite time. Needs `test` points at which the target is known. With `landmarks`
    it needs no kernel of all pairs of points, and takes millions of them.
    """

    reads: ClassVar[tuple[str, ...]] = ("dataset", "limiting", "landmarks")
    elsewhere = frozenset({"selection"})
    parallel = True
    title = "Test error of regression with the limiting kernels"
    caption = (
        "Test error of regression with the NNGP kernel and with the limiting NTK, against the "
        "number of training points or of landmarks. With one-hot targets it is the fraction of "
        "test points that are misclassified, the class being the largest output, with 95 % Wilson "
        "intervals over the test points; a bar without a point means that none was misclassified. "
        "With other targets it is the mean square of f - f*, with its 95 % interval over the test "
        "points. Without a ridge, regression with the NTK on all points is the mean of infinitely "
        "wide networks trained to convergence."
    )
    alt = (
        "One panel on logarithmic axes: test error against the number of training points or of "
        "landmarks, curves for the NNGP kernel and for the limiting NTK."
    )

    sizes: list[Count] = Field(
        min_length=1, description="training-set sizes; size n uses the first n training points"
    )
    landmarks: Annotated[
        list[Number],
        Field(min_length=1),
        BeforeValidator(_several, json_schema_input_type=Number | list[Number]),
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
        "limit of infinite training time",
    )

    @property
    def counts(self) -> list[int]:
        """Numbers of landmarks, without `all`."""
        return sorted(number for number in self.landmarks if number != "all")

    @property
    def needs(self) -> tuple[str, ...]:
        dense = ("limiting",) if "all" in self.landmarks else ()
        return ("dataset", *dense, *(("landmarks",) if self.counts else ()))

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
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
            yield "dataset", f"{self.dataset!r} needs `test` points with a target here"
