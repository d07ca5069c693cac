"""Base classes of inputs and targets, and how their kinds are found."""

import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import numpy as np
from numpy.random import SeedSequence, default_rng
from numpy.typing import NDArray
from pydantic import Field

from ntkflow.keys import Count, Fault, Strict
from ntkflow.words import listed

Real = NDArray[np.float64]
Integers = NDArray[np.int64]
Classes = tuple[int | str, ...]


@dataclass(frozen=True)
class Points:
    """Inputs x, shape (n, n_0), and what is known about them.

    `angle` and `label`, shape (n,), are the exact angle in the plane, and the index among
    `classes`. `y`, shape (n, n_L), are values that come with the points. `names` are those of the
    n_0 columns of x, if these have names.
    """

    x: Real
    angle: Real | None = None
    label: Integers | None = None
    classes: Classes = ()
    y: Real | None = None
    names: tuple[str, ...] = ()

    @property
    def empty(self) -> "Points":
        """No points, of the same kind."""
        known = {key: v for key, v in vars(self).items() if isinstance(v, np.ndarray)}
        none: dict[str, Any] = {key: array[:0] for key, array in known.items()}
        return replace(self, **none)


class Inputs(Strict):
    """A kind of inputs. A subclass has the key ``inputs``, a `Literal` or a pattern."""

    stated: ClassVar[tuple[str, ...]] = ("inputs", "samples", "features")
    """Keys that `place` puts into words."""
    on_circle: ClassVar[bool] = False
    label_name: ClassVar[str] = "class label"
    """Attribute `long_name` of the labels in stores."""

    if TYPE_CHECKING:
        inputs: str

        @property
        def features(self) -> int:
            """Dimension n_0 of the points; a key, or a property of the subclass."""

        @property
        def count(self) -> int:
            """Number of points."""

    @property
    def classes(self) -> Classes:
        """Classes of the points, in the order of outputs; empty if the points have no labels."""
        return ()

    @property
    def y_columns(self) -> int:
        """Number of columns of `Points.y`; 0 if the points come without values."""
        return 0

    @property
    def collection(self) -> str | None:
        """Name of the finite collection that the points are drawn from.

        `make_dataset` draws training and test points of one collection with one seed.
        """
        return None

    @property
    def rest(self) -> "Inputs | None":
        """Test points that come with these training points."""
        return None

    def faults(self, test: "Inputs") -> Iterator[Fault]:
        """Keys of test points that do not fit these training points."""
        yield from ()

    @property
    def files(self) -> list[str]:
        """Files that the points depend on: a change to one draws the points again."""
        return []

    @property
    def options(self) -> Mapping[str, Any]:
        """Keys that a caption lists after the place of the points."""
        keys = self.model_dump(mode="json", exclude_none=True)
        return {key: value for key, value in keys.items() if key not in self.stated}

    @property
    def record(self) -> Mapping[str, Any]:
        """Keys that the store of a data set records: facts about the data, not the machine."""
        return self.model_dump(mode="json", exclude_none=True)

    def described(self, role: str) -> str:
        """Number and place of the points, for captions; `role` is "training" or "test"."""
        options = listed(self.options)
        return f"{self.count} {self.place(role)}" + (f" ({options})" if options else "")

    def place(self, role: str) -> str:
        """Source of the points in words, such as "training points on the unit circle"."""
        raise NotImplementedError

    def draw(self, seed: SeedSequence, skip: int) -> Points:
        """Draw the points; `skip` is the number of points of the collection drawn already."""
        raise NotImplementedError

    def preprocessed(self, x: Real, reference: Real) -> Real:
        """Preprocess x; statistics are those of `reference`, the training points as drawn."""
        return x


class Sampled(Inputs):
    """Inputs whose number is the key ``samples``."""

    samples: Count = Field(description="number of points")

    @property
    def count(self) -> int:
        return self.samples


class Target(Strict):
    """A kind of target f*. A subclass has the key ``kind``, a `Literal`."""

    labelled: ClassVar[bool] = False
    """True if the target depends on labels alone; label noise is then a probability."""

    if TYPE_CHECKING:
        kind: str

    def outputs(self, train: Inputs) -> int:
        """Number of outputs n_L."""
        return 1

    def faults(self, train: Inputs, test: Inputs | None) -> Iterator[Fault]:
        """Keys of the target that do not fit the inputs."""
        yield from ()

    def known_at(self, test: Inputs) -> bool:
        """Return True if f* is known at test points."""
        return True

    def described(self) -> str:
        """The target in words, for captions."""
        options = listed(self.model_dump(mode="json", exclude={"kind"}))
        return self.kind.replace("_", " ") + (f" ({options})" if options else "")

    def record(self, train: Points) -> Mapping[str, Any]:
        """Keys that the store of a data set records."""
        return self.model_dump(mode="json", exclude_none=True)

    def evaluate(self, train: Points, test: Points) -> Real:
        """f* of training points, then test points, shape (sample, output)."""
        raise NotImplementedError

    def noisy(self, train: Points, test: Points, noise: float, seed: SeedSequence) -> Real:
        """`evaluate` with N(0, noise^2) added at training points."""
        y = self.evaluate(train, test)
        y[: len(train.x)] += noise * default_rng(seed).standard_normal((len(train.x), y.shape[1]))
        return y


class FromLabels(Target):
    """A target that depends on the class of a point alone."""

    labelled: ClassVar[bool] = True

    def by_class(self, classes: Classes) -> Real:
        """Target of each class, shape (class, output)."""
        raise NotImplementedError

    def faults(self, train: Inputs, test: Inputs | None) -> Iterator[Fault]:
        if not train.classes or (test is not None and not test.classes):
            expected = "labelled inputs: digits, mnist, or a file with the key label"
            yield Fault("kind", f"found {self.kind}, expected {expected}")
        elif len(train.classes) < 2:
            yield Fault(
                "kind", f"found {self.kind}, but all labels are {train.classes[0]!r}; expected two"
            )

    def evaluate(self, train: Points, test: Points) -> Real:
        """NaN at test points without a label."""
        assert train.label is not None
        table = self.by_class(train.classes)
        undefined = np.full((len(test.x), table.shape[1]), np.nan)
        return np.concatenate(
            [table[train.label], undefined if test.label is None else table[test.label]]
        )

    def noisy(self, train: Points, test: Points, noise: float, seed: SeedSequence) -> Real:
        """`evaluate` with each training label replaced with probability `noise` by another."""
        assert train.label is not None
        random, count = default_rng(seed), len(train.label)
        replaced = random.random(count) < noise
        others = random.integers(1, len(train.classes), count)
        label = (train.label + replaced * others) % len(train.classes)
        return self.evaluate(Points(train.x, label=label, classes=train.classes), test)


def find_kinds(base: type[Strict], package: str, key: str) -> dict[str, type[Any]]:
    """Subclasses of `base` in the modules of a package, by the values of their key."""
    found: dict[str, type[Any]] = {}
    for module in pkgutil.iter_modules(import_module(package).__path__, f"{package}."):
        for kind in vars(import_module(module.name)).values():
            if isinstance(kind, type) and issubclass(kind, base) and key in kind.model_fields:
                (name,) = get_args(kind.model_fields[key].annotation) or ("module:function",)
                found[name] = kind
    return found
