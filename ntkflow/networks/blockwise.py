"""Empirical NTK of many inputs, block by block.

A network of width n has about 2 L n activations and sensitivities per input. Those of all inputs
are held while the kernel is assembled if they fit in memory. Otherwise those of two blocks are
held, and computed again for each pair of blocks.
"""

from collections.abc import Callable
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from ntkflow.aliases import Array, Float, Inputs, OtherInputs
from ntkflow.kernels.empirical import Sweep
from ntkflow.networks.mlp import Architecture, Parameters, contract, sweep
from ntkflow.networks.model import OutputSelection


def blockwise_ntk(
    parameters: Parameters,
    x1: Inputs,
    x2: OtherInputs | None,
    architecture: Architecture,
    *,
    outputs: OutputSelection = "all",
    dtype: DTypeLike | None = None,
    block: int = 1024,
    memory: float = 2**30,
) -> Float[np.ndarray, "n m k k"]:
    """`empirical_ntk` between all rows of x1 and x2, or of x1 alone, in blocks of `block` rows.

    `memory` bounds the bytes of activations and sensitivities, except that two blocks are always
    held.
    """
    dtype = np.dtype(dtype or parameters[0].weight.dtype)
    lists = [x1] if x2 is None else [x1, x2]
    entries = sum(map(len, lists)) * sum(row_widths(parameters, architecture, outputs))
    fits = entries * parameters[0].weight.dtype.itemsize <= memory

    def sweeps_of(x: Inputs) -> Callable[[int], list[Sweep]]:
        def sweeps(start: int) -> list[Sweep]:
            return checked_sweep(parameters, x[start : start + block], architecture, outputs, dtype)

        return cache(sweeps) if fits else sweeps

    sweeps = [sweeps_of(x) for x in lists]

    def strip(row: int) -> Callable[[int], Array]:
        one = sweeps[0](row)

        def between(column: int) -> Array:
            two = None if x2 is None and row == column else sweeps[-1](column)
            return compiled_contract(one, two, architecture, outputs, dtype)

        return between

    number = architecture.outputs if outputs == "all" else 1
    shape = len(lists[0]), len(lists[-1]), number, number
    return assembled(strip, np.empty(shape, dtype), block, mirrored=x2 is None)


def assembled(
    strip: Callable[[int], Callable[[int], Array]], kernel: np.ndarray, block: int, mirrored: bool
) -> Float[np.ndarray, "n m k k"]:
    """Fill the kernel (n, m, k, k) by blocks: `strip(row)(column)` is the one that starts there.

    Raises ValueError if an entry is not finite.
    """
    for row in range(0, len(kernel), block):
        between, rows = strip(row), slice(row, row + block)
        for column in range(row if mirrored else 0, kernel.shape[1], block):
            columns = slice(column, column + block)
            kernel[rows, columns] = between(column)
            if mirrored and row != column:
                kernel[columns, rows] = kernel[rows, columns].transpose(1, 0, 3, 2)
    return require_finite(kernel)


def require_finite(kernel: np.ndarray) -> np.ndarray:
    """Return the kernel; raise ValueError if an entry is not finite."""
    if not np.isfinite(kernel).all():
        raise ValueError(
            f"x1 or x2: found inputs whose empirical NTK, or one of its factors, is too large for "
            f"{kernel.dtype}; scale inputs or weights down, or use float64"
        )
    return kernel


def checked_sweep(
    parameters: Parameters,
    x: Inputs,
    architecture: Architecture,
    outputs: OutputSelection,
    dtype: DTypeLike,
) -> list[Sweep]:
    """Activations and sensitivities of inputs x (n, n_0), for the selected outputs.

    Raises ValueError if the kernel of an input with itself over- or underflows in the network's
    precision or in `dtype`, in which products are summed.
    """
    precision = np.dtype(parameters[0].weight.dtype)
    rows = np.asarray(x)
    with np.errstate(over="ignore", under="ignore"):
        cast = rows.astype(precision)
    sweeps, diagonal, faintest = _sweep(parameters, jnp.asarray(cast), architecture, outputs)
    limits = [np.finfo(kind) for kind in (precision, dtype)]
    too_large = ~(np.asarray(diagonal) < min(float(limit.max) for limit in limits) / 4)
    floor = max(float(limit.tiny) / float(limit.eps) for limit in limits)
    vanished = np.any(rows != 0, axis=1) & ~np.any(cast != 0, axis=1)
    small = np.asarray(diagonal) < floor
    # A zero is exact, also in float64, if the input is zero or all units of a layer are inactive.
    if precision == np.float32 and small.any():
        double = jax.tree.map(lambda array: np.asarray(array, np.float64), parameters)
        exact = _sweep(double, jnp.asarray(rows[small], np.float64), architecture, outputs)[1]
        vanished[small] |= np.asarray(exact) > 0
    too_small = small & (np.asarray(faintest) < floor**0.5) | vanished
    for wrong, size, remedy in ((too_large, "large", "down"), (too_small, "small", "up")):
        if wrong.any():
            raise ValueError(
                f"x1 or x2: found an input whose empirical NTK is too {size} for {precision} "
                f"({np.asarray(diagonal)[wrong][0]:.3g}); scale inputs or weights {remedy}"
            )
    return sweeps


@partial(jax.jit, static_argnames=("architecture", "outputs"))
def _sweep(
    parameters: Parameters, x: Inputs, architecture: Architecture, outputs: OutputSelection
) -> tuple[list[Sweep], Array, Array]:
    """Sweep; sum_k Theta_kk(x, x) (n,); smallest nonzero scale of a layer's activations (n,)."""
    sweeps = sweep(parameters, x, architecture, outputs)
    diagonal, faintest = jnp.zeros(len(x), x.dtype), jnp.full(len(x), jnp.inf, x.dtype)
    for activation, sensitivity in sweeps:
        squares = jnp.sum(activation**2, axis=1) / activation.shape[1]
        before = architecture.weight_gain**2 * squares + architecture.beta**2
        diagonal += before * jnp.sum(sensitivity**2, axis=(1, 2))
        scale = jnp.max(jnp.abs(activation), axis=1)
        faintest = jnp.where(scale > 0, jnp.minimum(faintest, scale), faintest)
    return sweeps, diagonal, faintest


compiled_contract = jax.jit(contract, static_argnames=("architecture", "outputs", "dtype"))


def sensitivity_count(architecture: Architecture, outputs: OutputSelection) -> int:
    """Number of outputs whose sensitivities a sweep contains."""
    return 1 if isinstance(outputs, int) else architecture.outputs


def row_widths(
    parameters: Parameters, architecture: Architecture, outputs: OutputSelection
) -> list[int]:
    """Entries per input of each layer's activations, then of each layer's sensitivities."""
    fans = [layer.weight.shape for layer in parameters]
    number = sensitivity_count(architecture, outputs)
    return [fan_in for fan_in, _ in fans] + [number * fan_out for _, fan_out in fans]


def rows_from_sweeps(sweeps: list[Sweep]) -> Float[np.ndarray, "n w"]:
    """Activations and sensitivities of all layers, one row per input."""
    sensitivities = [np.asarray(s.sensitivity).reshape(len(s.activation), -1) for s in sweeps]
    return np.concatenate([*(np.asarray(s.activation) for s in sweeps), *sensitivities], axis=1)


def sweeps_from_rows(rows: Float[np.ndarray, "n w"], widths: list[int], number: int) -> list[Sweep]:
    """Invert `rows_from_sweeps`, with sensitivities of `number` outputs and `row_widths`."""
    parts = np.split(rows, np.cumsum(widths)[:-1], axis=1)
    layers = len(widths) // 2
    return [
        Sweep(activation, sensitivity.reshape(len(rows), number, -1))
        for activation, sensitivity in zip(parts[:layers], parts[layers:], strict=True)
    ]
