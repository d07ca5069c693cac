"""Activations with their dual activations E[sigma(u) sigma(v)] and E[sigma'(u) sigma'(v)].

To add an activation, write a factory that returns an `Activation` and name it in `ACTIVATIONS`;
`series_activation(name, function)` is enough for a smooth function: its dual comes from a Hermite
series, whose truncation is measured (`Activation.truncation`) rather than assumed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array, Gram
from ntkflow.kernels.covariance import Covariance, from_moments
from ntkflow.kernels.hermite import SERIES_TERMS, hermite_dual, hermite_truncation

__all__ = ["ACTIVATIONS", "Activation", "Dual", "activation", "series_activation"]

Elementwise = Callable[[Array], Array]
Moments = Callable[[Array, Array, Array], tuple[Array, Array]]
Dual = Callable[[Covariance], tuple[Covariance, Gram]]


def _exact(variance: Array) -> Array:
    return jnp.zeros_like(variance)


@dataclass(frozen=True)
class Activation:
    """An activation sigma and what the limit n -> infinity needs of it.

    Attributes
    ----------
    function
        sigma, elementwise; its derivative comes from automatic differentiation.
    dual
        Maps the covariance of (u, v) to that of (sigma(u), sigma(v)) and to E[sigma'(u) sigma'(v)].
    truncation
        Relative part of E[sigma(u)^2] and E[sigma'(u)^2] that the dual misses at Var u = q. By
        Cauchy-Schwarz the geometric mean of those of u and v bounds its error, relative to the
        root mean squares. Zero for closed forms.
    """

    name: str
    function: Elementwise
    dual: Dual
    truncation: Elementwise = _exact


def _piecewise_linear(name: str, function: Elementwise, odd: float, even: float) -> Activation:
    """sigma(z) = odd z + even |z|; see `_piecewise_linear_dual`."""
    return Activation(name, function, partial(_piecewise_linear_dual, odd=odd, even=even))


def _piecewise_linear_dual(
    covariance: Covariance, *, odd: float, even: float
) -> tuple[Covariance, Gram]:
    """Arc-cosine kernels of degree 1 and 0 (Cho & Saul 2009) for sigma(z) = odd z + even |z|.

    Cross terms vanish by symmetry, so with m = sqrt(q q')
    E[sigma sigma] = odd^2 c + even^2 (2 m / pi)(sin phi + (pi/2 - phi) cos phi) and
    E[sigma' sigma'] = odd^2 + even^2 (1 - 2 phi / pi).
    """
    minus, plus, phi = covariance.minus, covariance.plus, covariance.angle
    scale = covariance.scale
    folded = jnp.minimum(phi, jnp.pi - phi)  # |u||v| does not tell phi from pi - phi
    magnitude_minus = jnp.minimum(minus, plus) - (2 / jnp.pi) * scale * _sine_minus_chord(folded)
    norm = odd**2 + even**2
    image = Covariance(
        norm * covariance.q1,
        norm * covariance.q2,
        odd**2 * minus + even**2 * magnitude_minus,
        odd**2 * plus + even**2 * (2 * scale - magnitude_minus),
    )
    return image, odd**2 + even**2 * (1 - 2 * phi / jnp.pi)


def _sine_minus_chord(phi: Array) -> Array:
    """Sin(phi) - phi cos(phi), by its series where the difference would cancel."""
    square = phi**2
    series = 1 / 3 - square * (
        1 / 30 - square * (1 / 840 - square * (1 / 45360 - square / 3991680))
    )
    return jnp.where(phi < 0.2, phi * square * series, jnp.sin(phi) - phi * jnp.cos(phi))


def _closed_form(name: str, function: Elementwise, moments: Moments) -> Activation:
    """A smooth activation from (q, q', c) -> (E[sigma sigma], E[sigma' sigma'])."""

    def dual(covariance: Covariance) -> tuple[Covariance, Gram]:
        q1, q2 = covariance.q1, covariance.q2
        cross, derivative = moments(q1, q2, covariance.cross)
        return from_moments(moments(q1, q1, q1)[0], moments(q2, q2, q2)[0], cross), derivative

    return Activation(name, function, dual)


def _erf_moments(q1: Array, q2: Array, c: Array) -> tuple[Array, Array]:
    """Williams (1997), equation 11."""
    norm = (1 + 2 * q1) * (1 + 2 * q2)
    cross = (2 / jnp.pi) * jnp.arcsin(2 * c / jnp.sqrt(norm))
    return cross, (4 / jnp.pi) / jnp.sqrt(norm - 4 * c**2)


def _gelu_moments(q1: Array, q2: Array, c: Array) -> tuple[Array, Array]:
    """sigma(z) = z Phi(z), by Gaussian integration by parts from E[Phi(u) Phi(v)].

    With D = (1 + q)(1 + q') - c^2: E[Phi Phi] = 1/4 + arcsin(c / sqrt((1+q)(1+q'))) / (2 pi) and
    E[phi(u) phi(v)] = 1 / (2 pi sqrt(D)).
    """
    p1, p2 = 1 + q1, 1 + q2
    determinant = p1 * p2 - c**2
    orthant = 1 / 4 + jnp.arcsin(c / jnp.sqrt(p1 * p2)) / (2 * jnp.pi)
    density = 1 / (2 * jnp.pi * jnp.sqrt(determinant))
    cross = c * orthant + density * (q1 * (q2 - c**2 / p1) + c**2 / p2)
    derivative = orthant + c * density * (1 / p1 + 1 / p2 + 1 / determinant)
    return cross, derivative


def _sine_moments(q1: Array, q2: Array, c: Array) -> tuple[Array, Array]:
    """E[sin sin] = exp(-(q + q')/2) sinh c and E[cos cos] = exp(-(q + q')/2) cosh c."""
    rising = jnp.exp(c - (q1 + q2) / 2) / 2
    falling = jnp.exp(-c - (q1 + q2) / 2) / 2
    return rising - falling, rising + falling


def _cosine_moments(q1: Array, q2: Array, c: Array) -> tuple[Array, Array]:
    sine, cosine = _sine_moments(q1, q2, c)
    return cosine, sine


def series_activation(name: str, function: Elementwise, terms: int = SERIES_TERMS) -> Activation:
    """A smooth activation whose dual is its Hermite series, `terms` long; see `hermite`."""
    slope = jax.vmap(jax.grad(function))
    pair = (function, lambda z: slope(z.ravel()).reshape(z.shape))
    return Activation(
        name,
        function,
        partial(hermite_dual, functions=pair, terms=terms),
        partial(hermite_truncation, functions=pair, terms=terms),
    )


def _leaky_relu(slope: float = 0.01) -> Activation:
    return _piecewise_linear(
        "leaky_relu",
        lambda z: jax.nn.leaky_relu(z, slope),
        odd=(1 + slope) / 2,
        even=(1 - slope) / 2,
    )


def _polynomial(coefficients: Sequence[float]) -> Activation:
    """Sum of coefficients[k] z^k; its Hermite series ends at its degree, so the dual is exact."""
    if not coefficients:
        raise ValueError("activation 'polynomial': no coefficients, expected at least one")
    descending = np.asarray(coefficients[::-1], dtype=float)
    return series_activation(
        "polynomial",
        lambda z: jnp.polyval(jnp.asarray(descending, z.dtype), z),
        terms=len(coefficients),
    )


ACTIVATIONS: Mapping[str, Callable[..., Activation]] = {
    "relu": lambda: _piecewise_linear("relu", jax.nn.relu, odd=0.5, even=0.5),
    "leaky_relu": _leaky_relu,
    "abs": lambda: _piecewise_linear("abs", jnp.abs, odd=0.0, even=1.0),
    "identity": lambda: _piecewise_linear("identity", lambda z: z, odd=1.0, even=0.0),
    "erf": lambda: _closed_form("erf", jax.scipy.special.erf, _erf_moments),
    "gelu": lambda: _closed_form("gelu", partial(jax.nn.gelu, approximate=False), _gelu_moments),
    "sin": lambda: _closed_form("sin", jnp.sin, _sine_moments),
    "cos": lambda: _closed_form("cos", jnp.cos, _cosine_moments),
    "tanh": lambda: series_activation("tanh", jnp.tanh),
    "sigmoid": lambda: series_activation("sigmoid", jax.nn.sigmoid),
    "softplus": lambda: series_activation("softplus", jax.nn.softplus),
    "silu": lambda: series_activation("silu", jax.nn.silu),
    "polynomial": _polynomial,
}


def activation(name: str, **parameters: float | Sequence[float]) -> Activation:
    """The activation registered under `name`, with its parameters.

    Raises
    ------
    ValueError
        If no activation has that name, or it takes other parameters.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation {name!r} is not known; choose one of {sorted(ACTIVATIONS)}")
    factory = ACTIVATIONS[name]
    known = signature(factory).parameters
    try:
        signature(factory).bind(**parameters)
    except TypeError as error:
        raise ValueError(
            f"activation {name!r}: {error}; its parameters are {list(known) or 'none'}"
        ) from None
    for key, value in parameters.items():
        expected = "a number" if known[key].annotation is float else "a list of numbers"
        if isinstance(value, int | float) != (expected == "a number"):
            raise ValueError(f"activation {name!r}: {key} is {value!r}, expected {expected}")
    return factory(**parameters)
