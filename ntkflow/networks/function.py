"""Networks defined by a function of the user, which returns how to draw and evaluate them.

The function takes the keywords `width`, `outputs` and `shape`, the shape of one input, and returns
the pair `init`, `apply`:

- ``init(key)`` draws the parameters, a pytree of floating-point arrays, from a JAX random key;
- ``apply(parameters, x)`` computes f (n, outputs) at inputs x (n, *shape).

Both are traced by JAX (`jit`, `vmap`, `grad`). Parameters are cast to the precision of training,
which is also that of x. With plain JAX, in the module ``my_models``:

    def two_layers(*, width, outputs, shape):
        (features,) = shape

        def init(key):
            one, two = jax.random.split(key)
            w = jax.random.normal(one, (features, width)) / features**0.5
            return w, jax.random.normal(two, (width, outputs)) / width**0.5

        def apply(parameters, x):
            w, v = parameters
            return jnp.tanh(x @ w) @ v

        return init, apply

With Flax NNX and a module class ``Net``:

    def net(*, width, outputs, shape):
        def split(key):
            return nnx.split(Net(width, outputs, rngs=nnx.Rngs(key)))

        graph, _ = split(jax.random.key(0))
        return lambda key: split(key)[1], lambda state, x: nnx.merge(graph, state)(x)

With Equinox:

    def mlp(*, width, outputs, shape):
        def split(key):
            return eqx.partition(eqx.nn.MLP(*shape, outputs, width, 2, key=key), eqx.is_array)

        _, rest = split(jax.random.key(0))
        return (
            lambda key: split(key)[0],
            lambda arrays, x: jax.vmap(eqx.combine(arrays, rest))(x),
        )
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from ntkflow.aliases import Array, Inputs, Key, OtherInputs, OutputGram, Outputs
from ntkflow.functions import first_line, imported_function
from ntkflow.networks.composed import check_features
from ntkflow.networks.empirical import generic_ntk
from ntkflow.networks.model import OutputSelection, Parameters

Init = Callable[[Any], Any]
Apply = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class FunctionArchitecture:
    """A network defined by the function "module:function", a `Model`.

    `shape` is that of one input; None for vectors of any length. Networks with equal fields are the
    same. The module's docstring describes the function.
    """

    function: str
    width: int
    outputs: int
    shape: tuple[int, ...] | None = None

    @property
    def smooth(self) -> bool:
        return False  # unknown

    def init(self, key: Key[Array, ""], features: int, dtype: DTypeLike) -> Parameters:
        drawn = self._made(features).init(key)
        return jax.tree.map(lambda leaf: leaf.astype(dtype), drawn)

    def apply(self, parameters: Parameters, x: Inputs) -> Outputs:
        made = self._made(x.shape[1])
        f: Array = made.apply(parameters, jnp.asarray(x).reshape(len(x), *made.shape))
        return f

    def parameter_count(self, features: int) -> int:
        return self._made(features).parameters

    def unit_count(self, features: int) -> int:
        return self._made(features).units

    def empirical_ntk(
        self,
        parameters: Parameters,
        x1: Inputs,
        x2: OtherInputs,
        *,
        outputs: OutputSelection = "all",
        dtype: DTypeLike | None = None,
    ) -> OutputGram:
        return generic_ntk(self, parameters, x1, x2, outputs=outputs, dtype=dtype)

    def _made(self, features: int) -> "Made":
        shape = (features,) if self.shape is None else self.shape
        check_features(features, shape)
        return made_by(self.function, self.width, self.outputs, shape)


class Made(NamedTuple):
    """Checked result of a user's function."""

    init: Init
    apply: Apply
    shape: tuple[int, ...]
    """Shape of one input."""
    parameters: int
    """Number of entries of the parameters."""
    units: int
    """Entries of all intermediate results of `apply`, per input."""


@cache
def made_by(function: str, width: int, outputs: int, shape: tuple[int, ...]) -> Made:
    """Call the function "module:function", and check what it returns by tracing it.

    Raises ValueError, which names the function, if it cannot be imported, raises an error itself,
    or does not return the pair that the module's docstring describes.
    """
    what = "network function"
    made = imported_function(function, what)
    try:
        # The first call may come from a program that is being traced.
        with jax.ensure_compile_time_eval():
            pair = made(width=width, outputs=outputs, shape=shape)
        complaint = _complaint(pair, outputs, shape)
        if not complaint:
            init, apply = pair
            parameters = jax.eval_shape(init, jax.random.key(0))
            units = _units(apply, parameters, shape)
    except Exception as error:  # the user's function may raise anything
        complaint = first_line(error)
    if complaint:
        raise ValueError(
            f"{what} {function!r} with width={width}, outputs={outputs}, shape={shape}: "
            f"{complaint}; expected a pair init(key), apply(parameters, x) with f (n, outputs) at "
            "inputs (n, *shape)"
        ) from None
    count = sum(leaf.size for leaf in jax.tree.leaves(parameters))
    return Made(init, apply, shape, count, units)


def _complaint(pair: Any, outputs: int, shape: tuple[int, ...]) -> str:
    """First error in the result of a user's function; empty if there is none."""
    if not isinstance(pair, tuple) or len(pair) != 2 or not all(map(callable, pair)):
        return f"it returned a {type(pair).__name__}"
    init, apply = pair
    parameters = jax.eval_shape(init, jax.random.key(0))
    leaves = jax.tree.leaves(parameters)
    kinds = {str(leaf.dtype) for leaf in leaves if not jnp.issubdtype(leaf.dtype, jnp.floating)}
    if not leaves or kinds:
        return f"found parameters of {', '.join(sorted(kinds)) or 'no entries'}, expected floats"
    f = jax.eval_shape(apply, parameters, _points(2, shape, leaves[0].dtype))
    if getattr(f, "shape", None) != (2, outputs):
        return f"found f of shape {getattr(f, 'shape', type(f).__name__)} at 2 inputs"
    return ""


def _units(apply: Apply, parameters: Any, shape: tuple[int, ...]) -> int:
    dtype = jax.tree.leaves(parameters)[0].dtype
    program = jax.make_jaxpr(apply)(parameters, _points(1, shape, dtype))
    results = (each.aval for equation in program.eqns for each in equation.outvars)
    return sum(prod(result.shape) for result in results)


def _points(count: int, shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((count, *shape), dtype)
