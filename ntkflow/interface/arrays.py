"""Checks of arguments that are arrays: inputs, targets, and the parameters of a network."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkflow.interface import checks
from ntkflow.stores.staging import as_floats, check_container, check_finite


@dataclass(frozen=True)
class Matrix(checks.Check):
    """Non-empty array of finite real numbers with two axes; integers become float64."""

    axes: str = "(samples, features)"

    def __call__(self, name: str, value: Any) -> np.ndarray:
        array = as_floats(value, name)
        require_matrix(name, array.shape, self.axes)
        check_finite(array, name)
        return array


class StoredMatrix(checks.Check):
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
        raise checks.refusal(
            name, checks.Found(f"the shape {shape}"), f"{axes}, none of them empty"
        )


def require_floats(name: str, array: Any) -> None:
    """Raise ValueError unless an array, read later in strips, has a first row of real numbers."""
    check_container(array, name)
    as_floats(array[0:1], name)


class Parameters(checks.Check):
    """Weights and biases of each layer of a network, with matching shapes."""

    def __call__(self, name: str, value: Any) -> list[tuple[np.ndarray, np.ndarray]]:
        layers = checks.Listed(_Layer(), 1)(name, value)
        for number, (weight, bias) in enumerate(layers):
            if bias.shape != weight.shape[1:]:
                raise checks.refusal(
                    f"{name}[{number}]",
                    checks.Found(f"weights {weight.shape} and a bias {bias.shape}"),
                    "(fan_in, fan_out) and (fan_out,)",
                )
            before = layers[number - 1][0].shape[1] if number else weight.shape[0]
            if weight.shape[0] != before:
                raise checks.refusal(
                    f"{name}[{number}]",
                    checks.Found(f"{weight.shape[0]} rows of weights"),
                    f"{before}, the width of the previous layer",
                )
        return list(layers)


class _Layer(checks.Check):
    """Pair of weights (fan_in, fan_out) and biases (fan_out,)."""

    def __call__(self, name: str, value: Any) -> tuple[np.ndarray, np.ndarray]:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise checks.refusal(name, value, "a pair of weights and biases")
        weight, bias = Matrix("(fan_in, fan_out)")(name, value[0]), as_floats(value[1], name)
        if not np.isfinite(bias).all():
            raise checks.refusal(name, checks.Found("biases that are not finite"), "finite numbers")
        return weight, bias
