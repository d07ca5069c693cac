"""Activations by name, and from any elementwise function.

`names.ACTIVATIONS` maps names to factories. `from_function(name, function)` is enough for most. The
subclasses of `Activation` compute the dual and its error: by closed forms, Hermite series (smooth
functions) or quadrature (kinks).
"""

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array, Gram
from ntkflow.functions import first_line, imported_function
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
from ntkflow.kernels.names import ACTIVATIONS, check_parameters
from ntkflow.kernels.pairs import Pairs, angle
from ntkflow.kernels.quadrature import gaussian_pairs, gaussian_squares, quadrature_error

# The factories of `names` find all of these here.
__all__ = [
    "ClosedForm",
    "HermiteSeries",
    "PiecewiseLinear",
    "Quadrature",
    "activation",
    "cosine_moments",
    "erf_moments",
    "from_function",
    "gelu_moments",
    "polynomial",
    "sine_moments",
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

    A name "module:function" denotes a function of an importable module. Its parameter is `kinks`,
    the list of points at which it is not smooth; see `from_function`.

    Raises
    ------
    ValueError
        If no activation has that name, or it has other parameters.
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
