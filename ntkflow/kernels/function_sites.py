"""Activities and cotangents at the equations that a parameter enters linearly.

All functions are for one input; k counts the outputs of f whose cotangents were pulled back.
"""

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array
from ntkflow.kernels.function_program import Equation, Program, Site, Variable


class Record(NamedTuple):
    """A site with its operands, the cotangents (k, ...) of its result and the view's factor."""

    site: Site
    equation: Equation
    operands: list[Any]
    cotangent: Array
    scale: Any

    @property
    def other(self) -> Array:
        """Operand that is not the view."""
        return jnp.asarray(self.operands[1 - self.site.operand])


def result(program: Program, site: Site) -> Variable:
    """Variable that a site computes."""
    return program.equations[site.index].outputs[0]


def scale(site: Site, read: Callable[[Any], Any]) -> Any:
    """Product of the scalars by which the view's steps multiply the leaf."""
    factor: Any = 1.0
    for equation, operand in site.view.steps:
        if equation.name == "neg":
            factor = -factor
        elif equation.name in ("mul", "div"):
            scalar = read(equation.inputs[1 - operand])
            factor = factor * scalar if equation.name == "mul" else factor / scalar
    return factor


def gradient(record: Record) -> Array:
    """Gradient (k, ...) with respect to a view that only moves entries, in any order of them."""
    name = record.equation.name
    if name in ("dot_general", "conv_general_dilated"):
        activity, cotangent = pair(record)
        return jnp.einsum("gsi,kgso->kgio", activity, cotangent, precision="highest")
    return record.scale * _transposed(record, record.operands[record.site.operand])


def pulled(record: Record, leaf: Array) -> Array:
    """Gradient (k, ...) with respect to the leaf itself."""

    def view(w: Array) -> Array:
        for equation, operand in record.site.view.steps:
            operands = [w if n == operand else a.value for n, a in enumerate(equation.inputs)]
            (w,) = equation.evaluate(operands)
        return w

    found = _transposed(record, record.operands[record.site.operand])
    (back,) = jax.vmap(jax.linear_transpose(view, leaf))(found)
    return jnp.asarray(back)


def _transposed(record: Record, like: Array) -> Array:
    """Gradient (k, ...) with respect to the view, by the transpose of the equation."""

    def equation(view: Array) -> Array:
        operands = list(record.operands)
        operands[record.site.operand] = view
        (out,) = record.equation.evaluate(operands)
        return out

    if record.equation.name in ("add", "add_any", "sub"):
        # A sum repeats axes of length one.
        shape = record.cotangent.shape[1:]
        axes = [1 + i for i, size in enumerate(like.shape) if size != shape[i]]
        summed = jnp.sum(record.cotangent, axis=axes, keepdims=True)
        return -summed if record.equation.name == "sub" and record.site.operand == 1 else summed
    (back,) = jax.vmap(jax.linear_transpose(equation, like))(record.cotangent)
    return jnp.asarray(back)


def sizes(program: Program, site: Site) -> tuple[int, int, int, int] | None:
    """Numbers of products, of positions, and of entries of activity and cotangent; None if the
    equation has no activities to contract."""
    equation = program.equations[site.index]
    out = equation.outputs[0].shape
    view = equation.inputs[site.operand].shape  # type: ignore[union-attr]
    if equation.name == "dot_general":
        (contracted, batch) = (sides[site.operand] for sides in _dimensions(equation))
        groups, fan_in = prod(view[i] for i in batch), prod(view[i] for i in contracted)
        fan_out = prod(view) // (groups * fan_in)
        return groups, prod(out) // (groups * fan_out), fan_in, fan_out
    if equation.name == "conv_general_dilated":
        fan_out = view[equation.params["dimension_numbers"].rhs_spec[0]]
        return 1, prod(out) // fan_out, prod(view) // fan_out, fan_out
    if equation.name == "gather":
        return 1, prod(out[:-1]), 1, out[-1]
    return None


def pair(record: Record) -> tuple[Array, Array]:
    """Activities (g, s, in) and cotangents (k, g, s, out), with the view's factor in the former."""
    if record.equation.name == "dot_general":
        activity, cotangent = _product(record)
    else:
        activity, cotangent = _convolution(record)
    return record.scale * activity, cotangent


def lookup(record: Record) -> tuple[Array, Array]:
    """Rows (s,) of the table and cotangents (k, s, out), with the view's factor in the latter."""
    table, places = record.operands
    rows = jnp.clip(jnp.asarray(places)[..., 0], 0, table.shape[0] - 1).ravel()
    cotangent = record.cotangent.reshape(len(record.cotangent), len(rows), -1)
    return rows, record.scale * cotangent


def _dimensions(equation: Equation) -> tuple[Any, Any]:
    contracted, batch = equation.params["dimension_numbers"]
    return contracted, batch


def _product(record: Record) -> tuple[Array, Array]:
    contracted, batch = _dimensions(record.equation)
    operand, other = record.site.operand, record.other
    mine, summed = batch[1 - operand], contracted[1 - operand]
    rest = [i for i in range(other.ndim) if i not in (*mine, *summed)]
    # The entries summed over must come in one order for all inputs, whichever it is.
    activity = other.transpose(*mine, *rest, *summed)
    groups = prod(other.shape[i] for i in mine)
    positions = prod(other.shape[i] for i in rest)
    activity = activity.reshape(groups, positions, -1)
    cotangent = record.cotangent
    k = len(cotangent)
    # The result has the axes of the batch, then those of the left and of the right operand.
    if operand == 1:
        return activity, cotangent.reshape(k, groups, positions, -1)
    return activity, cotangent.reshape(k, groups, -1, positions).swapaxes(2, 3)


def _convolution(record: Record) -> tuple[Array, Array]:
    params, image = record.equation.params, record.other
    numbers = params["dimension_numbers"]
    image = image.transpose(numbers.lhs_spec)  # (1, channels, *positions)
    weights = record.operands[1].shape
    filters = [weights[i] for i in numbers.rhs_spec[2:]]
    out = record.cotangent.transpose(0, *(1 + i for i in numbers.out_spec))
    places = out.shape[3:]
    pads = [(0, 0, 0), (0, 0, 0), *((low, high, 0) for low, high in params["padding"])]
    padded = jax.lax.pad(image, jnp.zeros((), image.dtype), pads)
    steps = list(zip(params["window_strides"], params["rhs_dilation"], strict=True))
    patches = []
    for offset in np.ndindex(*filters):
        start = [o * dilation for o, (_, dilation) in zip(offset, steps, strict=True)]
        end = [
            s + (size - 1) * stride + 1
            for s, size, (stride, _) in zip(start, places, steps, strict=True)
        ]
        strides = [stride for stride, _ in steps]
        part = jax.lax.slice(padded, (0, 0, *start), (*padded.shape[:2], *end), (1, 1, *strides))
        patches.append(part)
    activity = jnp.stack(patches, axis=1)  # (1, offsets, channels, *positions)
    positions = (0, *range(3, activity.ndim))
    activity = activity.transpose(*positions, 1, 2).reshape(
        1, prod((activity.shape[0], *places)), -1
    )
    # (k, batch, channels, *positions) to positions before channels
    moved = jnp.moveaxis(out, 2, -1)
    return activity, moved.reshape(len(out), 1, -1, out.shape[2])
