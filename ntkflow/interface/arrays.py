"""Checks of arguments that are arrays: inputs, targets, and the parameters of a network."""

import math
import mmap
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.interface.checks import COUNT, listed, refusal
from ntkflow.stores.staging import as_floats, check_container, check_finite


def matrix(name: str, value: Any, axes: str = "(samples, features)") -> np.ndarray:
    """Non-empty array of finite real numbers with two axes; integers become float64."""
    array = as_floats(value, name)
    require_matrix(name, array.shape, axes)
    check_finite(array, name)
    return array


def prior(name: str, value: Any) -> np.ndarray:
    """Kernel (M, M) of finite real numbers, or its diagonal (M,)."""
    array = as_floats(value, name)
    if array.ndim not in (1, 2) or array.size == 0:
        raise ValueError(f"{name}: found the shape {array.shape}, expected (M, M) or (M,)")
    check_finite(array.reshape(len(array), -1), name)
    return array


def inputs(name: str, value: Any) -> np.ndarray:
    """Non-empty array (samples, ...) of finite real numbers with two to four axes."""
    array = as_floats(value, name)
    require_inputs(name, array.shape)
    check_finite(array.reshape(len(array), -1), name)
    return array


def landmarks(name: str, value: Any) -> Any:
    """Number of landmarks, or the landmarks themselves as `inputs`."""
    several = isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0
    return inputs(name, value) if several else COUNT(name, value)


def stored_inputs(name: str, value: Any) -> Any:
    """`inputs` of NumPy, Zarr, xarray or Dask that are read by rows, and checked as they are."""
    if not hasattr(value, "shape") or not hasattr(value, "__getitem__"):
        value = as_floats(value, name)
    require_inputs(name, value.shape)
    require_floats(name, value)
    return value


def require_inputs(name: str, shape: object) -> None:
    """Raise ValueError unless a shape has two to four axes, none of length 0."""
    if not isinstance(shape, tuple) or not 2 <= len(shape) <= 4 or 0 in shape:
        raise ValueError(
            f"{name}: found the shape {shape}, expected (samples, features) or, for `layers`, "
            "(samples, length, channels) or (samples, height, width, channels), none of them empty"
        )


@dataclass(frozen=True)
class FlatRows:
    """Inputs (n, ...) read by rows as (n, features)."""

    inputs: Any
    name: str
    read: Callable[[Any, str], np.ndarray] = as_floats

    @property
    def shape(self) -> tuple[int, int]:
        """(n, features)."""
        return self.inputs.shape[0], math.prod(self.inputs.shape[1:])

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Rows (n, features)."""
        part = self.read(self.inputs[rows], self.name)
        return part.reshape(len(part), -1)


@dataclass(frozen=True)
class Mapped:
    """Array in a file, mapped into memory only while some of its rows are read.

    Pages of a map that stays open would count as memory of the process, and it would be pickled
    with all its numbers.
    """

    file: str
    dtype: np.dtype
    offset: int
    shape: tuple[int, ...]

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Rows, as an array in memory."""
        mapped = np.memmap(self.file, self.dtype, "r", self.offset, self.shape)
        return np.array(mapped[rows])


def reopened(x: Any) -> Any:
    """`Mapped` in place of a whole memory map of NumPy; anything else as it is."""
    whole = isinstance(x, np.memmap) and isinstance(x.base, mmap.mmap) and x.flags.c_contiguous
    if not whole or x.filename is None or x.mode == "c":
        return x
    mapped = Mapped(str(x.filename), x.dtype, x.offset, x.shape)
    try:
        if x.mode != "r":
            x.flush()
        ends = (slice(0, 1), slice(len(x) - 1, len(x)))
        same = all(np.array_equal(mapped[rows], x[rows], equal_nan=True) for rows in ends)
    except (OSError, ValueError):  # the file was removed or replaced since
        return x
    return mapped if same else x


def stored_matrix(name: str, value: Any) -> Any:
    """`matrix` of NumPy, Zarr, xarray or Dask that is read by rows, and checked as it is read."""
    if not hasattr(value, "shape") or not hasattr(value, "__getitem__"):
        value = as_floats(value, name)
    require_matrix(name, value.shape, "(samples, features)")
    require_floats(name, value)
    return value


def require_matrix(name: str, shape: object, axes: str) -> None:
    """Raise ValueError unless a shape has two axes, neither of length 0."""
    if not isinstance(shape, tuple) or len(shape) != 2 or 0 in shape:
        raise ValueError(f"{name}: found the shape {shape}, expected {axes}, none of them empty")


def require_floats(name: str, array: Any) -> None:
    """Raise ValueError unless an array, read later in strips, has a first row of real numbers."""
    check_container(array, name)
    as_floats(array[0:1], name)


def parameters(name: str, value: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and biases of each layer of a network, with matching shapes."""
    layers = listed(name, value, _layer, shortest=1)
    for number, ((before, _), (weight, _)) in enumerate(pairwise(layers), 1):
        width, rows = before.shape[1], len(weight)
        if rows != width:
            raise ValueError(
                f"{name}[{number}]: found {rows} rows of weights, expected {width}, the width of "
                "the previous layer"
            )
    return list(layers)


def _layer(name: str, value: Any) -> tuple[np.ndarray, np.ndarray]:
    """Pair of weights (fan_in, fan_out) and biases (fan_out,)."""
    weight, bias = _pair(name, value)
    if bias.shape != weight.shape[1:]:
        raise ValueError(
            f"{name}: found weights {weight.shape} and a bias {bias.shape}, expected "
            "(fan_in, fan_out) and (fan_out,)"
        )
    return weight, bias


def _pair(name: str, value: Any) -> tuple[np.ndarray, np.ndarray]:
    """Pair of a matrix of weights and finite biases of any shape."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise refusal(name, value, "a pair of weights and biases")
    weight, bias = matrix(name, value[0], "(fan_in, fan_out)"), as_floats(value[1], name)
    if not np.isfinite(bias).all():
        raise ValueError(f"{name}: found biases that are not finite, expected finite numbers")
    return weight, bias


def standard_layer(name: str, value: Any) -> tuple[np.ndarray, np.ndarray]:
    """Pair of weights, (fan_in, fan_out) or (fan_out, fan_in), and biases (fan_out,)."""
    weight, bias = _pair(name, value)
    if bias.ndim != 1 or len(bias) not in weight.shape:
        raise ValueError(
            f"{name}: found weights {weight.shape} and a bias {bias.shape}, expected "
            "(fan_in, fan_out) or (fan_out, fan_in), and (fan_out,)"
        )
    return weight, bias


def is_transposed(
    name: str, layers: list[tuple[np.ndarray, np.ndarray]], given: bool | None
) -> bool:
    """Return True if weights are (fan_out, fan_in): `given`, or inferred from their shapes."""
    if given is not None:
        return bool(given)
    for weight, bias in layers:
        rows, columns = weight.shape
        if rows != columns:
            return len(bias) == rows
    raise ValueError(
        f"transposed: found None for square {name}, expected True for (fan_out, fan_in), as in "
        "PyTorch, or False for (fan_in, fan_out)"
    )


def real_or_integer(name: str, value: Any) -> np.ndarray:
    """Array of finite real numbers, of integers or of booleans, of any rank and in its dtype."""
    check_container(value, name)
    if getattr(getattr(value, "dtype", None), "kind", "") in tuple("iub"):
        array = np.asarray(value)
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    array = as_floats(value, name)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: found a value that is not finite, expected finite numbers")
    return array


def tree(name: str, value: Any) -> Any:
    """Pytree of non-empty arrays, some of them of finite real numbers."""
    leaves = jax.tree.leaves(value)
    for leaf in leaves:
        if not isinstance(leaf, np.ndarray | jax.Array) or leaf.size == 0:
            raise refusal(name, leaf, "arrays of NumPy or JAX, none of them empty")
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            if leaf.dtype.kind not in "iub" or isinstance(leaf, np.ma.MaskedArray):
                raise refusal(name, leaf, "arrays of real numbers, integers or booleans")
        elif isinstance(leaf, np.ndarray):
            real_or_integer(name, leaf)
        elif not bool(jnp.isfinite(leaf).all()):
            raise ValueError(f"{name}: found a value that is not finite, expected finite numbers")
    if not any(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves):
        raise refusal(name, value, "arrays, one of them of real numbers")
    return value


def batch(name: str, value: Any) -> Any:
    """Inputs, of which only the network knows shapes and dtypes; it checks them."""
    if value is None:
        raise refusal(name, value, "inputs")
    return value


def stored(name: str, value: Any) -> Any:
    """Non-empty array (n, ...) that is read by rows, and checked as it is read."""
    if not hasattr(value, "shape") or not hasattr(value, "__getitem__"):
        value = real_or_integer(name, value)
    if not isinstance(value.shape, tuple) or not value.shape or 0 in value.shape:
        raise ValueError(
            f"{name}: found the shape {value.shape}, expected (samples, ...), none of them empty"
        )
    check_container(value, name)
    real_or_integer(name, value[0:1])
    return value
