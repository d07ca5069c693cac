"""Limiting kernels for inputs of many shapes, by few compiled programs.

Compilation takes seconds, and cross-validation, pipelines and batches of test points change the
number of inputs or features at each call. Inputs are therefore padded to a few shapes.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import jax
import numpy as np
from sklearn.utils import check_random_state

from ntkflow import api
from ntkflow.interface.checks import number, whole

FEATURES = 16
"""Multiple to which the number of features is padded."""
SHORTEST, LONGEST = 64, 512
"""Numbers of inputs are padded to powers of two between these, or to multiples of the longest."""
ENTRIES = 2**22
"""Number of entries of each kernel of a batch of test points."""

MEMORY = 2.0**20
"""GiB for solvers: no limit, because kernels of all training points are in memory anyway."""


class Limit(NamedTuple):
    """A fully-connected network in the limit of infinite width; arguments of `limiting_kernels`."""

    depth: int
    activation: Any
    beta: float
    weight_gain: float
    precision: str = "float64"

    @classmethod
    def of(cls, estimator: Any) -> Self:
        """Network that the parameters of an estimator, or of a kernel, describe."""
        parameters = estimator.get_params(deep=False)
        return cls(**{name: parameters[name] for name in cls._fields if name in parameters})


class Kernels(NamedTuple):
    """`api.Kernels` as NumPy arrays: NNGP kernel and limiting NTK, (n, m) or a diagonal (n,)."""

    nngp: np.ndarray
    ntk: np.ndarray


def kernels(limit: Limit, x1: np.ndarray, x2: np.ndarray | None = None) -> Kernels:
    """NNGP kernel and limiting NTK, each (n, m), of rows x1 (n, d) and x2 (m, d), or of x1."""
    inputs = [_padded(x) for x in _checked(x1, x2)]
    found = api.limiting_kernels(*inputs, **limit._asdict())
    rows, columns = len(x1), len(x1 if x2 is None else x2)
    return Kernels(*(np.asarray(kernel)[:rows, :columns] for kernel in found))


def diagonals(limit: Limit, x: np.ndarray) -> Kernels:
    """Both kernels (n,) of each row of x (n, d) with itself."""
    given = limit._asdict()
    del given["precision"]  # always float64
    (x,) = _checked(x, None)
    found = api.limiting_diagonals(_padded(x), **given)
    return Kernels(*(np.asarray(kernel)[: len(x)] for kernel in found))


def log_gradients(limit: Limit, x: np.ndarray, name: str) -> Kernels:
    """Derivatives (n, n) of both kernels by the logarithm of `beta` or `weight_gain`."""
    given = limit._asdict()
    del given["precision"]  # always float64
    (inputs,) = _checked(x, None)
    inputs, value = _padded(inputs), given[name]
    with jax.enable_x64(True):
        kernel = api.kernel_function(**given)
        _, change = jax.jvp(lambda factor: kernel(inputs, **{name: factor}), (value,), (value,))
    return Kernels(*(np.asarray(part)[: len(x), : len(x)] for part in change))


def drawn(x: np.ndarray, count: int | None, random_state: Any) -> np.ndarray:
    """All inputs x (n, d), or `count` random ones of more; `random_state` as in scikit-learn."""
    if count is None:
        return x
    count = whole("landmarks", count, 1, 2**31 - 1)
    if count >= len(x):
        return x
    return x[np.sort(check_random_state(random_state).choice(len(x), count, replace=False))]


def landmark_coefficients(
    limit: Limit, x: np.ndarray, targets: np.ndarray, landmarks: np.ndarray, ridge: float
) -> np.ndarray:
    """Coefficients (m, k) of landmarks (m, d) by regression on x (n, d) and targets (n, k)."""
    inputs, others = (_widened(each) for each in _checked(x, landmarks))
    given = {"ridge": number("ridge", ridge, low=0), "memory": MEMORY, **limit._asdict()}
    return api.landmark_regression(inputs, targets, landmarks=others, **given).coefficients


def batches(rows: int, columns: int) -> Iterator[slice]:
    """Batches of test points, so that a kernel (batch, columns) has about `ENTRIES` entries."""
    size = max(LONGEST, ENTRIES // columns // LONGEST * LONGEST)
    return (slice(start, start + size) for start in range(0, rows, size))


def repeated(x: np.ndarray) -> np.ndarray:
    """Rows x (n, d), repeated up to a number of rows that many lists of inputs share."""
    return x[np.arange(_length(len(x))) % len(x)]


def _length(count: int) -> int:
    """Number of rows to which `count` rows are padded."""
    size = min(max(SHORTEST, 1 << (count - 1).bit_length()), LONGEST)
    return count + -count % size


def _checked(x1: np.ndarray, x2: np.ndarray | None) -> list[np.ndarray]:
    """The inputs that are not None; ValueError unless they are (samples, features) of one width."""
    given = {name: x for name, x in (("X", x1), ("Y", x2)) if x is not None}
    for name, x in given.items():
        if x.ndim != 2 or x.shape[1] != x1.shape[-1]:
            raise ValueError(
                f"{name}: found the shape {x.shape}, expected (samples, {x1.shape[-1]})"
            )
    return [*given.values()]


def _padded(x: np.ndarray) -> np.ndarray:
    """Inputs (n', d') whose first rows have the kernels of x (n, d).

    The other rows are those of x with their features shifted. Their norms are those of the inputs,
    on which approximations depend, and they are hardly ever parallel, which would be slower.
    """
    count, wide = len(x), _widened(x)
    others = np.arange(_length(count) - count) % count
    return np.concatenate([wide, np.roll(wide[others], 1, axis=1)])


def _widened(x: np.ndarray) -> np.ndarray:
    """Inputs (n, d') with the kernels of x (n, d).

    The first layer divides by the square root of the number of features, which the factor undoes.
    """
    features = x.shape[1]
    more = -features % FEATURES
    return np.pad(np.sqrt((features + more) / features) * x, ((0, 0), (0, more)))
