"""Activations by name, and from any elementwise function.

`ACTIVATIONS` maps names to factories. To add an activation, write a factory that returns an
`Activation`; `from_function(name, function)` is enough for most. The subclasses compute the dual
and its error: by closed forms, Hermite series (smooth functions) or quadrature (kinks).
"""

import hashlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from inspect import signature
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array, Gram
from ntkflow.kernels.closed_forms import (
    ClosedForm,
    PiecewiseLinear,
    cosine_moments,
    erf_moments,
    gelu_moments,
    sine_moments,
)
from ntkflow.kernels.dual import (
    Activation,
    Elementwise,
    Moments,
    Variances,
    derivative,
    normalised,
)
from ntkflow.kernels.hermite import HermiteSeries
from ntkflow.kernels.pairs import Pairs, angle
from ntkflow.kernels.quadrature import gaussian_pairs, gaussian_squares, quadrature_error

__all__ = [
    "ACTIVATIONS",
    "Quadrature",
    "activation",
    "first_line",
    "from_function",
    "imported_function",
]


@dataclass(frozen=True)
class Quadrature(Activation):
    """Continuous activation that is smooth except at known kinks; see the module `quadrature`.

    It takes thousands of evaluations in float64 for each pair of points and layer, so it is meant
    for few points, or for points of equal norm, where few angles are evaluated.
    """

    kinks: tuple[float, ...]

    @property
    def _both(self) -> tuple[Elementwise, Elementwise]:
        return self.function, derivative(self.function)

    def square(self, variance: Variances) -> Variances:
        return gaussian_squares((self.function,), self.kinks, jnp.sqrt(variance))[0]

    def dual(
        self, pairs: Pairs, one: Moments, two: Moments, *, acute: bool = False
    ) -> tuple[Pairs, Gram]:
        wide = jnp.float64
        deviations = one.deviation[:, None].astype(wide), two.deviation[None, :].astype(wide)
        cross, slope = gaussian_pairs(
            self._both, self.kinks, *deviations, angle(Pairs(*(p.astype(wide) for p in pairs)))
        )
        dtype = pairs.minus.dtype
        return normalised(cross.astype(dtype), one, two), slope.astype(dtype)

    def error(self, variance: Variances) -> float:
        return quadrature_error(self._both, self.kinks, jnp.sqrt(variance))


def from_function(name: str, function: Elementwise, kinks: Sequence[float] = ()) -> Activation:
    """Activation from a function of JAX arrays, elementwise and continuous.

    Parameters
    ----------
    name
        Name in figures and messages.
    function
        sigma, elementwise. Its derivative comes from automatic differentiation.
    kinks
        Points at which the function is not smooth: every jump of a derivative. Without kinks the
        dual is a Hermite series; if a kink is missing, its estimated error is too large and the
        kernels raise an error.

    Raises
    ------
    ValueError
        If the function does not map an array entry by entry to finite numbers of its dtype.
    """
    with jax.enable_x64(True):
        _require_elementwise(name, function)
    places = tuple(sorted(float(kink) for kink in kinks))
    with jax.enable_x64(True):
        values = np.asarray(function(jnp.linspace(-12.0, 12.0, 4001)))
    observed = Observed(function, hashlib.sha256(values.tobytes()).hexdigest())
    return Quadrature(name, observed, places) if places else HermiteSeries(name, observed)


@dataclass(frozen=True)
class Observed:
    """Function with a digest of its values.

    Programs are compiled once per activation. Without the digest, a function whose global variables
    have changed would run the program compiled for its earlier values.
    """

    function: Elementwise
    digest: str

    def __call__(self, z: Array) -> Array:
        return self.function(z)


LARGEST = 1e100
"""Largest parameter of an activation: duals contain its square."""
PROBE = (0.2, -3.0, 4.0, -1.0, 1.5, -0.1)


def _require_elementwise(name: str, function: Elementwise) -> None:
    """Raise ValueError unless a function acts on each entry of an array alone."""
    shapes = [jax.ShapeDtypeStruct((2, 3), dtype) for dtype in (jnp.float32, jnp.float64)]
    traced = _tried(name, lambda: [jax.eval_shape(function, shape) for shape in shapes])
    if traced != shapes:
        found = ", ".join(
            f"{t.dtype}{list(t.shape)}" if hasattr(t, "shape") else type(t).__name__ for t in traced
        )
        raise ValueError(
            f"activation {name!r}: found {found} from float32[2, 3] and float64[2, 3], expected "
            "the shape and dtype of the argument: one number for each entry"
        )
    probe = jnp.asarray(PROBE)
    values = _tried(name, lambda: [function(probe), derivative(function)(probe)])
    if not all(bool(jnp.all(jnp.isfinite(array))) for array in values):
        raise ValueError(
            f"activation {name!r}: found {[array.tolist() for array in values]}, its values and "
            f"derivatives at {PROBE}, expected one finite number for each entry"
        )
    apart = np.concatenate([function(probe[i : i + 1]) for i in range(len(probe))])
    in_rows = np.ravel(function(probe.reshape(2, 3)))
    apart_most = max(np.abs(found - apart).max() for found in (values[0], in_rows))
    if not apart_most <= 1e-9 * np.abs(apart).max():
        raise ValueError(
            f"activation {name!r}: found values that depend on other entries of the array "
            f"({in_rows.tolist()} in two rows, {apart.tolist()} one at a time), expected an "
            "elementwise function"
        )


def _tried(name: str, compute: Callable[[], list[Any]]) -> list[Any]:
    """Return `compute()`; raise ValueError for any error, which shows an invalid activation."""
    try:
        return compute()
    except Exception as error:
        raise ValueError(
            f"activation {name!r}: found an error ({first_line(error)}), expected a differentiable "
            "elementwise function of JAX arrays; write it with jax.numpy"
        ) from error


def _leaky_relu(slope: float = 0.01) -> Activation:
    odd, even = (1 + slope) / 2, (1 - slope) / 2
    function = partial(jax.nn.leaky_relu, negative_slope=slope)
    return PiecewiseLinear("leaky_relu", function, odd=odd, even=even)


def _elu(alpha: float = 1.0) -> Activation:
    return from_function("elu", partial(jax.nn.elu, alpha=alpha), kinks=[0.0])


def _polynomial(coefficients: Sequence[float]) -> Activation:
    """Sum of coefficients[k] z^k, whose Hermite series ends at its degree: the dual is exact."""
    if not coefficients:
        raise ValueError("activation 'polynomial': found no coefficients, expected at least one")
    descending = np.asarray(coefficients[::-1], dtype=float)
    return HermiteSeries(
        "polynomial",
        lambda z: jnp.polyval(jnp.asarray(descending, z.dtype), z),
        terms=len(coefficients),
    )


ACTIVATIONS: Mapping[str, Callable[..., Activation]] = {
    "relu": lambda: PiecewiseLinear("relu", jax.nn.relu, odd=0.5, even=0.5),
    "leaky_relu": _leaky_relu,
    "abs": lambda: PiecewiseLinear("abs", jnp.abs, odd=0.0, even=1.0),
    "identity": lambda: PiecewiseLinear("identity", lambda z: z, odd=1.0, even=0.0),
    "erf": lambda: ClosedForm("erf", jax.scipy.special.erf, erf_moments),
    "gelu": lambda: ClosedForm("gelu", partial(jax.nn.gelu, approximate=False), gelu_moments),
    "sin": lambda: ClosedForm("sin", jnp.sin, sine_moments),
    "cos": lambda: ClosedForm("cos", jnp.cos, cosine_moments),
    "tanh": lambda: HermiteSeries("tanh", jnp.tanh),
    "sigmoid": lambda: HermiteSeries("sigmoid", jax.nn.sigmoid),
    "softplus": lambda: HermiteSeries("softplus", jax.nn.softplus),
    "silu": lambda: HermiteSeries("silu", jax.nn.silu),
    "elu": _elu,
    "selu": lambda: from_function("selu", jax.nn.selu, kinks=[0.0]),
    "polynomial": _polynomial,
}


def activation(name: str, **parameters: float | Sequence[float]) -> Activation:
    """Activation registered under `name`, with its parameters; the same object each time.

    A name "module:function" denotes a function of an importable module. Its parameter is `kinks`,
    the list of points at which it is not smooth; see `from_function`.

    Raises
    ------
    ValueError
        If no activation has that name, or it has other parameters.
    """
    hashable = {k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()}
    for key, value in hashable.items():
        numbers = value if isinstance(value, tuple) else (value,)
        if not all(_is_valid(number) for number in numbers):
            raise ValueError(
                f"activation {name!r}: found {value!r} for {key}, expected a number of at most "
                f"{LARGEST:g} or a list of them"
            )
    return _activation(name, tuple(sorted(hashable.items())))


def _is_valid(value: object) -> bool:
    """Return True for a number of at most LARGEST in absolute value; False for booleans."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -LARGEST <= value <= LARGEST


Parameters = tuple[tuple[str, float | Sequence[float]], ...]


@cache
def _activation(name: str, parameters: Parameters) -> Activation:
    factory = _imported(name) if ":" in name else ACTIVATIONS.get(name)
    if factory is None:
        raise ValueError(
            f"activation {name!r} is not known; choose one of {sorted(ACTIVATIONS)}, or "
            "'module:function' for your own function"
        )
    known = signature(factory).parameters
    try:
        signature(factory).bind(**dict(parameters))
    except TypeError as error:
        raise ValueError(
            f"activation {name!r}: {error}; its parameters are {list(known) or 'none'}"
        ) from None
    for key, value in parameters:
        expected = "a number" if known[key].annotation is float else "a list of numbers"
        if isinstance(value, int | float) != (expected == "a number"):
            raise ValueError(f"activation {name!r}: found {value!r} for {key}, expected {expected}")
    return factory(**dict(parameters))


def _imported(name: str) -> Callable[..., Activation]:
    """Factory of the activation of a function in an importable module."""
    function = imported_function(name, "activation")

    def factory(kinks: Sequence[float] = ()) -> Activation:
        return from_function(name.partition(":")[2], function, kinks)

    return factory


def first_line(error: Exception) -> str:
    """Type of an error and the first line of its message."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def imported_function(name: str, what: str) -> Callable[..., Any]:
    """Import the function that "module:function" names; ValueError about `what` if impossible."""
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # the module may raise anything while it is imported
        raise ValueError(
            f"{what} {name!r}: {first_line(error)}; expected 'module:function', the module on "
            "PYTHONPATH"
        ) from None
    if not callable(function):
        raise ValueError(f"{what} {name!r}: found a {type(function).__name__}, expected a function")
    return function
