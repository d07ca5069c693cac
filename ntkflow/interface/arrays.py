"""Checks of arguments that are arrays: inputs, targets, and the parameters of a network."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ntkflow.interface.checks import Check, Found, Listed, refusal
from ntkflow.stores.staging import as_floats, check_container, check_finite


@dataclass(frozen=True)
class Matrix(Check):
    """Non-empty array of finite real numbers with two axes; integers become float64."""

    axes: str = "(samples, features)"

    def __call__(self, name: str, value: Any) -> np.ndarray:
        array = as_floats(value, name)
        require_matrix(name, array.shape, self.axes)
        check_finite(array, name)
        return array


class StoredMatrix(Check):
    """`Matrix` of NumPy, Zarr, xarray or Dask that is read by rows, and checked as it is read."""

    def __call__(self, name: str, value: Any) -> Any:
        if not hasattr(value, "shape") or not hasattr(value, "__getitem__"):
            value = as_floats(value, name)
        require_matrix(name, value.shape, "(samples, features)")
        require_floats(name, value)
        return value


def require_matrix(name: str, shape: object, axes: str) -> None:
    """Raise ValueError unless a shape has two axes, neither of length 0."""
    if not isinstance(shape, tuple) or len(shape) != 2 or 0 in shape:
        raise refusal(name, Found(f"the shape {shape}"), f"{axes}, none of them empty")


def require_floats(name: str, array: Any) -> None:
    """Raise ValueError unless an array, read later in strips, has a first row of real numbers."""
    check_container(array, name)
    as_floats(array[0:1], name)


class Parameters(Check):
    """Weights and biases of each layer of a network, with matching shapes."""

    def __call__(self, name: str, value: Any) -> list[tuple[np.ndarray, np.ndarray]]:
        layers = Listed(_Layer(), 1)(name, value)
        shapes = [weight.shape for weight, _ in layers]
        for number, ((_, width), (rows, _)) in enumerate(pairwise(shapes), 1):
            if rows != width:
                expected = f"{width}, the width of the previous layer"
                raise refusal(f"{name}[{number}]", Found(f"{rows} rows of weights"), expected)
        return list(layers)


class _Layer(Check):
    """Pair of weights (fan_in, fan_out) and biases (fan_out,)."""

    def __call__(self, name: str, value: Any) -> tuple[np.ndarray, np.ndarray]:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise refusal(name, value, "a pair of weights and biases")
        weight, bias = Matrix("(fan_in, fan_out)")(name, value[0]), as_floats(value[1], name)
        if not np.isfinite(bias).all():
            raise refusal(name, Found("biases that are not finite"), "finite numbers")
        if bias.shape != weight.shape[1:]:
            found = Found(f"weights {weight.shape} and a bias {bias.shape}")
            raise refusal(name, found, "(fan_in, fan_out) and (fan_out,)")
        return weight, bias
