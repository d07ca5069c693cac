"""The `datasets` of a configuration: inputs, targets, noise."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ntkflow.configuration.base import Count, Fault, Finite, Natural, NotBoolean, Strict

__all__ = ["DatasetConfig"]

Preprocessing = Literal["unit", "centred", "standardised", "sphere"]


class Circle(Strict):
    """Points of the unit circle, at given angles or so many of them."""

    inputs: Literal["circle"]
    angles: list[Finite] | None = Field(None, min_length=1, description="angles, in radians")
    samples: Count | None = Field(None, description="number of points, instead of angles")
    spacing: Literal["even", "random"] = Field(
        "even", description="even: from -pi to pi, both included; random: uniform angles"
    )
    images: ClassVar[bool] = False

    @model_validator(mode="after")
    def _one_of(self) -> "Circle":
        if (self.angles is None) == (self.samples is None):
            raise ValueError("give either `angles` or `samples`")
        return self

    @property
    def features(self) -> int:
        return 2

    @property
    def count(self) -> int:
        return len(self.angles) if self.angles is not None else int(self.samples or 0)


class _Sampled(Strict):
    samples: Count = Field(description="number of points")
    images: ClassVar[bool] = False

    @property
    def count(self) -> int:
        return self.samples


class Sphere(_Sampled):
    """Uniform points of the unit sphere S^{d-1}."""

    inputs: Literal["sphere"]
    features: Count = Field(description="dimension d of the space around the sphere")


class Gaussian(_Sampled):
    """Points with independent N(0, 1) coordinates."""

    inputs: Literal["gaussian"]
    features: Count = Field(description="dimension n_0")


class Digits(_Sampled):
    """The 1,797 handwritten 8x8 digits that come with scikit-learn."""

    inputs: Literal["digits"]
    preprocessing: Preprocessing = Field("unit", description="what is done to the pixels")
    features: ClassVar[int] = 64
    images: ClassVar[bool] = True
    collection: ClassVar[str] = "digits"
    available: ClassVar[int] = 1797


class Mnist(_Sampled):
    """MNIST, 28x28 digits."""

    inputs: Literal["mnist"]
    split: Literal["train", "test"] = Field("test", description="which of the two files")
    preprocessing: Preprocessing = Field("unit", description="what is done to the pixels")
    folder: str | None = Field(
        None, description="folder with the four IDX files; else NTKFLOW_MNIST_DIR, else download"
    )
    features: ClassVar[int] = 784
    images: ClassVar[bool] = True

    @property
    def collection(self) -> str:
        return f"the {self.split} split of mnist"

    @property
    def available(self) -> int:
        return {"train": 60_000, "test": 10_000}[self.split]


class Term(Strict):
    """coefficient x prod_i x_i^powers[i]."""

    coefficient: Finite = Field(1.0, description="factor")
    powers: list[Natural] = Field(description="one power a coordinate")


class Polynomial(Strict):
    """Sum of terms in the coordinates."""

    kind: Literal["polynomial"]
    terms: list[Term] = Field(min_length=1, description="the terms")
    outputs: ClassVar[int] = 1


class OneVsRest(Strict):
    """+1 for one digit, -1 for the others."""

    kind: Literal["one_vs_rest"]
    label: Annotated[int, Field(ge=0, le=9), NotBoolean] = Field(description="the digit")
    outputs: ClassVar[int] = 1


class OneHot(Strict):
    """Ten outputs, 1 for the digit shown and 0 elsewhere."""

    kind: Literal["one_hot"]
    outputs: ClassVar[int] = 10


class Values(Strict):
    """Listed values at the training points."""

    kind: Literal["values"]
    values: list[Finite] = Field(min_length=1, description="one value a training point")
    outputs: ClassVar[int] = 1


class Zero(Strict):
    """The zero function."""

    kind: Literal["zero"]
    outputs: ClassVar[int] = 1


Inputs = Annotated[Circle | Sphere | Gaussian | Digits | Mnist, Field(discriminator="inputs")]
Target = Annotated[Polynomial | OneVsRest | OneHot | Values | Zero, Field(discriminator="kind")]


class DatasetConfig(Strict):
    """Training points, test (or probe) points, and a target."""

    train: Inputs = Field(description="training points")
    test: Inputs | None = Field(None, description="points where functions and kernels are probed")
    target: Target = Field(description="the function to learn")
    label_noise: Annotated[float, Field(ge=0, allow_inf_nan=False), NotBoolean] = Field(
        0.0,
        description="noise on training targets: probability of another label, or its deviation",
    )
    seed: Natural = Field(0, description="seed of the random points and noise")

    @model_validator(mode="after")
    def _consistent(self) -> "DatasetConfig":
        _check_features(self)
        _check_images(self)
        _check_target(self)
        return self

    @property
    def points(self) -> int:
        """Number of training and test points."""
        return self.train.count + (0 if self.test is None else self.test.count)

    @property
    def probed_on_circle(self) -> bool:
        return isinstance(self.test, Circle)


def _check_features(dataset: DatasetConfig) -> None:
    expected = dataset.train.features
    if dataset.test is not None and dataset.test.features != expected:
        raise Fault(
            "test", f"found {dataset.test.features} features, expected {expected} as in `train`"
        )


def _check_images(dataset: DatasetConfig) -> None:
    """Refuse more images than there are; test images are others than the training images."""
    taken: dict[str, int] = {}
    for key, inputs in (("train", dataset.train), ("test", dataset.test)):
        if not isinstance(inputs, Digits | Mnist):
            continue
        before = taken.get(inputs.collection, 0)
        if inputs.samples > inputs.available - before:
            rest = f", {before} of them in `train`" if before else ""
            raise Fault(
                f"{key}.samples",
                f"found {inputs.samples}, expected at most {inputs.available - before}: "
                f"{inputs.collection} has {inputs.available} images{rest}",
            )
        taken[inputs.collection] = inputs.samples


def _check_target(dataset: DatasetConfig) -> None:
    train, test, target = dataset.train, dataset.test, dataset.target
    if isinstance(target, Polynomial):
        for index, term in enumerate(target.terms):
            if len(term.powers) != train.features:
                raise Fault(
                    f"target.terms.{index}.powers",
                    f"found {len(term.powers)}, expected one for each of the {train.features} "
                    "features",
                )
    if isinstance(target, Values) and len(target.values) != train.count:
        raise Fault(
            "target.values",
            f"found {len(target.values)}, expected {train.count}, one a training point",
        )
    if isinstance(target, OneVsRest | OneHot):
        if not (train.images and (test is None or test.images)):
            raise Fault(
                "target.kind", f"found {target.kind}, expected labelled inputs: digits or mnist"
            )
        if dataset.label_noise > 1:
            raise Fault(
                "label_noise", f"found {dataset.label_noise}, expected a probability, at most 1"
            )
