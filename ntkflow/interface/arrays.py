"""Checks of arguments that are arrays: inputs, kernels, and the parameters of a network."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ntkflow.analysis.blocks import all_finite
from ntkflow.interface import checks
from ntkflow.stores.staging import as_floats, check_container, check_finite

__all__ = ["Kernel", "Matrix", "Parameters", "StoredMatrix"]


@dataclass(frozen=True)
class Matrix(checks.Check):
    """A non-empty array of finite real numbers with two axes; integers become float64."""

    axes: str = "(samples, features)"

    def __call__(self, name: str, value: Any) -> np.ndarray:
        array = as_floats(value, name)
        _require_matrix(name, array.shape, self.axes)
        check_finite(array, name)
        return array


class StoredMatrix(checks.Check):
    """A `Matrix` that is read by rows: NumPy, Zarr, xarray or Dask; checked as it is read."""

    def __call__(self, name: str, value: Any) -> Any:
        if not hasattr(value, "shape") or not hasattr(value, "__getitem__"):
            value = as_floats(value, name)
        _require_matrix(name, value.shape, "(samples, features)")
        _require_floats(name, value)
        return value


@dataclass(frozen=True)
class Kernel(checks.Check):
    """A kernel with two axes, in memory or read by blocks, of numbers that are or become floats."""

    axes: str = "(N, N)"

    def __call__(self, name: str, value: Any) -> Any:
        if isinstance(value, xr.Dataset):
            raise checks.refusal(
                name, checks.Found("a Dataset"), 'one of its kernels, such as dataset["ntk"]'
            )
        by_blocks = hasattr(value, "__getitem__") and hasattr(value, "dtype")
        if not by_blocks or isinstance(value, np.ndarray):
            value = as_floats(value, name)
        _require_matrix(name, value.shape, self.axes)
        if self.axes == "(N, N)" and value.shape[0] != value.shape[1]:
            raise checks.refusal(name, checks.Found(f"the shape {value.shape}"), "(N, N)")
        _require_floats(name, value)
        if value.dtype.kind != "f":
            value = as_floats(value, name)
        # A kernel on disk is checked when its blocks are read.
        if isinstance(value, np.ndarray) and not all_finite(value):
            found = checks.Found(
                f"{np.count_nonzero(~np.isfinite(value))} entries that are not finite"
            )
            raise checks.refusal(name, found, "finite numbers; check the inputs and the activation")
        return value


def _require_matrix(name: str, shape: object, axes: str) -> None:
    if not isinstance(shape, tuple) or len(shape) != 2 or 0 in shape:
        raise checks.refusal(
            name, checks.Found(f"the shape {shape}"), f"{axes}, none of them empty"
        )


def _require_floats(name: str, array: Any) -> None:
    """Check the type of an array by its first row: a strip at a time is read later."""
    check_container(array, name)
    as_floats(array[0:1], name)


class Parameters(checks.Check):
    """Weights and biases of a network, layer by layer, that follow each other."""

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
                    f"{before}, the width of the layer before",
                )
        return list(layers)


class _Layer(checks.Check):
    """A pair of weights (fan_in, fan_out) and biases (fan_out,)."""

    def __call__(self, name: str, value: Any) -> tuple[np.ndarray, np.ndarray]:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise checks.refusal(name, value, "a pair of weights and biases")
        weight, bias = Matrix("(fan_in, fan_out)")(name, value[0]), as_floats(value[1], name)
        if not np.isfinite(bias).all():
            raise checks.refusal(name, checks.Found("biases that are not finite"), "finite numbers")
        return weight, bias
