"""Activations with their duals, which the limit n -> infinity needs, in normalised quantities.

The dual activation is the pair E[sigma(u) sigma(v)], E[sigma'(u) sigma'(v)] as a function of
q = Var u, q' = Var v and the correlation rho. Here it maps `Pairs` (1 - rho and 1 + rho) of the
pre-activations to those of the post-activations. `Moments` has the quantities of single points.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array, Float, Gram
from ntkflow.kernels.pairs import Pairs, from_correlation

Elementwise = Callable[[Array], Array]
Variances = Float[Array, " n"]


class Moments(NamedTuple):
    """Quantities of n points that a dual needs: sqrt(Var u) and sqrt(E[sigma(u)^2]).

    `series` has further arrays with n rows, such as coefficients, for some classes of activations.
    """

    deviation: Float[Array, " n"]
    root: Float[Array, " n"]
    series: tuple[Array, ...] = ()


@dataclass(frozen=True)
class Activation:
    """Activation sigma with its dual; each subclass computes the dual in another way.

    Its name is for figures and messages. The derivative of its function comes from automatic
    differentiation. Activations with equal fields are equal, so that they share compiled programs.
    """

    name: str
    function: Elementwise

    @property
    def acute(self) -> bool:
        """True if post-activations are never negatively correlated."""
        return False

    @property
    def smooth(self) -> bool:
        """True if no derivative of the function jumps."""
        return True

    @property
    def both(self) -> tuple[Elementwise, Elementwise]:
        """sigma and sigma'."""
        return self.function, derivative(self.function)

    def square(self, variance: Variances) -> Variances:
        """E[sigma(u)^2] at Var u = `variance`."""
        raise NotImplementedError

    def series(self, variance: Variances) -> tuple[Array, ...]:
        """Arrays for the field `series` of `Moments`, from variances (n,)."""
        return ()

    def dual(
        self, pairs: Pairs, one: Moments, two: Moments, *, acute: bool = False
    ) -> tuple[Pairs, Gram]:
        """`Pairs` of sigma(u), sigma(v), and E[sigma'(u) sigma'(v)], each (n, m).

        `acute` asserts that no correlation in `pairs` is negative.
        """
        raise NotImplementedError

    def missed(self, variance: Variances) -> Variances:
        """Estimated error (n,) of the dual at each variance, if it is cheap; otherwise 0."""
        return jnp.zeros_like(variance)

    def error(self, variance: Variances) -> float:
        """Estimated error of the dual at these variances, relative to root mean squares."""
        return float(jnp.max(self.missed(variance)))

    def fitted(self, variance: Variances, dtype: np.dtype) -> "Activation":
        """Equivalent activation with the least work that these variances and `dtype` allow."""
        return self

    def moments(self, variance: Variances) -> Moments:
        """`Moments` of points whose pre-activations have these variances (n,)."""
        square = jnp.maximum(self.square(variance), 0)
        return Moments(square_root(variance), square_root(square), self.series(variance))


@cache
def derivative(function: Elementwise) -> Elementwise:
    """Derivative of a function; the same object each time, so that compiled programs are reused."""
    slope = jax.vmap(jax.grad(function))
    return lambda z: slope(z.ravel()).reshape(z.shape)


@jax.custom_jvp
def square_root(x: Array) -> Array:
    """Square roots, with derivative 0 at 0: the deviation of what is always 0."""
    return jnp.sqrt(x)


@square_root.defjvp
def _square_root_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    root = square_root(*primals)
    return root, over(tangents[0], 2 * root)


@jax.custom_jvp
def length(one: Array, two: Array) -> Array:
    """Lengths of vectors of two components, without over- or underflow."""
    return jnp.hypot(one, two)


@length.defjvp
def _length_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (one, two), (first, second), after = primals, tangents, length(*primals)
    return after, over(one, after) * first + over(two, after) * second


def over(part: Array, whole: Array) -> Array:
    """part / whole, or 0 if `whole` is 0, as it is at x = 0 without biases."""
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1), 0)


def outer(one: Float[Array, " n"], two: Float[Array, " m"]) -> Gram:
    """Products (n, m) of all pairs."""
    return one[:, None] * two[None, :]


def normalised(cross: Gram, one: Moments, two: Moments) -> Pairs:
    """`Pairs` of post-activations from E[sigma(u) sigma(v)]; rho = 0 if sigma(u) or sigma(v) is 0.

    They are accurate enough for functions that are smooth in the correlation.
    """
    scale = outer(one.root, two.root)
    return from_correlation(jnp.where(scale > 0, cross / jnp.where(scale > 0, scale, 1), 0))
