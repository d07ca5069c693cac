"""Products of the empirical NTK of a function with vectors, without forming the kernel.

With the Jacobian J of outputs by parameters, Theta V = J (J^T V). A reverse pass over the inputs
of the columns gives J^T V, a direction in parameter space. A forward pass over the inputs of the
rows gives the derivative of their outputs in this direction.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ntkflow.aliases import AnyArray, Array
from ntkflow.kernels.function_ntk import Function, OutputSelection, Tree, count_rows, join, split


def ntk_product(
    f: Function,
    parameters: Tree,
    x1: Tree,
    x2: Tree,
    v: AnyArray,
    *,
    outputs: OutputSelection,
    block: int = 1024,
) -> Array:
    """Theta(x1, x2) V (n, c) for V (m, c); of one output, or of the trace over outputs.

    `f`, the parameters and the inputs are as in `function_ntk`, but f is evaluated on batches of up
    to `block` inputs. Raises ValueError if `outputs` is ``all``.
    """
    total = None
    for rows in _slices(count_rows(x2, "x2"), block):
        part = pulled(f, parameters, take(x2, rows), v[rows], outputs)
        total = part if total is None else jax.tree.map(jnp.add, total, part)
    assert total is not None  # there is at least one input
    rows_of_x1 = _slices(count_rows(x1, "x1"), block)
    parts = [pushed(f, parameters, take(x1, rows), total, outputs) for rows in rows_of_x1]
    return jnp.concatenate(parts)


def pulled(
    f: Function, parameters: Tree, x: Tree, v: AnyArray, outputs: OutputSelection
) -> list[Array]:
    """J^T V for V (n, c), an array (c, k, *shape) for each array of real parameters.

    For the trace k is the number of outputs, otherwise 1.
    """
    real, _ = split(parameters)
    y, pull = jax.vjp(partial(_outputs, f, parameters, x), real)

    def of_column(column: Array, direction: Array) -> Any:
        return pull(column[:, None].astype(y.dtype) * direction[None])[0]

    by_direction = jax.vmap(of_column, in_axes=(None, 0))
    found: list[Array] = jax.vmap(by_direction, in_axes=(1, None))(
        jnp.asarray(v), _directions(y, outputs)
    )
    return found


def pushed(
    f: Function, parameters: Tree, x: Tree, change: list[Array], outputs: OutputSelection
) -> Array:
    """Product (n, c) of J with `change`, a result of `pulled`, summed over outputs."""
    real, _ = split(parameters)
    y, push = jax.linearize(partial(_outputs, f, parameters, x), real)
    directions = _directions(y, outputs)

    def along(tangents: list[Array], direction: Array) -> Array:
        return push(tangents) @ direction

    by_direction = jax.vmap(along)
    products = jax.vmap(by_direction, in_axes=(0, None))(change, directions)
    return jnp.sum(products, axis=1).T


def _outputs(f: Function, parameters: Tree, x: Tree, real: list[Array]) -> Array:
    """Outputs (n, k) as a function of the real parameters."""
    y = f(join(parameters, real, split(parameters)[1]), x)
    return y.reshape(len(y), -1)


def _directions(y: Array, outputs: OutputSelection) -> Array:
    if outputs == "all":
        raise ValueError("outputs: found 'all', expected 'trace' or the number of one output")
    unit = jnp.eye(y.shape[1], dtype=y.dtype)
    return unit[outputs][None] if isinstance(outputs, int) else unit


def take(x: Tree, rows: slice) -> Tree:
    """Some rows of each array of inputs."""
    return jax.tree.map(lambda array: array[rows], x)


def _slices(length: int, block: int) -> Iterator[slice]:
    return (slice(start, min(start + block, length)) for start in range(0, length, block))
