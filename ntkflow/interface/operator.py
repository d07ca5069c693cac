"""Empirical NTK as an operator: products with vectors, without forming the kernel."""

from __future__ import annotations  # so that help() names the types of arguments

from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import jax
import numpy as np
from numpy.typing import ArrayLike

from ntkflow.interface import arrays, settings
from ntkflow.interface.arguments import GIB, Memory
from ntkflow.interface.checks import checked, refusal
from ntkflow.interface.function import Function, Measured, as_function
from ntkflow.interface.network import full_precision
from ntkflow.kernels.function_ntk import OutputSelection
from ntkflow.networks.function_blocks import (
    Parametrized,
    affordable_block,
    model_ntk,
    model_product,
)
from ntkflow.stores.staging import as_floats

Batch: TypeAlias = Annotated[Any, arrays.batch]
Outputs: TypeAlias = Annotated[OutputSelection, settings.outputs]


@dataclass(frozen=True, eq=False)
class EmpiricalOperator:
    """Operator of the empirical NTK (N, N) of one output, or of the trace.

    The kernel is never formed. `operator @ v` multiplies vectors (N,) or (N, c).
    `extreme_eigenpairs` and `kernel_regression` accept an operator as their kernel.

    Attributes
    ----------
    model, x, outputs
        Function, inputs, and ``trace`` or the index of an output.
    block
        Number of inputs that pass through the function together.
    shape
        (N, N).
    memory
        Bytes for the gradients of a block of inputs.
    """

    model: Parametrized
    x: Any
    outputs: OutputSelection
    block: int
    shape: tuple[int, int]
    memory: float

    @property
    def dtype(self) -> np.dtype:
        """Precision of results; products have the precision of the parameters."""
        return np.dtype(np.float64)

    def matvec(self, vectors: ArrayLike) -> np.ndarray:
        """Theta v for v (N,) or (N, c), in float64; ValueError for other shapes."""
        v = as_floats(vectors, "vectors")
        if v.ndim not in (1, 2) or len(v) != self.shape[0]:
            raise ValueError(
                f"vectors: found the shape {v.shape}, expected ({self.shape[0]},) or "
                f"({self.shape[0]}, c)"
            )
        return self.multiply(v.reshape(len(v), -1)).reshape(v.shape)

    def __matmul__(self, vectors: ArrayLike) -> np.ndarray:
        """Theta v, as `matvec`."""
        return self.matvec(vectors)

    def multiply(self, vectors: np.ndarray) -> np.ndarray:
        """Theta V (N, c) for V (N, c)."""
        with full_precision():
            product = model_product(self.model, self.x, vectors, self.outputs, self.block)
        return product.astype(np.float64)

    def columns(self, selected: np.ndarray) -> np.ndarray:
        """Selected columns (N, selected)."""
        others = jax.tree.map(lambda array: array[selected], self.x)
        with full_precision():
            kernel = model_ntk(
                *(self.model, self.x, others),
                outputs=self.outputs,
                dtype=np.float64,
                memory=self.memory,
            )
        return kernel[:, :, 0, 0]


@checked
def empirical_ntk_operator(
    network: Measured, x: Batch, *, outputs: Outputs = "trace", memory: Memory = 2.0
) -> EmpiricalOperator:
    """Empirical NTK at inputs x as an operator, for kernels that do not fit in memory.

    A product with a vector takes one backward pass of all inputs and one forward pass of
    derivatives, or k of each for the trace over k outputs.

    Parameters
    ----------
    network
        Network from `api.network`, or function from `api.function`.
    x
        Inputs (n, d); for a function arrays (n, ...) or pytrees of them.
    outputs
        ``trace``, or the index of one output.
    memory
        GiB for the gradients of a block of inputs.

    Returns
    -------
    EmpiricalOperator
        Operator of the kernel (n, n), accepted by `extreme_eigenpairs` and `kernel_regression`.

    Raises
    ------
    ValueError
        If an argument is invalid. The message names it, what was found and what is expected.
    """
    if outputs == "all":
        raise refusal("outputs", outputs, "'trace' or the number of one output")
    if isinstance(network, Function):
        model: Parametrized = network
        inputs = network.inputs("x", x)
        network.check(inputs, outputs)
    else:
        inputs = arrays.matrix("x", x).astype(network.dtype)
        network.check(inputs.shape[1], outputs, "x")
        model = as_function(network)
    samples = len(jax.tree.leaves(inputs)[0])
    with full_precision():
        block = affordable_block(model, inputs, memory * GIB)
    return EmpiricalOperator(model, inputs, outputs, block, (samples, samples), memory * GIB)
