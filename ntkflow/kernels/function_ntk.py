"""Exact empirical NTK of any JAX function, by the cheaper of two methods for each parameter.

The kernel is a sum over the arrays of parameters of <dy_k(x)/dw, dy_k'(x')/dw>. The gradients of
all inputs are formed once and then contracted, or their factors (activations and cotangents, see
`jaxpr_sites`) are contracted separately: sum_{s,s'} <a_s, a'_s'> <d_ks, d'_k's'>.
Novak, Sohl-Dickstein and Schoenholz (2022), "Fast finite width neural tangent kernel", compare
their costs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr
from jax.typing import DTypeLike

from ntkflow.aliases import Array, OutputGram
from ntkflow.kernels import jaxpr_sites
from ntkflow.kernels.function_features import Features, Formed, contract
from ntkflow.kernels.jaxpr_sites import Site

Tree: TypeAlias = Any
"""An array, or nested tuples, lists and dictionaries of arrays (a pytree)."""

Function: TypeAlias = Callable[[Tree, Tree], Array]
OutputSelection: TypeAlias = int | Literal["all", "trace"]
"""Outputs whose empirical NTK is computed: one, all pairs of them, or the trace."""


def function_ntk(
    f: Function,
    parameters: Tree,
    x1: Tree,
    x2: Tree | None = None,
    *,
    outputs: OutputSelection = "all",
    dtype: DTypeLike | None = None,
) -> OutputGram:
    """Theta_{kk'}(x, x') = <df_k(x)/dtheta, df_k'(x')/dtheta> of `f(parameters, x)`, (n, m, k, k).

    Parameters
    ----------
    f
        Function of parameters and a batch of inputs that returns outputs (n, ...). JAX must be able
        to trace it. It is evaluated on batches of one, so the outputs of an input must not depend
        on the other inputs, as with batch normalisation in training mode; see `check_rows`.
    parameters
        Pytree of arrays. Integers and booleans are constants.
    x1, x2
        Inputs: arrays, or pytrees of arrays, with leading axes of length n and m. Without x2, the
        kernel of x1 with itself is exactly symmetric, and about half of the products are skipped.
    outputs
        ``all`` pairs of the k outputs of an input, flattened; the index of one; or the ``trace``.
        With an index or the trace, k is 1.
    dtype
        Precision in which products are summed, by default that of the outputs.

    Returns
    -------
    jax.Array
        The kernel, (n, m, k, k).

    Raises
    ------
    ValueError
        If the inputs have no common leading axis, no parameter is real, the outputs are not one
        array of real numbers with a row per input, or an index does not exist.
    """
    rows = count_rows(x1, "x1")
    columns = rows if x2 is None else count_rows(x2, "x2")
    plan = plan_ntk(f, parameters, x1, outputs, (rows, columns))
    one = plan.features(parameters, x1)
    two = None if x2 is None else plan.features(parameters, x2)
    return contract(one, two, dtype or plan.dtype)


@dataclass(frozen=True)
class Plan:
    """A function traced on one input, and the method for each parameter.

    Attributes
    ----------
    program
        Function of the real parameters, the other parameters and one input.
    leaves
        Number of arrays of real parameters.
    factored, formed
        Sites whose factors are contracted separately, and sites whose gradients are formed from
        them. All other parameters are differentiated directly.
    outputs
        Outputs whose kernel is computed.
    """

    program: ClosedJaxpr
    leaves: int
    factored: tuple[Site, ...]
    formed: tuple[Site, ...]
    outputs: OutputSelection

    @property
    def dtype(self) -> np.dtype:
        """Precision of the outputs."""
        return np.dtype(self.program.out_avals[0].dtype)

    @cached_property
    def number(self) -> int:
        """Number of outputs of an input."""
        return prod(self.program.out_avals[0].shape)

    def features(self, parameters: Tree, x: Tree) -> Features:
        """Features of the inputs x, from one forward and one reverse pass."""
        real, others = split(parameters)
        inputs = jax.tree.leaves(x)
        return jax.vmap(lambda *row: self._of_one(real, others, row))(*inputs)

    def _of_one(self, real: list[Array], others: list[Array], row: Sequence[Array]) -> Features:
        sites = self.factored + self.formed
        taken = {site.leaf for site in sites}
        free = [leaf for leaf in range(self.leaves) if leaf not in taken]
        keep = jaxpr_sites.needed(self.program, sites)

        def tapped(taps: list[Array], leaves: list[Array]) -> tuple[Array, Any]:
            theta = list(real)
            for leaf, value in zip(free, leaves, strict=True):
                theta[leaf] = value
            added = {site.equation: tap for site, tap in zip(sites, taps, strict=True)}
            arguments = (*theta, *others, *row)
            results, values = jaxpr_sites.evaluate(self.program, arguments, added, keep=keep)
            activities = [jaxpr_sites.activity(self.program, s, values) for s in self.factored]
            sources = [jaxpr_sites.source(self.program, s, values) for s in self.formed]
            return results[0], activities + sources

        taps = [jaxpr_sites.zeros(self.program, site) for site in sites]
        result, pull, activities = jax.vjp(tapped, taps, [real[i] for i in free], has_aux=True)
        by_taps, by_leaves = jax.vmap(pull)(self._directions(result))
        cotangents = [
            jax.vmap(lambda d, site=site: jaxpr_sites.cotangent(self.program, site, d))(derivative)
            for site, derivative in zip(sites, by_taps, strict=True)
        ]
        return self._collected(activities, cotangents, by_leaves)

    def _directions(self, result: Array) -> Array:
        """Unit vectors (k, *shape) of the outputs to differentiate."""
        unit = jnp.eye(self.number, dtype=result.dtype)
        if isinstance(self.outputs, int):
            unit = unit[self.outputs][None]
        return unit.reshape(-1, *result.shape)

    def _collected(
        self, activities: list[Array], cotangents: list[Array], by_leaves: list[Array]
    ) -> Features:
        traced = self.outputs == "trace"
        gradients = [leaf.reshape(1 if traced else len(leaf), -1) for leaf in by_leaves]
        found = Features(gradients, [], [], [])
        for number, (a, d) in enumerate(zip(activities, cotangents, strict=True)):
            if number >= len(self.factored):
                site = self.formed[number - len(self.factored)]
                windows = jaxpr_sites.windows(self.program, site)
                found.formed.append(Formed(a, d, windows, traced))
            elif self.factored[number].kind == "lookup":
                found.lookups.append((a, self._traced(d)))
            else:
                found.factors.append((a, self._traced(d)))
        return found

    def _traced(self, d: Array) -> Array:
        """Cotangents; for the trace, outputs become further entries."""
        if self.outputs != "trace":
            return d
        return jnp.moveaxis(d, 0, -1).reshape(1, *d.shape[1:3], -1)


def plan_ntk(
    f: Function, parameters: Tree, x: Tree, outputs: OutputSelection, sizes: tuple[int, int]
) -> Plan:
    """Trace f on one input of x, and choose the method for each parameter.

    `sizes` are the numbers of rows and columns of the kernel, or of a block of it. Raises
    ValueError if an output does not exist or f does not return real numbers, one row per input.
    """
    real, others = split(parameters)
    inputs, inputs_tree = jax.tree.flatten(x)

    def of_one(*arrays: Array) -> Array:
        theta = join(parameters, arrays[: len(real)], arrays[len(real) : -len(inputs)])
        single = [array[None] for array in arrays[-len(inputs) :]]
        return _checked_output(f(theta, jax.tree.unflatten(inputs_tree, single)))

    one = [jax.ShapeDtypeStruct(jnp.shape(a)[1:], jnp.result_type(a)) for a in inputs]
    program = jaxpr_sites.flat_program(of_one, *real, *others, *one)
    sites = jaxpr_sites.find_sites(program, len(real))
    number = prod(program.out_avals[0].shape)
    if isinstance(outputs, int) and not 0 <= outputs < number:
        raise ValueError(
            f"outputs: found {outputs}, expected 'all', 'trace' or a number below {number}"
        )
    factored = tuple(s for s in sites if is_factored(s, *sizes, number, outputs))
    formed = tuple(s for s in sites if s not in factored and s.kind != "lookup")
    return Plan(program, len(real), factored, formed, outputs)


def is_factored(site: Site, rows: int, columns: int, number: int, outputs: OutputSelection) -> bool:
    """Return True if contracting the factors takes fewer products than forming the gradients."""
    b, s, i, o = site.sizes
    differentiated = 1 if isinstance(outputs, int) else number
    pairs = number**2 if outputs == "all" else 1
    length = number if outputs == "trace" else 1  # terms of the trace
    inner = 0 if site.kind == "lookup" else i
    factors = rows * columns * b * s**2 * (inner + pairs * (o * length + 1))
    looked_up = 0 if site.kind == "lookup" else s
    form = (rows + columns) * differentiated * b * i * o * (looked_up + 1)
    return factors <= form + rows * columns * pairs * b * i * o * length


def count_rows(x: Tree, name: str) -> int:
    """Common length of the leading axes of inputs; ValueError if there is none."""
    lengths = {(jnp.shape(array) or (0,))[0] for array in jax.tree.leaves(x)}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            f"{name}: found arrays with the lengths {sorted(lengths)}, expected one "
            "or more inputs, equally many in each array"
        )
    return int(lengths.pop())


def is_real(leaf: Any) -> bool:
    """Return True if an array has real numbers, which are differentiated."""
    return bool(jnp.issubdtype(jnp.result_type(leaf), jnp.floating))


def split(parameters: Tree) -> tuple[list[Array], list[Array]]:
    """Real arrays among the parameters, and all others; ValueError if none is real."""
    leaves = jax.tree.leaves(parameters)
    real = [leaf for leaf in leaves if is_real(leaf)]
    if not real:
        raise ValueError("parameters: found no array of real numbers, expected one or more")
    return real, [leaf for leaf in leaves if not is_real(leaf)]


def join(parameters: Tree, real: Sequence[Array], others: Sequence[Array]) -> Tree:
    """Parameters in which the arrays that `split` returns are replaced."""
    leaves, tree = jax.tree.flatten(parameters)
    parts = iter(real), iter(others)
    return jax.tree.unflatten(tree, [next(parts[0 if is_real(leaf) else 1]) for leaf in leaves])


def _checked_output(y: Any) -> Array:
    """Outputs of one input, from those of a batch of one; ValueError unless they are real."""
    if not isinstance(y, jax.Array) or not is_real(y) or jnp.shape(y)[:1] != (1,):
        found = jax.tree.map(lambda a: f"{jnp.shape(a)} of {jnp.result_type(a)}", y)
        raise ValueError(
            f"f: found the result {found} for a batch of one input, expected an array of real "
            "numbers of shape (1, ...)"
        )
    return y[0]


def check_rows(f: Function, parameters: Tree, x: Tree, name: str = "f") -> None:
    """Raise ValueError if outputs of the first inputs change when they are evaluated alone.

    Up to three inputs are evaluated. Call it outside traced functions.
    """
    rows = min(count_rows(x, "x1"), 3)
    together = np.asarray(f(parameters, jax.tree.map(lambda array: array[:rows], x)))
    for row in range(rows):
        alone = f(parameters, jax.tree.map(lambda array, i=row: array[i : i + 1], x))
        found = np.asarray(_checked_output(alone))
        tolerance = float(np.sqrt(np.finfo(found.dtype).eps)) * max(np.abs(found).max(), 1e-30)
        if len(together) != rows or not np.allclose(together[row], found, 1e-3, tolerance):
            raise ValueError(
                f"{name}: found outputs of an input that depend on the other inputs of its batch, "
                "expected a function of each input alone; evaluate batch normalisation with its "
                "running averages"
            )
