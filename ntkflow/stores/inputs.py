"""Inputs of a data set: points drawn at random or by a rule, and images of digits.

Inputs come from `INPUTS` (by the key ``inputs``) and pixel preprocessings from `PREPROCESSINGS`:
to add one, write a function and name it there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.random import SeedSequence, default_rng
from numpy.typing import NDArray

from ntkflow.stores.mnist import read_mnist

__all__ = [
    "COLLECTIONS",
    "INPUTS",
    "PREPROCESSINGS",
    "Entry",
    "Labels",
    "Points",
    "Real",
    "collection",
]

Entry = Mapping[str, Any]
Real = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Points:
    """Inputs x, shape (n, n_0), with angle and label, shape (n,), where they are known exactly."""

    x: Real
    angle: Real | None = None
    label: Labels | None = None

    @property
    def empty(self) -> "Points":
        """No points, of the same kind: what stands for a test set that is not asked for."""
        angle = None if self.angle is None else self.angle[:0]
        label = None if self.label is None else self.label[:0]
        return Points(self.x[:0], angle, label)


@dataclass(frozen=True)
class Images:
    """A collection to draw from.

    Raw pixels, shape (n, n_0), and digits, shape (n,); the largest pixel value; mean and standard
    deviation of pixels / peak over the whole collection.
    """

    pixels: NDArray[Any]
    label: Labels
    peak: float
    mean: float
    deviation: float


def _circle(entry: Entry, seed: SeedSequence, skip: int) -> Points:
    """Place points on the unit circle.

    They lie at ``angles`` (radians, kept as given) or, where these are not given, there are
    ``samples`` of them, their ``spacing`` one of `SPACINGS`.
    """
    if entry.get("angles") is not None:
        angle = np.array(entry["angles"], dtype=np.float64)
    else:
        angle = SPACINGS[entry["spacing"]](entry["samples"], seed)
    return Points(np.stack([np.cos(angle), np.sin(angle)], axis=1), angle)


def _even_angles(samples: int, seed: SeedSequence) -> Real:
    """Space angles evenly from -pi to pi, antisymmetric to the last bit.

    Both ends are included although they are one point of the circle, so that a curve closes: for
    probe points. As training inputs the two make the kernel singular. A single angle is 0.
    """
    return np.pi * (np.arange(1 - samples, samples, 2) / max(samples - 1, 1))


def _random_angles(samples: int, seed: SeedSequence) -> Real:
    """Draw angles uniformly in [-pi, pi)."""
    return default_rng(seed).uniform(-np.pi, np.pi, samples)


SPACINGS: Mapping[str, Callable[[int, SeedSequence], Real]] = {
    "even": _even_angles,
    "random": _random_angles,
}


def _gaussian(entry: Entry, seed: SeedSequence, skip: int) -> Points:
    """Draw ``samples`` points with ``features`` independent N(0, 1) coordinates."""
    return Points(default_rng(seed).standard_normal((entry["samples"], entry["features"])))


def _sphere(entry: Entry, seed: SeedSequence, skip: int) -> Points:
    """Draw ``samples`` points uniformly on the unit sphere S^{d-1} of R^d, d = ``features``."""
    return Points(_on_the_sphere(_gaussian(entry, seed, skip).x))


def _images(load: Callable[[Entry], Images], entry: Entry, seed: SeedSequence, skip: int) -> Points:
    """Draw ``samples`` images without replacement, after the first `skip`, and preprocess them."""
    images = load(entry)
    available = len(images.pixels) - skip
    if entry["samples"] > available:
        taken = f" after the {skip} of train" if skip else ""
        raise ValueError(
            f"samples is {entry['samples']}, but {entry['inputs']} has {len(images.pixels)} images "
            f"and {available} left{taken}: ask for at most {available}"
        )
    chosen = default_rng(seed).permutation(len(images.pixels))[skip : skip + entry["samples"]]
    unit = images.pixels[chosen] / images.peak
    return Points(PREPROCESSINGS[entry["preprocessing"]](unit, images), label=images.label[chosen])


def _digits(entry: Entry) -> Images:
    """Load the 1,797 handwritten 8x8 digits of scikit-learn, pixels 0 to 16."""
    from sklearn.datasets import load_digits  # 1.4 s to import: only where it is needed

    pixels, label = load_digits(return_X_y=True)
    unit = pixels / 16.0
    return Images(pixels, label.astype(np.int64), 16.0, float(unit.mean()), float(unit.std()))


def _mnist(entry: Entry) -> Images:
    """Load MNIST, ``split`` train or test, 28x28 pixels 0 to 255, from ``folder`` or downloaded.

    Mean and standard deviation are those of the training split, whichever split is read.
    """
    pixels, label = read_mnist(entry["split"], entry.get("folder"))
    return Images(pixels, label, 255.0, 0.1307, 0.3081)


def collection(entry: Entry) -> tuple[str, str | None] | None:
    """Name the images that an entry draws from; None where inputs are made at will."""
    name = entry["inputs"]
    return (name, entry.get("split")) if name in COLLECTIONS else None


COLLECTIONS: Mapping[str, Callable[[Entry], Images]] = {"digits": _digits, "mnist": _mnist}

INPUTS: Mapping[str, Callable[[Entry, SeedSequence, int], Points]] = {
    "circle": _circle,
    "sphere": _sphere,
    "gaussian": _gaussian,
    **{name: partial(_images, load) for name, load in COLLECTIONS.items()},
}


def _unit(unit: Real, images: Images) -> Real:
    """Keep pixels in [0, 1]."""
    return unit


def _centred(unit: Real, images: Images) -> Real:
    """Subtract the mean of all pixels of all images (MNIST: 0.1307; digits: 0.3053)."""
    return unit - images.mean


def _standardised(unit: Real, images: Images) -> Real:
    """Subtract that mean, divide by their standard deviation (MNIST: 0.3081; digits: 0.3760)."""
    return (unit - images.mean) / images.deviation


def _sphere_projection(unit: Real, images: Images) -> Real:
    """Project each image on the unit sphere of R^d: x / ||x||."""
    return _on_the_sphere(unit)


def _on_the_sphere(x: Real) -> Real:
    norm: Real = np.linalg.norm(x, axis=1, keepdims=True)
    return x / norm


PREPROCESSINGS: Mapping[str, Callable[[Real, Images], Real]] = {
    "unit": _unit,
    "centred": _centred,
    "standardised": _standardised,
    "sphere": _sphere_projection,
}
