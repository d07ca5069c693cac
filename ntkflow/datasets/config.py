"""The `datasets` of a configuration: inputs, targets, noise."""

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from ntkflow.datasets import kinds
from ntkflow.keys import Fault, Natural, NotBoolean, Strict
from ntkflow.words import listed

INPUTS = kinds.find_kinds(kinds.Inputs, "ntkflow.datasets.inputs", "inputs")
TARGETS = kinds.find_kinds(kinds.Target, "ntkflow.datasets.targets", "kind")


def inputs(entry: Any) -> Any:
    """Tag of an entry in the union of kinds; a name with a colon is a Python function."""
    named = entry.get("inputs") if isinstance(entry, Mapping) else getattr(entry, "inputs", None)
    return "module:function" if isinstance(named, str) and ":" in named else named


if TYPE_CHECKING:
    Inputs = kinds.Inputs
    Target = kinds.Target
else:
    Inputs = Annotated[
        reduce(or_, [Annotated[kind, Tag(name)] for name, kind in INPUTS.items()]),
        Discriminator(inputs),
    ]
    Target = Annotated[reduce(or_, TARGETS.values()), Field(discriminator="kind")]


class DatasetConfig(Strict):
    """Training points, test (or probe) points, and a target."""

    train: Inputs = Field(description="training points")
    test: Inputs | None = Field(None, description="points where functions and kernels are probed")
    target: Target = Field(description="the function to learn")
    label_noise: Annotated[float, Field(ge=0, allow_inf_nan=False), NotBoolean] = Field(
        0.0,
        description="noise on training targets: probability of a wrong label; for other targets, "
        "standard deviation of Gaussian noise",
    )
    seed: Natural = Field(0, description="seed of the random points and noise")

    @model_validator(mode="after")
    def _consistent(self) -> "DatasetConfig":
        if self.test is None:  # frozen, and this is still its construction
            object.__setattr__(self, "test", self.train.rest)
        for fault in self._faults():
            raise fault
        return self

    @property
    def points(self) -> int:
        """Number of training and test points."""
        return self.train.count + (0 if self.test is None else self.test.count)

    @property
    def outputs(self) -> int:
        """Number of outputs of the target."""
        return self.target.outputs(self.train)

    @property
    def probed_on_circle(self) -> bool:
        return self.test is not None and self.test.on_circle

    @property
    def entries(self) -> list[kinds.Inputs]:
        """Training points, and test points if there are any."""
        return [self.train] if self.test is None else [self.train, self.test]

    @property
    def files(self) -> list[str]:
        """Files that the points depend on: data of the user, and modules of functions."""
        return [*dict.fromkeys(file for entry in self.entries for file in entry.files)]

    @property
    def modules(self) -> list[str]:
        """Modules that define the kinds of the data set; they are imported by name."""
        return sorted({type(part).__module__ for part in (*self.entries, self.target)})

    @property
    def description(self) -> str:
        """The data set in words, for captions."""
        points = [e.described(r) for e, r in zip(self.entries, ("training", "test"), strict=False)]
        noisy = f", label noise {listed(self.label_noise)}" if self.label_noise else ""
        return f"{', '.join(points)}; target {self.target.described()}{noisy}"

    def _faults(self) -> Iterator[Fault]:
        train, test = self.train, self.test
        if test is not None:
            if test.features != train.features:
                expected = f"{train.features} as in `train`"
                yield Fault("test", f"found {test.features} features, expected {expected}")
            unknown = {*test.classes} - {*train.classes}
            if train.classes and unknown:
                label = min(unknown, key=str)
                yield Fault("test", f"found the label {label!r}, expected a label of `train`")
            yield from (Fault(f"test.{f.key}", str(f)) for f in train.faults(test))
        for fault in self.target.faults(train, test):
            yield Fault(f"target.{fault.key}", str(fault))
        if self.target.labelled and self.label_noise > 1:
            yield Fault(
                "label_noise", f"found {self.label_noise}, expected a probability, at most 1"
            )
