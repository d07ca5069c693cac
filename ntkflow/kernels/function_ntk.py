"""Empirical NTK of any function of parameters and inputs, exactly and without a Jacobian.

Theta_{kk'}(x, x') is a sum over the leaves w of the parameters. Where a leaf enters f linearly, at a
`Site` of `function_program`, the gradient of f_k(x) with respect to it is a sum over positions s of
outer products of an activity a_s (of the input) and a cotangent d_{k,s} (of the output):

    <df_k(x)/dw, df_k'(x')/dw> = <sum_s a_s d_{k,s}^T, sum_s' a'_s' d'_{k',s'}^T>            (formed)
                               = sum_{s,s'} <a_s, a'_s'> <d_{k,s}, d'_{k',s'}>                (paired)

The first form costs one gradient per input and output and a Gram product of their entries, the
second two Gram products and no gradient. The cheaper one is chosen for each leaf by counting
operations (Novak, Sohl-Dickstein & Schoenholz 2022, Section 3). All cotangents come from one
backward pass, with respect to zeros added to the results of all sites. Leaves that enter in other
ways have the gradients of automatic differentiation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from ntkflow.aliases import Array, OutputGram
from ntkflow.kernels import function_sites as sites
from ntkflow.kernels.empirical import symmetric_ntk
from ntkflow.kernels.function_program import Program, Site, trace

Outputs = int | Literal["all", "trace"]
Function = Callable[[Any, Any], Array]


class Formed(NamedTuple):
    """Gradients (n, k, P) of each input and output with respect to a leaf."""

    gradient: Array


class Paired(NamedTuple):
    """Activities (n, g, s, in) and cotangents (n, k, g, s, out) of a leaf's one site.

    g counts independent products, such as the heads of a batched one.
    """

    activity: Array
    cotangent: Array


class LookedUp(NamedTuple):
    """Rows (n, s) of a table that are looked up, and cotangents (n, k, s, out) of the results."""

    rows: Array
    cotangent: Array


Factor = Formed | Paired | LookedUp


@dataclass(frozen=True)
class Plan:
    """How the NTK of a function is computed for inputs of one shape."""

    program: Program
    paired: frozenset[int]
    """Leaves whose activities and cotangents are contracted separately."""
    outputs: Outputs
    count: int
    """Number of outputs of f."""

    @property
    def selected(self) -> int:
        """Number of outputs whose gradients are computed."""
        return 1 if isinstance(self.outputs, int) else self.count


def plan_function(
    f: Function, parameters: Any, x: Any, outputs: Outputs = "all", others: int | None = None
) -> Plan:
    """Plan the NTK between inputs x, a pytree of arrays (n, ...), and `others` more, n by default.

    Only shapes of the arguments matter. ValueError if f does not return an array with one row for
    each input, or an output that is asked for does not exist.
    """
    leaves, inputs, apply = _flat(f, parameters, x)
    samples = inputs[0].shape[0]
    program = trace(apply, *_shapes(leaves, inputs))
    (result,) = program.outputs
    count = int(np.prod(result.shape)) if hasattr(result, "shape") else 1
    if isinstance(outputs, int) and not 0 <= outputs < count:
        raise ValueError(
            f"outputs: found {outputs}, expected 'all', 'trace' or a number below {count}"
        )
    plan = Plan(program, frozenset(), outputs, count)
    cheaper = {
        leaf
        for leaf in range(len(leaves))
        if _pairing_is_cheaper(plan, leaf, samples, samples if others is None else others)
    }
    return Plan(program, frozenset(cheaper), outputs, count)


def function_ntk(
    f: Function,
    parameters: Any,
    x1: Any,
    x2: Any = None,
    *,
    outputs: Outputs = "all",
    dtype: DTypeLike | None = None,
) -> OutputGram:
    """Theta_{kk'}(x, x') of a function at `parameters`, (n, m, k, k).

    Parameters
    ----------
    f
        Function of the parameters and a batch of inputs, with a row of outputs for each input that
        depends on no other input of the batch; traced with JAX.
    parameters
        Pytree of arrays. Those that are not of real floating-point numbers are constants.
    x1, x2
        Pytrees of arrays (n, ...) and (m, ...). Without x2, the kernel of x1 with itself, which is
        then exactly symmetric.
    outputs
        ``all`` outputs, in the order of their entries; their ``trace`` or one of them, with k = 1.
    dtype
        Precision in which products are summed, by default that of the outputs.
    """
    plan = plan_function(f, parameters, x1, outputs, None if x2 is None else _length(x2))
    one = factors(f, parameters, x1, plan)
    two = None if x2 is None else factors(f, parameters, x2, plan)
    return contract(one, two, plan, dtype)


def factors(f: Function, parameters: Any, x: Any, plan: Plan) -> list[Factor]:
    """Gradients, or activities and cotangents, of each leaf at inputs x (n, ...)."""
    leaves, inputs, _ = _flat(f, parameters, x)
    program = plan.program
    used = [leaf for leaf in range(len(leaves)) if leaf in program.opaque or program.sites_of(leaf)]
    opaque = [leaf for leaf in used if leaf in program.opaque]
    places = [site for leaf in used for site in program.sites_of(leaf)]

    def single(*one: Array) -> list[Factor]:
        given = [array[None] for array in one]
        directions = jnp.eye(plan.count, dtype=_dtype(program))
        if isinstance(plan.outputs, int):
            directions = directions[plan.outputs][None]

        def run(probes: list[Array], free: list[Array]) -> tuple[Array, list[Any]]:
            full = list(leaves)
            for leaf, value in zip(opaque, free, strict=True):
                full[leaf] = value
            added, seen = dict(zip([p.index for p in places], probes, strict=True)), {}

            def visit(index: int, _: Any, operands: list[Any], results: list[Any]) -> list[Any]:
                if index not in added:
                    return results
                seen[index] = operands
                return [results[0] + added[index]]

            (out,), read = program.run(full, given, visit)
            scales = {p.index: sites.scale(p, read) for p in places}
            return out.ravel(), [seen, scales]

        zeros = [jnp.zeros(p.shape, p.dtype) for p in (sites.result(program, s) for s in places)]
        free = [leaves[leaf] for leaf in opaque]
        _, pull, (seen, scales) = jax.vjp(run, zeros, free, has_aux=True)
        cotangents, gradients = jax.vmap(pull)(directions)
        by_place = {
            p.index: sites.Record(p, program.equations[p.index], seen[p.index], c, scales[p.index])
            for p, c in zip(places, cotangents, strict=True)
        }
        flat = dict(zip(opaque, gradients, strict=True))
        return [
            Formed(flat[leaf].reshape(plan.selected, -1))
            if leaf in flat
            else _factor(plan, leaf, [by_place[s.index] for s in program.sites_of(leaf)], leaves)
            for leaf in used
        ]

    return jax.vmap(single)(*inputs)


def _factor(plan: Plan, leaf: int, records: Sequence[Any], leaves: Sequence[Array]) -> Factor:
    """Factor of a leaf that enters at sites, at one input."""
    if leaf in plan.paired:
        (record,) = records
        if record.equation.name == "gather":
            return LookedUp(*sites.lookup(record))
        return Paired(*sites.pair(record))
    single = len(records) == 1 and records[0].site.view.moved
    parts = [sites.gradient(r) if single else sites.pulled(r, leaves[leaf]) for r in records]
    return Formed(sum(part.reshape(plan.selected, -1) for part in parts))


def contract(
    one: list[Factor], two: list[Factor] | None, plan: Plan, dtype: DTypeLike | None = None
) -> OutputGram:
    """Kernel (n, m, k, k) between the inputs of two lists of factors, or of the first alone."""
    between = partial(_between, traced=plan.outputs == "trace", dtype=dtype or _dtype(plan.program))
    return symmetric_ntk(one, between) if two is None else between(one, two)


def _between(one: list[Factor], two: list[Factor], *, traced: bool, dtype: DTypeLike) -> OutputGram:
    kernels = [_gram(a, b, traced, dtype) for a, b in zip(one, two, strict=True)]
    return sum(kernels[1:], start=kernels[0])


def _gram(one: Factor, two: Factor, traced: bool, dtype: DTypeLike) -> OutputGram:
    """Contribution of one leaf to the kernel, (n, m, k, k)."""
    product = partial(jnp.einsum, precision="highest", preferred_element_type=jnp.dtype(dtype))
    if isinstance(one, Formed):
        if traced:
            gradients = (f.gradient.reshape(len(f.gradient), -1) for f in (one, two))
            return product("np,mp->nm", *gradients)[:, :, None, None]
        return product("nkp,mlp->nmkl", one.gradient, two.gradient)
    if isinstance(one, LookedUp):
        equal = one.rows[:, None, :, None] == two.rows[None, :, None, :]
        inputs = equal[:, :, None].astype(dtype)  # one product
        pair = one.cotangent[:, :, None], two.cotangent[:, :, None]
    else:
        inputs = product("ngsi,mgti->nmgst", one.activity, two.activity)
        pair = one.cotangent, two.cotangent
    if traced:
        summed = product("nkgso,mkgto->nmgst", *pair)
        return jnp.sum(inputs * summed, axis=(2, 3, 4))[:, :, None, None]
    if inputs.shape[2:] == (1, 1, 1):  # one position: a product of two Gram matrices
        rows = (c.reshape(*c.shape[:2], -1) for c in pair)
        return inputs[:, :, 0] * product("nko,mlo->nmkl", *rows)
    return product("nmgst,nmklgst->nmkl", inputs, product("nkgso,mlgto->nmklgst", *pair))


def _pairing_is_cheaper(plan: Plan, leaf: int, samples: int, others: int) -> bool:
    """Compare multiplications of both forms for n = `samples` and m = `others` inputs."""
    found = plan.program.sites_of(leaf)
    if len(found) != 1 or not found[0].view.moved:
        return False
    sizes = sites.sizes(plan.program, found[0])
    if sizes is None:
        return False
    groups, positions, fan_in, fan_out = sizes
    k = plan.selected
    both = k if plan.outputs == "trace" else k**2
    forming = (samples + others) * k * groups * positions * fan_in * fan_out
    formed = forming + samples * others * both * groups * fan_in * fan_out
    contracting = (fan_in if fan_in > 1 else 1) + both * (fan_out + 1)
    return samples * others * groups * positions**2 * contracting < formed


def _flat(f: Function, parameters: Any, x: Any) -> tuple[list[Array], list[Array], Callable]:
    """Differentiable leaves of the parameters, leaves of the inputs, and f of both lists."""
    everything, structure = jax.tree.flatten(parameters)
    kept = [jnp.issubdtype(jnp.result_type(leaf), jnp.floating) for leaf in everything]
    inputs, form = jax.tree.flatten(x)

    def apply(leaves: Sequence[Array], given: Sequence[Array]) -> list[Array]:
        source = iter(leaves)
        full = [next(source) if k else leaf for k, leaf in zip(kept, everything, strict=True)]
        out = f(jax.tree.unflatten(structure, full), jax.tree.unflatten(form, given))
        if not hasattr(out, "shape") or out.shape[:1] != (1,):
            found = f"shape {out.shape}" if hasattr(out, "shape") else type(out).__name__
            raise ValueError(
                f"f: found {found} for one input, expected an array with one row for each input"
            )
        return [out[0]]

    leaves = [jnp.asarray(leaf) for k, leaf in zip(kept, everything, strict=True) if k]
    return leaves, [jnp.asarray(each) for each in inputs], apply


def _shapes(leaves: Sequence[Array], inputs: Sequence[Array]) -> tuple[list[Any], list[Any]]:
    """Shapes of the leaves and of one input."""
    one = [jax.ShapeDtypeStruct((1, *each.shape[1:]), each.dtype) for each in inputs]
    return [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves], one


def _length(x: Any) -> int:
    return int(jax.tree.leaves(x)[0].shape[0])


def _dtype(program: Program) -> Any:
    (result,) = program.outputs
    return result.dtype if hasattr(result, "dtype") else jnp.result_type(result.value)
