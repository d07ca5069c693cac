"""Empirical NTK of a function: in memory, and the recipe of a store."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from ntkflow.interface import arrays
from ntkflow.interface.arguments import GIB, cores
from ntkflow.interface.function import Function
from ntkflow.interface.network import full_precision
from ntkflow.interface.recipes import code_digest
from ntkflow.kernels.function_ntk import OutputSelection
from ntkflow.networks import function_blocks
from ntkflow.stores.grams import BlockKernel, Recipe
from ntkflow.stores.staging import Inputs, Rows


def function_ntk(
    function: Function,
    x1: Any,
    x2: Any | None,
    outputs: OutputSelection,
    accumulate: str | None,
    block: int,
    memory: float,
) -> np.ndarray:
    """Empirical NTK (n, m, k, k) from the arguments of `api.empirical_ntk`."""
    one, two = function.pair(x1, x2)
    function.check(one, outputs)
    with full_precision():
        return function_blocks.model_ntk(
            *(function, one, two),
            outputs=outputs,
            dtype=np.dtype(accumulate) if accumulate else function.dtype,
            block=block,
            memory=memory * GIB,
        )


def _numbers(value: Any, name: str) -> np.ndarray:
    return arrays.real_or_integer(name, value)


def function_recipe(
    function: Function,
    x1: Any,
    x2: Any | None,
    outputs: OutputSelection,
    dtype: np.dtype,
    memory: float,
    threads: int | None,
) -> tuple[Inputs, Inputs | None, Recipe]:
    """Inputs as rows, and the recipe of their kernel, from arguments of `store_empirical_ntk`."""
    lists = [arrays.stored(name, x) for name, x in (("x1", x1), ("x2", x2)) if x is not None]
    few = [np.asarray(x[0:3]) for x in lists]
    first = function.pair(few[0], few[1] if len(few) == 2 else None)[0]
    function.check(first, outputs)
    shape, kind = first.shape[1:], first.dtype
    block = partial(
        _block,
        function=function,
        outputs=outputs,
        dtype=dtype,
        restore=partial(_restored, shape=shape, dtype=kind),
        memory=memory * GIB / (threads or cores()) / 2,
    )
    settings = f"{function.digest(first)} {outputs} {dtype} {shape} {kind}"
    recipe = Recipe(
        directed=_rows,
        plan=partial(_plan, block=block),
        settings=f"{settings} {code_digest(function_blocks)}",
        dtype=dtype,
        kind="empirical",
    )
    named = zip(lists, ("x1", "x2"), strict=False)
    rows = [arrays.FlatRows(x, name, _numbers) for x, name in named]
    return rows[0], rows[1] if len(rows) == 2 else None, recipe


def _rows(part: np.ndarray) -> Rows:
    return np.linalg.norm(part.astype(np.float64), axis=1), part


def _plan(
    norms: np.ndarray, features: int, *, block: BlockKernel
) -> tuple[BlockKernel, Mapping[str, object]]:
    del norms, features
    return block, {}


def _restored(rows: Rows, *, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Inputs of the function, in their shape and dtype, from staged rows."""
    return rows[1].reshape(-1, *shape).astype(dtype)


def _block(
    one: Rows,
    two: Rows | None,
    *,
    function: Function,
    outputs: OutputSelection,
    dtype: np.dtype,
    restore: Any,
    memory: float,
) -> Sequence[np.ndarray]:
    first, second = (None if rows is None else restore(rows) for rows in (one, two))
    size = len(jax.tree.leaves(first)[0])
    with full_precision():
        kernel = function_blocks.model_ntk(
            function, first, second, outputs=outputs, dtype=dtype, block=size, memory=memory
        )
    return [kernel[:, :, 0, 0]]
