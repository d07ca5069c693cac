"""Products through which parameters enter a traced function, and the factors of their gradients.

If a parameter w enters only once, through a product with another factor, its gradient is
dy_k/dw[b, i, o] = sum_s a[b, s, i] d_k[b, s, o]. The activation a is the other factor, the
cotangent d_k is the derivative of output k by the product, and s runs over the positions at which
w is used. One reverse pass, with respect to zeros added to the products, gives all cotangents.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import product
from math import prod
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Var
from jax.extend.core import Literal as Constant

from ntkflow.aliases import Array

Atom: TypeAlias = Var | Constant

INLINED = {"jit", "pjit", "closed_call", "core_call", "checkpoint", "remat", "remat2"}
"""Calls replaced by their equations; calls with custom derivative rules would lose them."""

REARRANGING = {"transpose", "reshape", "squeeze", "expand_dims", "copy", "copy_p", "neg"}
"""Operations that do not change inner products of gradients."""


class Site(NamedTuple):
    """The one product through which a parameter enters."""

    leaf: int
    """Position of the parameter among the program's arguments."""
    equation: int
    """Position of the product among the program's equations."""
    operand: int
    """Position of the parameter among the operands of the equation."""
    kind: Literal["product", "convolution", "lookup"]
    scales: tuple[tuple[Atom, bool], ...]
    """Scalars that multiply the parameter before the product, or divide it if True."""
    sizes: tuple[int, int, int, int]
    """Numbers of values of b, s, i and o."""


def flat_program(function: Callable[..., Any], *arguments: Any) -> ClosedJaxpr:
    """Trace a function of arrays; calls in `INLINED` are replaced by their equations."""
    traced = jax.make_jaxpr(function)(*arguments)
    return jax.make_jaxpr(lambda *values: evaluate(traced, values, {})[0])(*arguments)


def evaluate(
    program: ClosedJaxpr,
    arguments: Sequence[Any],
    added: dict[int, Any],
    *,
    keep: Collection[Var] = (),
) -> tuple[list[Any], dict[Var, Any]]:
    """Results of a program, and the values of the variables in `keep`.

    `added` maps positions of equations to arrays that are added to their first results.
    """
    jaxpr, kept = program.jaxpr, {}
    values: dict[Var, Any] = dict(zip(jaxpr.constvars, program.consts, strict=True))
    values |= dict(zip(jaxpr.invars, arguments, strict=True))
    kept = {var: value for var, value in values.items() if var in keep}
    for number, equation in enumerate(jaxpr.eqns):
        results = _results(equation, [_value(atom, values) for atom in equation.invars])
        if number in added:
            results = [results[0] + added[number], *results[1:]]
        for var, result in zip(equation.outvars, results, strict=True):
            values[var] = result
            if var in keep:
                kept[var] = result
    return [_value(atom, values) for atom in jaxpr.outvars], kept


def _value(atom: Atom, values: dict[Var, Any]) -> Any:
    return atom.val if isinstance(atom, Constant) else values[atom]


def _results(equation: JaxprEqn, operands: list[Any]) -> list[Any]:
    name = equation.primitive.name
    if name in INLINED:
        inner: Any = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
        closed = ClosedJaxpr(inner, ()) if isinstance(inner, Jaxpr) else inner
        return evaluate(closed, operands, {})[0]
    parameters = equation.primitive.get_bind_params(equation.params)
    with equation.ctx.manager:
        results = equation.primitive.bind(*operands, **parameters)
    return list(results) if equation.primitive.multiple_results else [results]


def find_sites(program: ClosedJaxpr, leaves: int) -> list[Site]:
    """Sites of those of the first `leaves` arguments that enter once, through a known product."""
    jaxpr = program.jaxpr
    uses = Counter(var for var in jaxpr.outvars if isinstance(var, Var))
    users: dict[Var, int] = {}
    scalars = {var: var for var in (*jaxpr.invars, *jaxpr.constvars) if not _shape(var)}
    live = _live(jaxpr)
    for number, equation in enumerate(jaxpr.eqns):
        for var in equation.invars if number in live else ():
            if isinstance(var, Var):
                uses[var] += 1
                users[var] = number
        _note_scalars(equation, scalars)
    found = []
    for leaf, var in enumerate(jaxpr.invars[:leaves]):
        site = _site_of(leaf, var, jaxpr.eqns, uses, users, scalars)
        found += [] if site is None else [site]
    return found


def _live(jaxpr: Jaxpr) -> set[int]:
    """Positions of the equations on which results depend; other uses of parameters do not count."""
    wanted, live = {var for var in jaxpr.outvars if isinstance(var, Var)}, set()
    for number in reversed(range(len(jaxpr.eqns))):
        equation = jaxpr.eqns[number]
        if wanted.intersection(equation.outvars):
            live.add(number)
            wanted.update(var for var in equation.invars if isinstance(var, Var))
    return live


def _note_scalars(equation: JaxprEqn, scalars: dict[Var, Atom]) -> None:
    """Note which variables are scalars, or scalars repeated into an array."""
    if equation.primitive.name == "broadcast_in_dim" and not _shape(equation.invars[0]):
        source = equation.invars[0]
        known = source if isinstance(source, Constant) else scalars.get(source, source)
        scalars[equation.outvars[0]] = known
    else:
        scalars.update({var: var for var in equation.outvars if not _shape(var)})


def _shape(atom: Any) -> tuple[int, ...]:
    return tuple(getattr(atom.aval, "shape", (-1,)))


def _site_of(
    leaf: int,
    var: Var,
    equations: Sequence[JaxprEqn],
    uses: Counter[Var],
    users: dict[Var, int],
    scalars: dict[Var, Atom],
) -> Site | None:
    scales: list[tuple[Atom, bool]] = []
    while uses[var] == 1 and var in users:
        equation, name = equations[users[var]], equations[users[var]].primitive.name
        operand = next(i for i, atom in enumerate(equation.invars) if atom is var)
        if name in TERMINAL:
            sizes = TERMINAL[name][1](equation, operand)
            if sizes is None or (name == "gather" and scales):
                return None
            return Site(leaf, users[var], operand, TERMINAL[name][0], tuple(scales), sizes)
        if name in ("mul", "div"):
            scale = _scalar(equation.invars[1 - operand], scalars)
            if scale is None or (name == "div" and operand == 1):
                return None
            scales.append((scale, name == "div"))
        elif not _rearranges(equation):
            return None
        var = equation.outvars[0]
    return None


def _scalar(atom: Atom, scalars: dict[Var, Atom]) -> Atom | None:
    if isinstance(atom, Constant):
        return None if np.ndim(atom.val) else atom
    return scalars.get(atom)


def _rearranges(equation: JaxprEqn) -> bool:
    name, (before, after) = equation.primitive.name, (equation.invars[0], equation.outvars[0])
    if name == "convert_element_type":
        return bool(jnp.issubdtype(equation.params["new_dtype"], jnp.floating))
    if name == "broadcast_in_dim":  # only axes of length 1 are new
        return prod(_shape(before)) == prod(_shape(after))
    return name in REARRANGING


def _product_sizes(equation: JaxprEqn, operand: int) -> tuple[int, int, int, int]:
    batch, free, contracted = _axes(equation, 1 - operand)
    shape = _shape(equation.invars[1 - operand])
    b, s, i = (prod(shape[axis] for axis in axes) for axes in (batch, free, contracted))
    return b, s, i, prod(_shape(equation.outvars[0])) // max(b * s, 1)


def _axes(equation: JaxprEqn, operand: int) -> tuple[list[int], list[int], list[int]]:
    """Batch, free and contracted axes of an operand of a dot_general."""
    contracted, batch = (list(axes[operand]) for axes in equation.params["dimension_numbers"])
    axes = range(len(_shape(equation.invars[operand])))
    return batch, [axis for axis in axes if axis not in (*batch, *contracted)], contracted


def _convolution_sizes(equation: JaxprEqn, operand: int) -> tuple[int, int, int, int] | None:
    parameters = equation.params
    if operand != 1 or parameters["batch_group_count"] != 1:
        return None
    groups, weights = parameters["feature_group_count"], _shape(equation.invars[1])
    out_axis = parameters["dimension_numbers"].rhs_spec[0]
    channels = weights[out_axis]
    positions = prod(_shape(equation.outvars[0])) // channels
    return groups, positions, prod(weights) // channels, channels // groups


def _lookup_sizes(equation: JaxprEqn, operand: int) -> tuple[int, int, int, int] | None:
    numbers, weights = equation.params["dimension_numbers"], _shape(equation.invars[0])
    indices, result = _shape(equation.invars[1]), _shape(equation.outvars[0])
    rows = (
        operand == 0
        and numbers.collapsed_slice_dims == numbers.start_index_map == (0,)
        and not numbers.operand_batching_dims
        and tuple(equation.params["slice_sizes"]) == (1, *weights[1:])
        and numbers.offset_dims == tuple(range(len(indices) - 1, len(result)))
    )
    return (1, prod(indices[:-1]), weights[0], prod(weights[1:])) if rows else None


TERMINAL: dict[str, tuple[Any, Callable[[JaxprEqn, int], Any]]] = {
    "dot_general": ("product", _product_sizes),
    "conv_general_dilated": ("convolution", _convolution_sizes),
    "gather": ("lookup", _lookup_sizes),
}


def needed(program: ClosedJaxpr, sites: Sequence[Site]) -> set[Var]:
    """Variables whose values `source` and `activity` read."""
    atoms = [atom for site in sites for atom, _ in site.scales]
    for site in sites:
        operands = program.jaxpr.eqns[site.equation].invars
        atoms.append(operands[_other(site)])
    return {atom for atom in atoms if isinstance(atom, Var)}


class Windows(NamedTuple):
    """Slices of an array (m, positions ..., b, i) whose positions a convolution multiplies at once.

    One for each offset of the filter. A product without a filter reads one slice, the array. XLA's
    patches would be a grouped convolution, which is slow on CPUs.
    """

    starts: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self, array: Array, start: Sequence[Any], first: Any, channels: int) -> Array:
        """Activation a (b, s, `channels`) of channels from the first on, in one slice."""
        m, *_, b, _ = array.shape
        lengths = (
            (n - 1) * stride + 1 for n, stride in zip(self.counts, self.strides, strict=True)
        )
        sizes = (m, *lengths, b, channels)
        part = jax.lax.dynamic_slice(array, (0, *start, 0, first), sizes)
        steps = (slice(None, None, stride) for stride in self.strides)
        part = part[(slice(None), *steps)]
        return part.reshape(m * prod(self.counts), b, channels).swapaxes(0, 1)


def windows(program: ClosedJaxpr, site: Site) -> Windows:
    """Slices of `source` from which the activations of a site follow."""
    equation = program.jaxpr.eqns[site.equation]
    if site.kind != "convolution":
        return Windows(((),), (), ())
    parameters = equation.params
    numbers = parameters["dimension_numbers"]
    window = [_shape(equation.invars[1])[axis] for axis in numbers.rhs_spec[2:]]
    starts = product(
        *(range(0, n * d, d) for n, d in zip(window, parameters["rhs_dilation"], strict=True))
    )
    counts = tuple(_shape(equation.outvars[0])[axis] for axis in numbers.out_spec[2:])
    return Windows(tuple(starts), counts, tuple(parameters["window_strides"]))


def source(program: ClosedJaxpr, site: Site, values: dict[Var, Any]) -> Array:
    """Array (m, positions ..., b, i) of the activations of a site; see `Windows`."""
    equation = program.jaxpr.eqns[site.equation]
    array = jnp.asarray(_value(equation.invars[_other(site)], values))
    if site.kind == "convolution":
        found = _padded(equation, array)
    else:
        batch, free, contracted = _axes(equation, _other(site))
        b, s, i = site.sizes[:3]
        found = array.transpose([*free, *batch, *contracted]).reshape(s, b, i)
    for atom, divides in site.scales:
        scale = jnp.asarray(_value(atom, values)).astype(found.dtype)
        found = found / scale if divides else found * scale
    return found


def activity(program: ClosedJaxpr, site: Site, values: dict[Var, Any]) -> Array:
    """Activation a (b, s, i) at a site; for a lookup the rows (s,), -1 if out of bounds."""
    if site.kind == "lookup":
        equation = program.jaxpr.eqns[site.equation]
        return _rows(equation, jnp.asarray(_value(equation.invars[1], values)).reshape(-1))
    array, slices = source(program, site, values), windows(program, site)
    parts = [slices.read(array, start, 0, array.shape[-1]) for start in slices.starts]
    return jnp.concatenate(parts, axis=2)


def _other(site: Site) -> int:
    """Operand that is multiplied with the parameters."""
    return 0 if site.kind == "convolution" else 1 - site.operand


def _rows(equation: JaxprEqn, rows: Array) -> Array:
    count = _shape(equation.invars[0])[0]
    if equation.params["mode"] == jax.lax.GatherScatterMode.CLIP:
        return jnp.clip(rows, 0, count - 1)
    return jnp.where((rows >= 0) & (rows < count), rows, -1)


def _padded(equation: JaxprEqn, inputs: Array) -> Array:
    """Padded inputs of a convolution (batch, positions ..., groups, channels)."""
    parameters, groups = equation.params, equation.params["feature_group_count"]
    array = inputs.transpose(_channels_last(parameters["dimension_numbers"].lhs_spec))
    config = [
        (*padding, dilation - 1)
        for padding, dilation in zip(parameters["padding"], parameters["lhs_dilation"], strict=True)
    ]
    padded = jax.lax.pad(array, jnp.zeros((), array.dtype), [(0, 0, 0), *config, (0, 0, 0)])
    return padded.reshape(*padded.shape[:-1], groups, -1)


def _channels_last(spec: tuple[int, ...]) -> tuple[int, ...]:
    """Axes in the order batch, positions, channels; no transposition if that is their order."""
    return (spec[0], *spec[2:], spec[1])


def cotangent(program: ClosedJaxpr, site: Site, derivative: Array) -> Array:
    """Cotangent d (b, s, o) at a site, from the derivative by the product."""
    equation, (b, s, _, o) = program.jaxpr.eqns[site.equation], site.sizes
    if site.kind == "product" and site.operand == 0:
        return derivative.reshape(b, o, s).swapaxes(1, 2)
    if site.kind == "convolution":
        spec = equation.params["dimension_numbers"].out_spec
        return derivative.transpose(_channels_last(spec)).reshape(s, b, o).swapaxes(0, 1)
    return derivative.reshape(b, s, o)


def zeros(program: ClosedJaxpr, site: Site) -> Array:
    """Zeros to add to the result of a site."""
    result: Any = program.jaxpr.eqns[site.equation].outvars[0].aval
    return jnp.zeros(result.shape, result.dtype)
