"""Program of a function with the products that its parameters enter, from its trace in JAX.

A function f(theta, x) of one input is traced and its calls to jitted functions are inlined. What
remains is a list of equations. A *view* is a variable that is a leaf of theta up to its shape, order
and precision, or a linear function of it that depends on no input, such as a broadcast bias. A
*site* is an equation that is linear in a view: a matrix product, a convolution, a sum, a product of
entries or a lookup of rows. A leaf that all its views enter at sites has gradients that follow from
the cotangents of the sites' results; other leaves are `opaque`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np
from jax.extend import core

INLINED = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "checkpoint": "jaxpr"}
"""Primitives that call a function, with the parameter that holds it."""

MOVES = {"reshape", "squeeze", "transpose", "convert_element_type", "expand_dims", "copy", "neg"}
"""Primitives that keep inner products of entries, up to precision."""

LINEAR = {"reduce_sum", "slice", "rev", "broadcast_in_dim", "dynamic_slice"}
"""Further primitives that are linear in their first operand."""

SITES = {"dot_general", "conv_general_dilated", "add", "add_any", "sub", "mul", "gather"}


class Variable:
    """Value of the program, known by its identity."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype = shape, dtype


@dataclass(frozen=True, eq=False)
class Constant:
    """Value that does not depend on the arguments."""

    value: Any


Atom = Variable | Constant


@dataclass(frozen=True, eq=False)
class Equation:
    """One operation of JAX."""

    traced: core.JaxprEqn
    inputs: tuple[Atom, ...]
    outputs: tuple[Variable, ...]

    @property
    def name(self) -> str:
        return str(self.traced.primitive.name)

    @property
    def params(self) -> dict[str, Any]:
        return self.traced.params

    def evaluate(self, values: Sequence[Any]) -> list[Any]:
        """Results of the operation on these values."""
        # As a function of one equation, since the arguments of `bind` differ between versions.
        given = zip(self.traced.invars, values, strict=True)
        named = {v: value for v, value in given if not isinstance(v, core.Literal)}
        variables, results = list(named), self.traced.outvars
        origin = core.DebugInfo("ntkflow", self.name, (None,) * len(variables), None)
        effects = self.traced.effects
        body = core.Jaxpr((), variables, results, [self.traced], effects, debug_info=origin)
        return list(core.jaxpr_as_fun(core.ClosedJaxpr(body, ()))(*named.values()))


@dataclass(frozen=True)
class View:
    """Leaf of the parameters, and the linear operations that lead from it to a variable."""

    leaf: int
    steps: tuple[tuple[Equation, int], ...] = ()
    """Operations, each with the number of the operand that is linear in the leaf."""
    moved: bool = True
    """Whether inner products of entries are kept, up to the factors of the steps."""

    def after(self, equation: Equation, operand: int, moved: bool) -> "View":
        return replace(self, steps=(*self.steps, (equation, operand)), moved=self.moved and moved)


@dataclass(frozen=True)
class Site:
    """Equation that is linear in a view; `operand` is the number of the view among its inputs."""

    index: int
    operand: int
    view: View


@dataclass
class Program:
    """Equations of a function of leaves of parameters and leaves of one input."""

    leaves: list[Variable]
    inputs: list[Variable]
    equations: list[Equation] = field(default_factory=list)
    outputs: list[Atom] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    opaque: set[int] = field(default_factory=set)
    """Leaves whose gradients do not follow from sites."""

    def sites_of(self, leaf: int) -> list[Site]:
        return [] if leaf in self.opaque else [s for s in self.sites if s.view.leaf == leaf]

    def run(
        self,
        leaves: Sequence[Any],
        inputs: Sequence[Any],
        visit: Callable[[int, Equation, list[Any], list[Any]], list[Any]],
    ) -> tuple[list[Any], Callable[[Atom], Any]]:
        """Values of the outputs, and of any atom; `visit` may change the results of an equation.

        It receives the number of the equation, the equation, its operands and its results.
        """
        values = dict(zip([*self.leaves, *self.inputs], [*leaves, *inputs], strict=True))

        def read(atom: Atom) -> Any:
            return atom.value if isinstance(atom, Constant) else values[atom]

        for index, equation in enumerate(self.equations):
            operands = [read(atom) for atom in equation.inputs]
            results = visit(index, equation, operands, equation.evaluate(operands))
            values |= zip(equation.outputs, results, strict=True)
        return [read(atom) for atom in self.outputs], read


def trace(function: Callable[..., Any], leaves: Sequence[Any], inputs: Sequence[Any]) -> Program:
    """Program of function(leaves, inputs), both lists of arrays; its results are a list."""
    closed = jax.make_jaxpr(function)(list(leaves), list(inputs))
    variables = [Variable(tuple(a.shape), a.dtype) for a in closed.in_avals]
    program = Program(variables[: len(leaves)], variables[len(leaves) :])
    views = {variable: View(leaf) for leaf, variable in enumerate(program.leaves)}
    program.outputs = _inline(program, views, closed.jaxpr, closed.consts, variables)
    _mark_opaque(program, views, program.outputs)
    return program


def _inline(
    program: Program,
    views: dict[Atom, View],
    jaxpr: core.Jaxpr,
    constants: Sequence[Any],
    arguments: Sequence[Atom],
) -> list[Atom]:
    """Add the equations of a function to the program; atoms of its results."""
    atoms: dict[Any, Atom] = dict(zip(jaxpr.constvars, map(Constant, constants), strict=True))
    atoms |= zip(jaxpr.invars, arguments, strict=True)

    def read(variable: Any) -> Atom:
        is_literal = isinstance(variable, core.Literal)
        return Constant(variable.val) if is_literal else atoms[variable]

    for equation in jaxpr.eqns:
        inputs = tuple(read(variable) for variable in equation.invars)
        viewed = [number for number, atom in enumerate(inputs) if atom in views]
        called = INLINED.get(equation.primitive.name)
        if called and viewed:
            inner = equation.params[called]
            body, held = (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, ())
            outputs: Sequence[Atom] = _inline(program, views, body, held, inputs)
        else:
            outputs = [Variable(tuple(v.aval.shape), v.aval.dtype) for v in equation.outvars]
            new = Equation(equation, inputs, tuple(outputs))
            _add(program, views, new, viewed)
        atoms |= zip(equation.outvars, outputs, strict=True)
    return [read(variable) for variable in jaxpr.outvars]


def _add(
    program: Program, views: dict[Atom, View], equation: Equation, viewed: Sequence[int]
) -> None:
    """Append an equation: one that makes a view, a site, or one that makes leaves opaque."""
    program.equations.append(equation)
    if not viewed:
        return
    view = views[equation.inputs[viewed[0]]]
    if len(viewed) == 1 and _keeps_view(equation, viewed[0]):
        moved = equation.name in (*MOVES, "mul", "div") or _adds_axes(equation)
        views[equation.outputs[0]] = view.after(equation, viewed[0], moved)
    elif len(viewed) == 1 and _is_site(equation, viewed[0]):
        program.sites.append(Site(len(program.equations) - 1, viewed[0], view))
    else:
        _mark_opaque(program, views, equation.inputs)


def _mark_opaque(program: Program, views: dict[Atom, View], atoms: Sequence[Atom]) -> None:
    program.opaque |= {views[atom].leaf for atom in atoms if atom in views}


def _keeps_view(equation: Equation, operand: int) -> bool:
    """Return True if the result is linear in the view and depends on nothing but constants."""
    others = [atom for number, atom in enumerate(equation.inputs) if number != operand]
    fixed = all(isinstance(atom, Constant) for atom in others)
    if equation.name in MOVES | LINEAR:
        return operand == 0 and fixed and _is_float(equation.outputs[0].dtype)
    scalar = fixed and all(np.ndim(atom.value) == 0 for atom in others)  # type: ignore[union-attr]
    return scalar and (equation.name == "mul" or (equation.name == "div" and operand == 0))


def _is_float(dtype: Any) -> bool:
    return bool(jax.numpy.issubdtype(dtype, jax.numpy.floating))


def _adds_axes(equation: Equation) -> bool:
    """Return True for a broadcast that repeats no entry."""
    if equation.name != "broadcast_in_dim":
        return False
    one, other = equation.inputs[0], equation.outputs[0]
    return bool(np.prod(one.shape) == np.prod(other.shape))  # type: ignore[union-attr]


def _is_site(equation: Equation, operand: int) -> bool:
    params = equation.params
    if equation.name == "conv_general_dilated":
        groups = params["feature_group_count"] * params["batch_group_count"]
        return operand == 1 and groups == 1 and set(params["lhs_dilation"]) <= {1}
    if equation.name == "gather":
        return operand == 0 and _looks_up_rows(equation)
    return equation.name in SITES


def _looks_up_rows(equation: Equation) -> bool:
    """Return True if whole rows of a matrix are gathered."""
    numbers, (table, _) = equation.params["dimension_numbers"], equation.inputs
    width = table.shape[-1]  # type: ignore[union-attr]
    last = len(equation.outputs[0].shape) - 1
    return (
        len(table.shape) == 2  # type: ignore[union-attr]
        and numbers.offset_dims == (last,)
        and numbers.collapsed_slice_dims == numbers.start_index_map == (0,)
        and equation.params["slice_sizes"] == (1, width)
    )
