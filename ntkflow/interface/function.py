"""Functions of parameters and inputs whose empirical NTK is computed: construction and checks."""

from __future__ import annotations  # so that help() names the types of arguments

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, TypeAlias

import cloudpickle
import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.interface import arrays
from ntkflow.interface.arguments import Precision
from ntkflow.interface.checks import checked, instance
from ntkflow.interface.network import Network, cast_array, full_precision
from ntkflow.kernels.function_ntk import OutputSelection, check_rows, count_rows, is_real, split
from ntkflow.kernels.function_products import take
from ntkflow.networks.function_blocks import Parametrized
from ntkflow.networks.model import Model
from ntkflow.stores.staging import check_container


@dataclass(frozen=True, eq=False)
class Function(Parametrized):
    """A function f(parameters, x) of a batch of inputs, and its parameters theta.

    Attributes
    ----------
    f
        Function of the parameters and inputs (n, ...) that returns outputs (n, ...).
    parameters
        Pytree of arrays.
    """

    @property
    def dtype(self) -> np.dtype:
        """Precision of the parameters, and of the inputs that f receives."""
        return np.dtype(jnp.result_type(*split(self.parameters)[0]))

    def inputs(self, name: str, value: Any) -> Any:
        """Inputs for f: real numbers in its precision, integers and booleans unchanged."""
        check_container(value, name)
        if isinstance(value, list) and not any(hasattr(a, "dtype") for a in jax.tree.leaves(value)):
            value = arrays.real_or_integer(name, value)  # numbers, not a pytree of arrays
        found = jax.tree.map(partial(_input, name, self.dtype), value)
        count_rows(found, name)
        return found

    def pair(self, x1: Any, x2: Any | None) -> tuple[Any, Any | None]:
        """Both lists of inputs for f; ValueError if their shapes or dtypes differ."""
        one = self.inputs("x1", x1)
        two = None if x2 is None else self.inputs("x2", x2)
        if two is not None and _described(one) != _described(two):
            raise ValueError(
                f"x2: found inputs {_described(two)}, expected {_described(one)}, as x1 has"
            )
        return one, two

    def check(self, x: Any, outputs: OutputSelection) -> None:
        """Raise ValueError if the output does not exist or the first inputs affect each other."""
        with full_precision():
            check_rows(self.f, self.parameters, x)
            number = np.asarray(self.f(self.parameters, take(x, slice(0, 1)))).size
        if isinstance(outputs, int) and not 0 <= outputs < number:
            raise ValueError(
                f"outputs: found {outputs}, expected 'all', 'trace' or a number below {number}"
            )

    def digest(self, x: Any) -> str:
        """Digest of the parameters, the code of f, and its values at a few inputs.

        Values are needed because cloudpickle stores an imported function as its name alone.
        """
        digest = hashlib.sha256(cloudpickle.dumps(self.f))
        leaves, tree = jax.tree.flatten(self.parameters)
        digest.update(str(tree).encode())
        for leaf in leaves:
            digest.update(f"{leaf.shape} {leaf.dtype}\n".encode())
            digest.update(np.ascontiguousarray(leaf).tobytes())
        with full_precision():
            y = jax.jit(self.f)(self.parameters, take(x, slice(0, 3)))
            digest.update(np.asarray(y).tobytes())
        return digest.hexdigest()


def _input(name: str, dtype: np.dtype, value: Any) -> np.ndarray:
    array = arrays.real_or_integer(name, value)
    if array.ndim == 0:
        raise ValueError(f"{name}: found the number {value}, expected an array of inputs")
    return cast_array(array, dtype, name) if array.dtype.kind == "f" else array


def _described(x: Any) -> str:
    """Shape of one input and dtype, of each array of a pytree."""
    return str(jax.tree.map(lambda a: f"{a.shape[1:]} of {a.dtype}", x))


Callee: TypeAlias = Annotated[
    Callable[[Any, Any], Any],
    partial(instance, kind=Callable, expected="a function of parameters and inputs"),
]
Tree: TypeAlias = Annotated[Any, arrays.tree]
Measured: TypeAlias = Annotated[
    Network | Function,
    partial(
        instance,
        kind=(Network, Function),
        expected="a Network or a Function, as api.network and api.function return",
    ),
]


@checked
def function(f: Callee, parameters: Tree, *, precision: Precision | None = None) -> Function:
    """JAX function with its parameters, for `empirical_ntk`, its store and its operator.

    Parameters
    ----------
    f
        Function of the parameters and a batch of inputs (n, ...) that returns outputs (n, ...), an
        array of any rank. JAX must be able to trace it. The outputs of an input must not depend on
        the other inputs of the batch.
    parameters
        Pytree of arrays: an array, or nested tuples, lists and dictionaries of arrays. Integers and
        booleans are constants, not differentiated.
    precision
        Precision to which real parameters and inputs are converted, ``float64`` or ``float32``. By
        default parameters are unchanged, and inputs are converted to their precision.

    Returns
    -------
    Function
        The function with its parameters.

    Raises
    ------
    ValueError
        If an argument is invalid. The message names it, what was found and what is expected.
    """

    def converted(leaf: Any) -> jax.Array:
        if precision is not None and is_real(leaf):
            leaf = cast_array(np.asarray(leaf), np.dtype(precision), "parameters")
        return jnp.asarray(leaf)

    with full_precision():
        made = Function(f, jax.tree.map(converted, parameters))
    return made if made.dtype == np.float64 else replace(made, f=partial(_in_32_bits, f=f))


def _in_32_bits(parameters: Any, x: Any, *, f: Callable[[Any, Any], Any]) -> jax.Array:
    """Evaluate f as JAX does by default, with 32 bits for arrays that f creates without dtype."""

    def short(array: jax.Array) -> jax.Array:
        wide = array.dtype in (np.int64, np.uint64)
        return array.astype(np.int32 if array.dtype == np.int64 else np.uint32) if wide else array

    narrow = jax.tree.map(short, (parameters, jax.tree.map(jnp.asarray, x)))
    with jax.enable_x64(False):
        return f(*narrow)


def as_function(network: Network) -> Function:
    """Network as a function of its parameters and inputs (n, d)."""
    return Function(partial(_apply, model=network.architecture), network.parameters)


def _apply(parameters: Any, x: jax.Array, model: Model) -> jax.Array:
    return model.apply(parameters, x)
