"""Summary of an array in a reference: a few numbers that reveal any change.

In addition to mean, root mean square and range, a summary has eight sums of all values with fixed
weights. The weights are independent, of mean zero and either sign. The mean square of the eight
differences between the sums of two arrays therefore estimates their squared distance, for any
change: one element, all of them in the last digits, or their order. A weight is at least half of
the usual size, so that a change of any element is visible. Two elements almost never have the
same eight weights, so that an exchange is visible. A short array is stored completely, since its
numbers can differ in size, like those of a claim.
"""

import hashlib
import json
import math
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

SUMS = 8
FEW = 32  # largest number of elements of an array that is stored completely
SMALLEST = 64  # smallest size of a weight; weights are integers, so sums of integers are exact
SIZE = float(np.sqrt(np.mean(np.arange(SMALLEST, 3 * SMALLEST, dtype=float) ** 2)))
BLOCK = 2**16  # elements that are weighted at a time

Finite = Annotated[float, Field(allow_inf_nan=False)]
Length = Annotated[int, Field(ge=0)]


class Strict(BaseModel):
    """Base class of the models of a reference file: immutable, without conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Numbers(Strict):
    """Summary of an array of numbers.

    Statistics are those of the finite values, 0 if there are none. Values that are not finite count
    as 0 in `sums`, with eight sets of weights, and in `values`, which a short array has instead.
    """

    dtype: str
    shape: list[Length]
    mean: Finite
    rms: Finite
    least: Finite
    greatest: Finite
    sums: list[Finite] = Field(default_factory=list)
    values: list[Finite] = Field(default_factory=list)
    not_finite: str = ""  # digest of the positions of NaN and infinite values, if there are any

    @model_validator(mode="after")
    def _whole(self) -> "Numbers":
        size = math.prod(self.shape)
        if (len(self.sums), len(self.values)) != ((0, size) if size <= FEW else (SUMS, 0)):
            raise ValueError(f"expected {size} values if at most {FEW}, else {SUMS} sums")
        return self


class Text(Strict):
    """Summary of an array of strings: their digest and, if there are few, all of them.

    Of strings that are all equal there is one.
    """

    shape: list[Length]
    values: list[str]
    sha256: str

    @property
    def each(self) -> list[str]:
        """The strings, if there are few."""
        return self.values * math.prod(self.shape) if len(self.values) == 1 else self.values


Summary = Numbers | Text


def summarise(array: Any) -> Summary:
    """Summary of an array of numbers, booleans or strings.

    It is the same on every machine, except for rounding of sums in float64.
    """
    values = np.asarray(array)
    if values.dtype.kind not in "biuf":
        return _text(values)
    numbers = np.ravel(values).astype(np.float64)
    finite = np.isfinite(numbers)
    odd = "" if finite.all() else _digest(np.nan_to_num(numbers[~finite]), np.flatnonzero(~finite))
    numbers = np.where(finite, numbers, 0.0)
    kept = numbers[finite] if finite.any() else np.zeros(1)
    return Numbers(
        dtype=values.dtype.name,
        shape=list(values.shape),
        mean=_rounded(kept.mean(), 9),
        rms=_rounded(np.sqrt(np.mean(kept**2)), 9),
        least=_rounded(kept.min(), 9),
        greatest=_rounded(kept.max(), 9),
        sums=[_rounded(total, 15) for total in _sums(numbers)] if numbers.size > FEW else [],
        values=[_rounded(number, 15) for number in numbers] if numbers.size <= FEW else [],
        not_finite=odd,
    )


def distance(one: Numbers, other: Numbers) -> float:
    """Estimate the root mean square of the differences of two long arrays of one shape.

    For a change of a single element it is between half and one and a half times the true value.
    """
    change = np.subtract(one.sums, other.sums)
    return float(np.sqrt(np.mean(change**2) / math.prod(one.shape)) / SIZE)


def _rounded(number: float, digits: int) -> float:
    """Round to `digits` significant digits, for a shorter file."""
    return float(f"{number:.{digits}g}")


def _sums(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted sums; the weights are bytes of a fixed random stream, eight per element."""
    stream, total = np.random.PCG64(0), np.zeros(SUMS)
    for start in range(0, len(numbers), BLOCK):
        block = numbers[start : start + BLOCK]
        random = stream.random_raw(len(block)).astype("<u8").view(np.uint8).reshape(-1, SUMS)
        sizes = SMALLEST + (random & 127).astype(np.float64)
        total += np.sum(block[:, None] * np.where(random & 128, sizes, -sizes), axis=0)
    return total


def _text(values: NDArray[Any]) -> Text:
    strings = [str(value) for value in values.ravel()]
    digest = hashlib.sha256(json.dumps(strings).encode()).hexdigest()
    few = strings if len(strings) <= 64 else []
    few = few if len(set(few)) > 1 else few[:1]
    return Text(shape=list(values.shape), values=few, sha256=digest)


def _digest(values: NDArray[np.float64], places: NDArray[np.intp]) -> str:
    """Digest of values that are not finite (sign of infinity, 0 for NaN) and their positions."""
    content = np.sign(values).astype("i1").tobytes() + places.astype("<i8").tobytes()
    return hashlib.sha256(content).hexdigest()[:16]
