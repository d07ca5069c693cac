"""Empirical NTK of a function for many inputs, block by block.

Blocks are as large as the memory for gradients, or their factors, allows. Those of a block of rows
stay in memory for all blocks of columns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from ntkflow.aliases import Float
from ntkflow.kernels import function_products
from ntkflow.kernels.function_features import Features, contract
from ntkflow.kernels.function_ntk import OutputSelection, Tree, count_rows, plan_ntk
from ntkflow.kernels.function_products import take
from ntkflow.networks.blockwise import assembled


@dataclass(frozen=True, eq=False)
class Parametrized:
    """A function f(parameters, x) and its parameters; compiled programs are cached per object."""

    f: Callable[[Tree, Tree], jax.Array]
    parameters: Tree


def model_ntk(
    model: Parametrized,
    x1: Tree,
    x2: Tree | None = None,
    *,
    outputs: OutputSelection = "all",
    dtype: DTypeLike,
    block: int = 1024,
    memory: float = 2**30,
) -> Float[np.ndarray, "n m k k"]:
    """`function_ntk` between all inputs x1 and x2, or of x1 alone, in blocks of `block` inputs.

    Blocks are smaller if the features of two blocks would take more than `memory` bytes.
    """
    mirrored, columns = x2 is None, x1 if x2 is None else x2
    shape = count_rows(x1, "x1"), count_rows(columns, "x2")
    features, between = compiled(model, outputs, np.dtype(dtype), block)
    block = min(block, affordable_rows(features, model, x1, memory / 2))

    def features_of(x: Tree, start: int) -> Features:
        return features(model.parameters, take(x, slice(start, start + block)))

    def strip(row: int) -> Callable[[int], jax.Array]:
        one = features_of(x1, row)

        def entries(column: int) -> jax.Array:
            same = mirrored and row == column
            return between(one, None if same else features_of(columns, column))

        return entries

    number = jax.eval_shape(model.f, model.parameters, take(x1, slice(0, 1))).size
    outer = (number, number) if outputs == "all" else (1, 1)
    return assembled(strip, np.empty((*shape, *outer), dtype), block, mirrored=mirrored)


@lru_cache(maxsize=16)
def compiled(
    model: Parametrized, outputs: OutputSelection, dtype: np.dtype, block: int
) -> tuple[Callable[[Tree, Tree], Features], Callable[[Features, Features | None], jax.Array]]:
    """Programs of the features of inputs, and of the kernel between two blocks of them."""

    def features(parameters: Tree, x: Tree) -> Features:
        return plan_ntk(model.f, parameters, x, outputs, (block, block)).features(parameters, x)

    return jax.jit(features), jax.jit(lambda one, two: contract(one, two, dtype))


def affordable_rows(features: Any, model: Parametrized, x: Tree, memory: float) -> int:
    """Number of inputs whose features fit in `memory` bytes; 1 or more."""
    found = jax.eval_shape(features, model.parameters, take(x, slice(0, 1)))
    each = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(found))
    return max(1, int(memory / max(each, 1)))


@lru_cache(maxsize=16)
def compiled_products(
    model: Parametrized, outputs: OutputSelection
) -> tuple[Callable[..., list[jax.Array]], Callable[..., jax.Array]]:
    """Programs of `pulled` and `pushed`."""

    def pulled(parameters: Tree, x: Tree, v: jax.Array) -> list[jax.Array]:
        return function_products.pulled(model.f, parameters, x, v, outputs)

    def pushed(parameters: Tree, x: Tree, change: list[jax.Array]) -> jax.Array:
        return function_products.pushed(model.f, parameters, x, change, outputs)

    return jax.jit(pulled), jax.jit(pushed)


def model_product(
    model: Parametrized, x: Tree, v: Float[np.ndarray, "n c"], outputs: OutputSelection, block: int
) -> Float[np.ndarray, "n c"]:
    """Theta(x, x) V, in blocks of `block` inputs; see `function_products`."""
    pulled, pushed = compiled_products(model, outputs)
    rows = [slice(start, start + block) for start in range(0, len(v), block)]
    change: list[jax.Array] | None = None
    for part in rows:
        added = pulled(model.parameters, take(x, part), v[part])
        change = added if change is None else jax.tree.map(jnp.add, change, added)
    parts = [np.asarray(pushed(model.parameters, take(x, part), change)) for part in rows]
    return np.concatenate(parts)


def affordable_block(model: Parametrized, x: Tree, memory: float) -> int:
    """Number of inputs whose forward and reverse pass takes about `memory` bytes; 1 to 1024."""
    traced = jax.make_jaxpr(model.f)(model.parameters, take(x, slice(0, 1)))
    values = (var.aval for equation in traced.jaxpr.eqns for var in equation.outvars)
    each = sum(value.size * value.dtype.itemsize for value in values if hasattr(value, "size"))
    return int(min(1024, max(1, memory // (4 * max(each, 1)))))
