"""Experiments that hold a statement of the paper against numbers.

The docstring of a model is the statement, `paper` where it stands. The measure's name is that of
its rule, of its module in `ntkflow/claims/` and of its figure.
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ntkflow.configuration.measures import (
    BaseExperiment,
    PrincipalComponent,
    TrainedExperiment,
    Width,
)
from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Count, Natural, NotBoolean, PositiveFinite, Strict

__all__ = ["CLAIMS", "Claim"]

Draws = Annotated[int, Field(ge=20, le=10**7), NotBoolean]
Seeds = Annotated[int, Field(ge=2, le=10**6), NotBoolean]


class _Claim(Strict):
    paper: ClassVar[str]

    @classmethod
    def statement(cls) -> str:
        """What the claim is."""
        return " ".join((cls.__doc__ or "").split())

    @property
    def settings(self) -> dict[str, Any]:
        """Keys of the claim's own, those of its `measure` function."""
        general = {"measure", "dataset", "network", "widths", "training"}
        trained: set[str] = {"seeds"} if isinstance(self, TrainedExperiment) else set()
        return self.model_dump(mode="json", exclude=general | trained)


class _Untrained(_Claim, BaseExperiment):
    """A claim whose measure draws, or trains, what networks it needs."""

    widths: list[Width] = Field(min_length=1, description="widths n")
    least: ClassVar[int] = 1

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        yield from super().needs(dataset, network)
        if len(set(self.widths)) < len(self.widths):
            yield "widths", f"found {self.widths}, expected each width once"
        if len(self.widths) < self.least:
            yield "widths", f"found {self.widths}, expected at least {self.least}"


class _Tested(_Claim, TrainedExperiment):
    """A claim about networks that the workflow trains, away from the training points too."""

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        yield from super().needs(dataset, network)
        if dataset.test is None:
            yield "dataset", f"{self.dataset!r} needs `test` points here"


class _Classifying(_Untrained):
    """A claim about classes, for which networks are trained by its measure."""

    seeds: Seeds = Field(3, description="initialisations")
    learning_rate: PositiveFinite = Field(1.0, description="step in time")
    steps: Count = Field(description="steps of gradient descent")

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        yield from super().needs(dataset, network)
        if dataset.target.kind != "one_hot" or dataset.test is None:
            yield "dataset", f"{self.dataset!r} needs the target one_hot and `test` points here"


class _Alone(_Claim, BaseExperiment):
    """A claim about kernels: no network is drawn."""


class GaussianProcess(_Untrained):
    """Wide networks at initialisation are a Gaussian process with the NNGP kernel."""

    paper = "Proposition 1"
    measure: Literal["gaussian_process"]
    draws: Draws = Field(description="initialisations a width")
    least = 2


class OutputBlocks(_Untrained):
    """The initial NTK of wide networks is the limiting one on each output, and none across."""

    paper = "Theorem 1"
    measure: Literal["output_blocks"]
    draws: Draws = Field(description="initialisations a width")
    least = 2

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        yield from super().needs(dataset, network)
        if network.outputs < 2:
            yield "network", f"{self.network!r} has one output, expected several"


class TrainingDirection(_Untrained):
    """The NTK stays what it was along any bounded training direction, not only a gradient."""

    paper = "Theorem 2"
    measure: Literal["training_direction"]
    seeds: Seeds = Field(5, description="initialisations a width")
    learning_rate: PositiveFinite = Field(1.0, description="step in time")
    steps: Count = Field(description="steps along the direction")
    least = 2


class FunctionSpace(_Untrained):
    """Gradient descent on parameters is kernel gradient descent on functions, for any cost."""

    paper = "Sections 3, 3.1 and 4"
    measure: Literal["function_space"]
    functions: Count = Field(20, description="functions of the linear model")


class ConvexCosts(_Alone):
    """Kernel gradient descent finds the minimum of a convex cost if the kernel is definite."""

    paper = "Section 3"
    measure: Literal["convex_costs"]
    time: PositiveFinite = Field(description="end of the flow, in units of 1 / lambda_min")


class RandomFunctions(_Alone):
    """A linear model of random functions descends along its kernel, which tends to theirs."""

    paper = "Section 3.1, Remark on random functions"
    measure: Literal["random_functions"]
    functions: list[Count] = Field(min_length=2, description="numbers P of random functions")
    draws: Draws = Field(description="draws of them")


class PositiveDefiniteness(_Alone):
    """On the sphere the limiting NTK is positive definite unless the activation is a polynomial."""

    paper = "Proposition 2"
    measure: Literal["positive_definiteness"]
    sizes: list[Count] = Field(min_length=2, description="numbers of points on the sphere")
    frequencies: Count = Field(64, description="Fourier modes of the kernel on the circle")


class ComponentRates(_Tested):
    """Each kernel principal component of the error decays at the rate of its eigenvalue."""

    paper = "Section 5"
    measure: Literal["component_rates"]
    components: Count = Field(3, description="components looked at, the largest eigenvalues")


class GaussianInTraining(_Tested):
    """Training on least squares keeps f Gaussian over initialisations, at every time."""

    paper = "Section 5"
    measure: Literal["gaussian_in_training"]


class EarlyStopping(_Tested):
    """With noisy labels the test error has a minimum in time, where the kernel predicts it."""

    paper = "Section 5.1"
    measure: Literal["early_stopping"]


class Parametrization(_Untrained):
    """In the NTK parametrization each weight hardly moves while f moves at any width."""

    paper = "Remark 1"
    measure: Literal["parametrization"]
    seeds: Seeds = Field(5, description="initialisations a width")
    learning_rate: PositiveFinite = Field(1.0, description="in the NTK parametrization")
    steps: Count = Field(description="steps of gradient descent")
    betas: list[Annotated[float, Field(ge=0, allow_inf_nan=False), NotBoolean]] = Field(
        [0.1, 1.0], min_length=2, description="values of beta that are compared"
    )
    least = 2


class Inflation(_Claim, PrincipalComponent):
    """The NTK of narrower networks is inflated during training, so they converge faster."""

    paper = "Section 6"
    measure: Literal["inflation"]  # type: ignore[assignment]

    def needs(self, dataset: DatasetConfig, network: NetworkConfig) -> Iterator[tuple[str, str]]:
        yield from super().needs(dataset, network)
        yield from self._no_drift()


class RandomLabels(_Classifying):
    """Networks, and kernels, fit random labels; on true ones they generalise."""

    paper = "Introduction"
    measure: Literal["random_labels"]
    label_seed: Natural = Field(0, description="seed of the random labels")


class BayesianInference(_Classifying):
    """The kernel, in Bayesian inference or a support-vector machine, does as well as networks."""

    paper = "Introduction"
    measure: Literal["bayesian_inference"]
    noise: PositiveFinite = Field(0.01, description="variance of the observations' noise")


Claim = (
    GaussianProcess
    | OutputBlocks
    | TrainingDirection
    | FunctionSpace
    | ConvexCosts
    | RandomFunctions
    | PositiveDefiniteness
    | ComponentRates
    | GaussianInTraining
    | EarlyStopping
    | Parametrization
    | Inflation
    | RandomLabels
    | BayesianInference
)

CLAIMS: dict[str, type[_Claim]] = {
    model.model_fields["measure"].annotation.__args__[0]: model for model in Claim.__args__
}
"""The models by their measures."""
