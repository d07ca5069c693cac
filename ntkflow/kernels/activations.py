"""Activations by name, and from any elementwise function.

`names.ACTIVATIONS` maps names to factories, which find classes and functions in this module.
`from_function(name, function)` is enough for most. The subclasses of `Activation` compute the dual
and its error: by closed forms, Hermite series (smooth functions) or quadrature (kinks).
"""

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array, Gram
from ntkflow.functions import first_line, imported_function
from ntkflow.kernels.dual import (
    Activation,
    Elementwise,
    Moments,
    Variances,
    derivative,
    normalised,
    outer,
    square_root,
)
from ntkflow.kernels.hermite import HermiteSeries
from ntkflow.kernels.names import ACTIVATIONS, check_parameters
from ntkflow.kernels.pairs import Pairs, angle, fold, from_both
from ntkflow.kernels.polynomials import arctangent
from ntkflow.kernels.quadrature import gaussian_squares, quadrature_error
from ntkflow.kernels.quadrature_duals import gaussian_duals


@dataclass(frozen=True)
class PiecewiseLinear(Activation):
    """sigma(z) = odd z + even |z|: the arc-cosine kernels of degree 1 and 0 (Cho & Saul 2009).

    Cross terms vanish by symmetry, so with phi the angle folded into [0, pi/2],
    E[sigma sigma] = sqrt(q q') (odd^2 rho + even^2 (cos phi + (2/pi)(sin phi - phi cos phi)))
    and E[sigma' sigma'] = odd^2 + even^2 (1 - 2 arccos(rho) / pi).
    """

    odd: float
    even: float

    @property
    def acute(self) -> bool:
        return abs(self.even) >= abs(self.odd)

    @property
    def smooth(self) -> bool:
        return self.even == 0

    def square(self, variance: Variances) -> Variances:
        return (self.odd**2 + self.even**2) * variance

    def dual(
        self, pairs: Pairs, one: Moments, two: Moments, *, acute: bool = False
    ) -> tuple[Pairs, Gram]:
        folded = fold(pairs, acute=acute)
        square = self.odd**2 + self.even**2
        odd, even = self.odd**2 / square, self.even**2 / square
        apart, slope = pairs.minus, square - 2 * self.even**2 * folded.angle
        if not acute:
            obtuse = pairs.minus > pairs.plus
            apart = jnp.where(obtuse, odd * pairs.minus + even * pairs.plus, apart)
            other = self.odd**2 - self.even**2 + 2 * self.even**2 * folded.angle
            slope = jnp.where(obtuse, other, slope)
        minus = apart - 2 * even * folded.chord
        if self.acute:  # 1 + rho and rho are not small then
            return Pairs(minus, 2 - minus, 1 - minus), slope
        magnitudes = 1 - folded.complement + 2 * folded.chord  # correlation of |u| and |v|
        plus = odd * pairs.plus + even * (1 + magnitudes)
        return Pairs(minus, plus, odd * pairs.correlation + even * magnitudes), slope


class Second(NamedTuple):
    """Second moments of (u, v) and their determinant q q' - c^2, computed without cancellation."""

    q1: Array
    q2: Array
    c: Array
    determinant: Array


@dataclass(frozen=True)
class ClosedForm(Activation):
    """Smooth activation with a function from `Second` to (E[sigma sigma], E[sigma' sigma'])."""

    closed: Callable[[Second], tuple[Array, Array]]

    def square(self, variance: Variances) -> Variances:
        return self.closed(Second(variance, variance, variance, jnp.zeros_like(variance)))[0]

    def dual(
        self, pairs: Pairs, one: Moments, two: Moments, *, acute: bool = False
    ) -> tuple[Pairs, Gram]:
        q1, q2 = one.deviation[:, None] ** 2, two.deviation[None, :] ** 2
        scale = outer(one.deviation, two.deviation)
        determinant = q1 * q2 * (pairs.minus * pairs.plus)
        cross, slope = self.closed(Second(q1, q2, scale * pairs.correlation, determinant))
        return normalised(cross, one, two), slope


def erf_moments(pair: Second) -> tuple[Array, Array]:
    """Moments of erf (Williams 1997, equation 11), with the arcsine as an arctangent."""
    root = jnp.sqrt(1 + 2 * (pair.q1 + pair.q2) + 4 * pair.determinant)
    return (2 / jnp.pi) * arctangent(2 * pair.c, root), (4 / jnp.pi) / root


def gelu_moments(pair: Second) -> tuple[Array, Array]:
    """Moments of z Phi(z), by Gaussian integration by parts from E[Phi(u) Phi(v)].

    With D = (1 + q)(1 + q') - c^2: E[Phi Phi] = 1/4 + arcsin(c / sqrt((1+q)(1+q'))) / (2 pi) and
    E[phi(u) phi(v)] = 1 / (2 pi sqrt(D)).
    """
    q1, q2, c, rest = pair
    p1, p2 = 1 + q1, 1 + q2
    determinant = 1 + q1 + q2 + rest
    root = jnp.sqrt(determinant)
    orthant = 1 / 4 + arctangent(c, root) / (2 * jnp.pi)
    density = 1 / (2 * jnp.pi * root)
    cross = c * orthant + density * (q1 * (q2 + rest) / p1 + c**2 / p2)
    return cross, orthant + c * density * (1 / p1 + 1 / p2 + 1 / determinant)


def sine_moments(pair: Second) -> tuple[Array, Array]:
    """E[sin sin] = exp(-(q + q')/2) sinh c and E[cos cos] = exp(-(q + q')/2) cosh c."""
    return _hyperbolic(pair.c, (pair.q1 + pair.q2) / 2)


@jax.custom_jvp
def _hyperbolic(c: Array, decay: Array) -> tuple[Array, Array]:
    """exp(-decay) sinh c and exp(-decay) cosh c without overflow, if decay >= |c|."""
    magnitude = jnp.abs(c)
    rising = jnp.exp(magnitude - decay) / 2
    odd = -jnp.expm1(-2 * magnitude)
    return jnp.sign(c) * rising * odd, rising * (2 - odd)


@_hyperbolic.defjvp
def _hyperbolic_jvp(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    (c, decay), (sine, cosine) = tangents, _hyperbolic(*primals)
    return (sine, cosine), (cosine * c - sine * decay, sine * c - cosine * decay)


def cosine_moments(pair: Second) -> tuple[Array, Array]:
    """E[cos cos] and E[sin sin], the moments of the sine in the other order."""
    return sine_moments(pair)[::-1]


@dataclass(frozen=True)
class Quadrature(Activation):
    """Continuous activation that is smooth except at known kinks; see the module `quadrature`.

    It takes thousands of evaluations in float64 for each pair of points and layer, so it is meant
    for few points, or for points of equal norm, where few angles are evaluated.
    """

    kinks: tuple[float, ...]

    @property
    def smooth(self) -> bool:
        return not self.kinks

    def square(self, variance: Variances) -> Variances:
        return gaussian_squares((self.function,), self.kinks, square_root(variance))[0]

    def dual(
        self, pairs: Pairs, one: Moments, two: Moments, *, acute: bool = False
    ) -> tuple[Pairs, Gram]:
        wide = jnp.float64
        deviations, roots = (
            (first[:, None].astype(wide), second[None, :].astype(wide))
            for first, second in ((one.deviation, two.deviation), (one.root, two.root))
        )
        phi = angle(Pairs(*(part.astype(wide) for part in pairs)))
        duals = gaussian_duals(self.both, self.kinks, deviations, roots, phi)
        minus, plus, slope = (array.astype(pairs.minus.dtype) for array in duals)
        return from_both(minus, plus), slope

    def error(self, variance: Variances) -> float:
        return quadrature_error(self.both, self.kinks, jnp.sqrt(variance))


def from_function(name: str, function: Elementwise, kinks: Sequence[float] = ()) -> Activation:
    """Activation from a function of JAX arrays, elementwise and continuous.

    `kinks` are all points at which a derivative jumps. Without kinks the dual is a Hermite series;
    if a kink is missing, its estimated error is too large and the kernels raise an error. Raises
    ValueError if the function does not map an array entry by entry to finite numbers of its dtype.
    """
    with jax.enable_x64(True), jax.ensure_compile_time_eval():  # may be called within jax.jit
        _require_elementwise(name, function)
        values = np.asarray(function(jnp.linspace(-12.0, 12.0, 4001)))
    places = tuple(sorted(float(kink) for kink in kinks))
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


def polynomial(coefficients: Sequence[float]) -> Activation:
    """Sum of coefficients[k] z^k, whose Hermite series ends at its degree: the dual is exact."""
    if not coefficients:
        raise ValueError("activation 'polynomial': found no coefficients, expected at least one")
    descending = np.asarray(coefficients[::-1], dtype=float)
    return HermiteSeries(
        "polynomial",
        lambda z: jnp.polyval(jnp.asarray(descending, z.dtype), z),
        terms=len(coefficients),
    )


def activation(name: str, **parameters: float | Sequence[float]) -> Activation:
    """Activation registered under `name`, with its parameters; the same object each time.

    A name "module:function" denotes a function of an importable module, whose parameter is `kinks`;
    see `from_function`. Raises ValueError if no activation has that name or these parameters.
    """
    check_parameters(name, parameters)
    hashable = {k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()}
    return _activation(name, tuple(sorted(hashable.items())))


@cache
def _activation(
    name: str, parameters: tuple[tuple[str, float | Sequence[float]], ...]
) -> Activation:
    if ":" in name:
        function = imported_function(name, "activation")
        kinks: Any = dict(parameters).get("kinks", ())
        return from_function(name.partition(":")[2], function, kinks)
    made: Activation = ACTIVATIONS[name](sys.modules[__name__], **dict(parameters))
    return made
