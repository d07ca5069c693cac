"""Settings of the measure `kernel_regression`."""

from typing import Annotated

from pydantic import Field

from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Count, NotBoolean
from ntkflow.measures.common.experiment import Experiment, Problems, repeated


class Settings(Experiment):
    """Test error of regression with the NNGP kernel and the limiting NTK, by training-set size.

    Trains no networks. Without a ridge, regression with the NTK gives the mean of infinitely wide
    networks at infinite time. Needs the target `one_hot` and `test` points.
    """

    parallel = True
    title = "Test error of regression with the limiting kernels"
    caption = (
        "Fraction of test points that regression with the NNGP kernel and with the limiting NTK "
        "misclassifies, against the number of training points. Bars are 95 % Wilson intervals over "
        "the test points; a bar without a point means that none was misclassified. The class is "
        "the largest output. Without a ridge, regression with the NTK is the mean of infinitely "
        "wide networks trained to convergence."
    )
    alt = (
        "One panel on logarithmic axes: test error against the number of training points, one "
        "curve for the NNGP kernel and one for the limiting NTK."
    )

    sizes: list[Count] = Field(
        min_length=1, description="training-set sizes; size m uses the first m training points"
    )
    ridge: Annotated[float, Field(ge=0, allow_inf_nan=False), NotBoolean] = Field(
        0.0,
        description="constant added to the eigenvalues of K / N, K being either kernel; 0 is the "
        "limit of infinite training time",
    )

    def problems(self, dataset: DatasetConfig, network: NetworkConfig) -> Problems:
        yield from repeated("sizes", self.sizes, "size")
        most, count = max(self.sizes), dataset.train.count
        if most > count:
            yield "sizes", f"found {most}, the data set has {count} training points"
        yield from self.class_problems(dataset)
