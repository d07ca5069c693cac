"""Activations by name, with their parameters; JAX is not imported.

Planning checks names and parameters, and must not wait for JAX. A factory therefore takes the
module `ntkflow.kernels.activations`, in which it finds JAX and the classes of activations. To add
an activation, write a factory and name it in `ACTIVATIONS`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import signature
from typing import Any

LARGEST = 1e100
"""Largest parameter of an activation: duals contain its square."""
Parameters = Mapping[str, float | Sequence[float]]


def _leaky_relu(module: Any, slope: float = 0.01) -> Any:
    odd, even = (1 + slope) / 2, (1 - slope) / 2
    function = partial(module.jax.nn.leaky_relu, negative_slope=slope)
    return module.PiecewiseLinear("leaky_relu", function, odd=odd, even=even)


def _elu(module: Any, alpha: float = 1.0) -> Any:
    return module.from_function("elu", partial(module.jax.nn.elu, alpha=alpha), kinks=[0.0])


ACTIVATIONS: Mapping[str, Callable[..., Any]] = {
    "relu": lambda module: module.PiecewiseLinear("relu", module.jax.nn.relu, odd=0.5, even=0.5),
    "leaky_relu": _leaky_relu,
    "abs": lambda module: module.PiecewiseLinear("abs", module.jnp.abs, odd=0.0, even=1.0),
    "identity": lambda module: module.PiecewiseLinear("identity", lambda z: z, odd=1.0, even=0.0),
    "erf": lambda module: module.ClosedForm(
        "erf", module.jax.scipy.special.erf, module.erf_moments
    ),
    "gelu": lambda module: module.ClosedForm(
        "gelu", partial(module.jax.nn.gelu, approximate=False), module.gelu_moments
    ),
    "sin": lambda module: module.ClosedForm("sin", module.jnp.sin, module.sine_moments),
    "cos": lambda module: module.ClosedForm("cos", module.jnp.cos, module.cosine_moments),
    "tanh": lambda module: module.HermiteSeries("tanh", module.jnp.tanh),
    "sigmoid": lambda module: module.HermiteSeries("sigmoid", module.jax.nn.sigmoid),
    "softplus": lambda module: module.HermiteSeries("softplus", module.jax.nn.softplus),
    "silu": lambda module: module.HermiteSeries("silu", module.jax.nn.silu),
    "elu": _elu,
    "selu": lambda module: module.from_function("selu", module.jax.nn.selu, kinks=[0.0]),
    "polynomial": lambda module, coefficients: module.polynomial(coefficients),
}


def _function(module: Any, kinks: Sequence[float] = ()) -> Any:
    """Stand for the factory of any "module:function", which has this parameter."""


def check_parameters(name: str, parameters: Parameters) -> None:
    """Raise ValueError unless an activation has this name and these parameters.

    A "module:function" is not imported.
    """
    factory = _function if ":" in name else ACTIVATIONS.get(name)
    if factory is None:
        raise ValueError(
            f"activation {name!r} is not known; choose one of {sorted(ACTIVATIONS)}, or "
            "'module:function' for your own function"
        )
    _, *known = signature(factory).parameters.values()
    own = signature(factory).replace(parameters=known)
    try:
        own.bind(**parameters)
    except TypeError as error:
        names = [parameter.name for parameter in known]
        raise ValueError(
            f"activation {name!r}: {error}; its parameters are {names or 'none'}"
        ) from None
    for key, value in parameters.items():
        single = own.parameters[key].annotation is float
        numbers = [value] if single else value if isinstance(value, list | tuple) else [None]
        valid = (isinstance(n, int | float) and abs(n) <= LARGEST for n in numbers)
        if any(isinstance(number, bool) for number in numbers) or not all(valid):
            expected = "a number" if single else "a list of numbers"
            raise ValueError(
                f"activation {name!r}: found {value!r} for {key}, expected {expected} of magnitude "
                f"{LARGEST:g} at most"
            )
