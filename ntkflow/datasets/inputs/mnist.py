"""MNIST."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from ntkflow.datasets.images import Collection, Images
from ntkflow.datasets.preprocessing import Preprocessing


class Mnist(Images):
    """MNIST, 28x28 digits."""

    inputs: Literal["mnist"]
    split: Literal["train", "test"] = Field("test", description="split to draw from")
    preprocessing: Preprocessing = Field("unit", description="transformation of the pixels")
    folder: str | None = Field(
        None, description="folder with the four IDX files; else NTKFLOW_MNIST_DIR, else download"
    )
    features: ClassVar[int] = 784
    stated: ClassVar[tuple[str, ...]] = (*Images.stated, "folder")

    @property
    def collection(self) -> str:
        return f"the {self.split} split of mnist"

    @property
    def available(self) -> int:
        return {"train": 60_000, "test": 10_000}[self.split]

    @property
    def record(self) -> Mapping[str, Any]:
        return {key: value for key, value in super().record.items() if key != "folder"}

    def load(self) -> Collection:
        """Load the split, pixels 0 to 255; mean and deviation are those of the training split."""
        from ntkflow.datasets.idx import read_mnist

        pixels, label = read_mnist(self.split, self.folder)
        return Collection(pixels, label, 255.0, 0.1307, 0.3081)
