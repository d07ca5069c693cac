"""Images of digits, drawn without replacement from a collection."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from numpy.random import SeedSequence, default_rng
from numpy.typing import NDArray
from pydantic import model_validator

from ntkflow.datasets.kinds import Classes, Inputs, Integers, Points, Sampled
from ntkflow.datasets.preprocessing import PREPROCESSINGS, Preprocessing
from ntkflow.keys import Fault


@dataclass(frozen=True)
class Collection:
    """All images to draw from.

    Raw pixels, shape (n, n_0), and digits, shape (n,); the largest pixel value; mean and standard
    deviation of pixels / peak over the whole collection.
    """

    pixels: NDArray[Any]
    label: Integers
    peak: float
    mean: float
    deviation: float


class Images(Sampled):
    """Images of the ten digits; a subclass loads its collection and has its size."""

    classes: ClassVar[Classes] = tuple(range(10))
    label_name: ClassVar[str] = "digit shown"
    if TYPE_CHECKING:
        preprocessing: Preprocessing

        @property
        def available(self) -> int:
            """Number of images in the collection."""

    def load(self) -> Collection:
        """Read the collection."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _enough(self) -> Self:
        for fault in self._too_few(0):
            raise fault
        return self

    def faults(self, test: Inputs) -> Iterator[Fault]:
        """Test images must not be training images."""
        if isinstance(test, Images) and test.collection == self.collection:
            yield from test._too_few(self.samples)

    def _too_few(self, taken: int) -> Iterator[Fault]:
        left = self.available - taken
        if self.samples > left:
            rest = f", {taken} of them in `train`" if taken else ""
            reason = f"{self.collection} has {self.available} images{rest}"
            yield Fault("samples", f"found {self.samples}, expected at most {left}: {reason}")

    def place(self, role: str) -> str:
        return f"{role} images of {self.inputs}"

    def draw(self, seed: SeedSequence, skip: int) -> Points:
        images = self.load()
        chosen = default_rng(seed).permutation(len(images.pixels))[skip : skip + self.samples]
        preprocess = PREPROCESSINGS[self.preprocessing]
        x = preprocess(images.pixels[chosen] / images.peak, images.mean, images.deviation)
        return Points(x, label=images.label[chosen], classes=self.classes)
