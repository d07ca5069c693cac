"""Correlations of inputs, from matrix products and, for nearly parallel inputs, more accurately.

A matrix product has an error delta of a few roundings in rho = <x, x'> / (||x|| ||x'||), and so an
error delta / phi in the angle phi. That is accurate except for nearly parallel or antiparallel
pairs. Rows with such a pair are recomputed with an accurate 1 - |rho|: in float32 by a product in
float64, in float64 from the differences of directions. Few rows of real data need this.

In this module alone a pair is one number, 1 - |rho| with the sign of rho (and a signed zero).
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array, Float, Gram, Inputs, OtherInputs
from ntkflow.kernels.pairs import Pairs

FEW_FEATURES = 32
"""Largest number of features for which a float64 product is faster than a float32 product with the
steps that follow it."""

NEAR = {np.dtype(np.float32): 2.0**-7, np.dtype(np.float64): 2.0**-9}
"""1 - |rho| below which a product would have an error of more than about ten roundings in phi."""

SMALLEST_NORM = 1e-40
"""Norm below which derivatives take an input as if it had this norm and no direction."""

WIDE_ROWS = 32
"""Number of rows that are recomputed by one float64 product."""


@partial(jax.jit, static_argnames="dtype")
def directions(x: Inputs, dtype: np.dtype) -> tuple[Float[Array, " n"], Inputs]:
    """Norms (n,), in float64, and directions (n, d) of inputs; the direction of zero is zero.

    Directions are in `dtype`, or in float64 if that is as fast. Norms neither over- nor underflow.
    """
    precision = np.float64 if x.shape[1] <= FEW_FEATURES else dtype
    norm, direction = _directions(jnp.asarray(x, np.float64))
    return norm, direction.astype(precision)


@jax.custom_jvp
def _directions(wide: Inputs) -> tuple[Float[Array, " n"], Inputs]:
    largest = jnp.max(jnp.abs(wide), axis=1, keepdims=True)
    scaled = wide / jnp.where(largest > 0, largest, 1)
    length = jnp.sqrt(jnp.sum(scaled**2, axis=1, keepdims=True))
    return (largest * length)[:, 0], scaled / jnp.where(length > 0, length, 1)


@_directions.defjvp
def _directions_jvp(
    primals: tuple[Inputs], tangents: tuple[Inputs]
) -> tuple[tuple[Array, Inputs], tuple[Array, Inputs]]:
    """At 0, the mean over all directions in which an input may leave it."""
    (change,), (norm, direction) = tangents, _directions(*primals)
    along = jnp.sum(direction * change, axis=1)
    across = change - along[:, None] * direction
    turn = across / jnp.maximum(norm, SMALLEST_NORM)[:, None]
    return (norm, direction), (along, turn)


def input_pairs(x1: Inputs, x2: OtherInputs, dtype: np.dtype, *, diagonal: bool = False) -> Pairs:
    """1 - rho and 1 + rho of all pairs of `directions`, to rounding error of `dtype` at any angle.

    `diagonal` asserts that x1 and x2 are the same inputs, so that rho is exactly 1 on the diagonal.
    """
    return _pairs(partial(_input_pairs, diagonal=diagonal), dtype, x1, x2)


def few_channel_pairs(x1: Inputs, x2: OtherInputs, dtype: np.dtype) -> Pairs:
    """As `input_pairs`, from differences of directions (..., n, d) and (..., m, d) of small d."""
    return _pairs(_few_channel_pairs, dtype, x1, x2)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _pairs(between: Callable[..., Pairs], dtype: np.dtype, x1: Inputs, x2: OtherInputs) -> Pairs:
    return between(x1, x2, dtype)


@_pairs.defjvp
def _pairs_jvp(
    between: Callable[..., Pairs],
    dtype: np.dtype,
    primals: tuple[Array, Array],
    tangents: tuple[Array, Array],
) -> tuple[Pairs, Pairs]:
    """By d rho = <du, u'> + <u, du'>.

    Relative to the change of the angle phi it has an error of a rounding over phi.
    """
    (x1, x2), (change1, change2) = primals, tangents
    product = partial(jnp.matmul, precision="highest")
    change = product(change1, x2.mT) + product(x1, change2.mT)
    change = change.astype(dtype)
    return _pairs(between, dtype, x1, x2), Pairs(-change, change, change)


def _input_pairs(x1: Inputs, x2: OtherInputs, dtype: np.dtype, *, diagonal: bool) -> Pairs:
    signed = _signed(jnp.matmul(x1, x2.T, precision="highest"))
    if x1.dtype == dtype:
        near = jnp.abs(signed) < NEAR[np.dtype(dtype)]
        if diagonal:
            near &= ~jnp.eye(len(x1), dtype=bool)
        signed = _redone(signed, jnp.any(near, axis=1), x1, x2)
    if diagonal:
        signed = jnp.where(jnp.eye(len(x1), dtype=bool), 0, signed)
    correlation = jnp.copysign(1 - jnp.abs(signed), signed)
    return _as_pairs(signed, correlation, dtype)


def _few_channel_pairs(x1: Inputs, x2: OtherInputs, dtype: np.dtype) -> Pairs:
    apart = together = jnp.zeros(())
    for c in range(x1.shape[-1]):
        first, second = x1[..., :, None, c], x2[..., None, :, c]
        apart, together = apart + (first - second) ** 2 / 2, together + (first + second) ** 2 / 2
    one, two = (jnp.round(jnp.sum(x**2, axis=-1)) for x in (x1, x2))  # 1, or 0 for a zero input
    missing = 1 - (one[..., :, None] + two[..., None, :]) / 2
    signed = jnp.where(apart <= together, apart + missing, -(together + missing))
    return _as_pairs(signed, jnp.copysign(1 - jnp.abs(signed), signed), dtype)


def _as_pairs(signed: Gram, correlation: Gram, dtype: np.dtype) -> Pairs:
    # Without the barrier XLA would fuse this into every later use and compute it several times.
    signed, correlation = jax.lax.optimization_barrier(
        (signed.astype(dtype), correlation.astype(dtype))
    )
    obtuse, complement = jnp.signbit(signed), jnp.abs(signed)
    minus, plus = (jnp.where(small, complement, 2 - complement) for small in (~obtuse, obtuse))
    return Pairs(minus, plus, correlation)


def _signed(correlation: Gram) -> Gram:
    return jnp.copysign(jnp.maximum(1 - jnp.abs(correlation), 0), correlation)


def _redone(signed: Gram, rows: Array, x1: Inputs, x2: OtherInputs) -> Gram:
    """`signed` with the marked rows (n,) recomputed accurately, in a loop over them.

    Branches for some rows and for all would take a third longer to compile.
    """
    exact, size = (_by_wide_product, WIDE_ROWS) if x1.dtype == np.float32 else (_by_differences, 1)
    size = min(size, len(x1))
    marked_first = jnp.argsort(~rows)

    def redo(number: Array, signed: Gram) -> Gram:
        # The last rows may include some that are not marked, or that have been recomputed.
        indices = jax.lax.dynamic_slice(marked_first, (size * number,), (size,))
        return signed.at[indices].set(exact(x1[indices], x2))

    def some(signed: Gram) -> Gram:
        return jax.lax.fori_loop(0, (jnp.sum(rows) + size - 1) // size, redo, signed)

    # Without the condition XLA would prepare x2 for the loop even if no row is marked.
    return jax.lax.cond(jnp.any(rows), some, lambda signed: signed, signed)


def _by_wide_product(x1: Inputs, x2: OtherInputs) -> Gram:
    """Signed 1 - |rho| of float32 directions by a float64 product.

    The rounding of the directions themselves changes the angle only by a rounding.
    """
    (_, wide1), (_, wide2) = (directions(x, np.dtype(np.float64)) for x in (x1, x2))
    return _signed(jnp.matmul(wide1, wide2.T, precision="highest")).astype(x1.dtype)


def _by_differences(x1: Inputs, x2: OtherInputs) -> Gram:
    """Signed 1 - |rho| from ||x - x'||^2 / 2 and ||x + x'||^2 / 2, in O(n m d)."""
    one, two = (jnp.round(jnp.sum(x**2, axis=1)) for x in (x1, x2))  # 1, or 0 for a zero input
    missing = 1 - (one[:, None] + two[None, :]) / 2
    apart, together = (
        jnp.sum((x2[None, :] + sign * x1[:, None]) ** 2, axis=2) / 2 + missing for sign in (-1, 1)
    )
    return jnp.where(apart <= together, apart, -together)
