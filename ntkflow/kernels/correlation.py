"""Correlations of inputs, from matrix products where these are accurate and exactly elsewhere.

A product gives rho = <x, x'> / (||x|| ||x'||) with an error delta of some roundings, and the angle
with delta / phi: good for all pairs but those nearly parallel or antiparallel. The rows that hold
one are done again by a route that keeps 1 - |rho| itself: in float32 by a product in float64, in
float64 by the differences of directions. Few rows of real data need it; if many of a tile do, the
whole tile is done again, which costs time and no accuracy.

In this module alone a pair is one number, 1 - |rho| with the sign of rho (and a signed zero).
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array, Float, Gram, Inputs, OtherInputs
from ntkflow.kernels.pairs import Pairs

__all__ = ["directions", "input_pairs"]

FEW_FEATURES = 32
"""Up to so many features a product in float64 costs less than what follows it in float32."""

NEAR = {np.dtype(np.float32): 2.0**-7, np.dtype(np.float64): 2.0**-9}
"""1 - |rho| below which a product would put the angle off by more than some ten roundings."""

REDONE_ROWS = 32
"""Rows of a tile that are done again one by one; where more hold a near pair, all are."""


@partial(jax.jit, static_argnames="dtype")
def directions(x: Inputs, dtype: np.dtype) -> tuple[Float[Array, " n"], Inputs]:
    """Norm of each input, in float64, and direction, (n, d); the direction of zero is zero.

    Directions are in `dtype`, or in float64 where that is as fast. Norms of very large and very
    small numbers neither overflow nor vanish.
    """
    wide = jnp.asarray(x, np.float64)
    largest = jnp.max(jnp.abs(wide), axis=1, keepdims=True)
    scaled = wide / jnp.where(largest > 0, largest, 1)
    length = jnp.sqrt(jnp.sum(scaled**2, axis=1, keepdims=True))
    direction = scaled / jnp.where(length > 0, length, 1)
    kept = np.float64 if x.shape[1] <= FEW_FEATURES else dtype
    return (largest * length)[:, 0], direction.astype(kept)


def input_pairs(x1: Inputs, x2: OtherInputs, dtype: np.dtype, *, diagonal: bool = False) -> Pairs:
    """1 - rho and 1 + rho of all pairs of `directions`, to rounding of `dtype` at any angle.

    `diagonal` promises that the two lists are one: each input is then its own exact duplicate.
    """
    signed = _signed(jnp.matmul(x1, x2.T, precision="highest"))
    if x1.dtype == dtype:
        near = jnp.abs(signed) < NEAR[np.dtype(dtype)]
        if diagonal:
            near &= ~jnp.eye(len(x1), dtype=bool)
        signed = _redone(signed, jnp.any(near, axis=1), x1, x2)
    if diagonal:
        signed = jnp.where(jnp.eye(len(x1), dtype=bool), 0, signed)
    correlation = jnp.copysign(1 - jnp.abs(signed), signed)
    # Fused with what follows, the product's result would be looked at again for each use of it.
    signed, correlation = jax.lax.optimization_barrier(
        (signed.astype(dtype), correlation.astype(dtype))
    )
    obtuse, complement = jnp.signbit(signed), jnp.abs(signed)
    minus, plus = (jnp.where(chosen, complement, 2 - complement) for chosen in (~obtuse, obtuse))
    return Pairs(minus, plus, correlation)


def _signed(correlation: Gram) -> Gram:
    return jnp.copysign(jnp.maximum(1 - jnp.abs(correlation), 0), correlation)


def _redone(signed: Gram, rows: Array, x1: Inputs, x2: OtherInputs) -> Gram:
    """`signed` with the rows that are marked, (n,), done again by the exact route."""
    exact = EXACT[np.dtype(x1.dtype)]

    def some(signed: Gram) -> Gram:
        chosen = jnp.nonzero(rows, size=min(REDONE_ROWS, len(x1)), fill_value=0)[0]
        return signed.at[chosen].set(exact(x1[chosen], x2))

    branches = (lambda signed: signed, some, lambda signed: exact(x1, x2))
    marked = jnp.sum(rows)
    chosen = (marked > 0).astype(int) + (marked > REDONE_ROWS).astype(int)
    return jax.lax.switch(chosen, branches, signed)


def _by_wide_product(x1: Inputs, x2: OtherInputs) -> Gram:
    """Of float32 directions, in float64; their own rounding is an error of the angle alone."""
    (_, wide1), (_, wide2) = (directions(x, np.dtype(np.float64)) for x in (x1, x2))
    return _signed(jnp.matmul(wide1, wide2.T, precision="highest")).astype(x1.dtype)


def _by_differences(x1: Inputs, x2: OtherInputs) -> Gram:
    """||x - x'||^2 / 2 and ||x + x'||^2 / 2 of directions, row by row: O(n m d) and no product."""
    lengths = jnp.round(jnp.sum(x2**2, axis=1))  # 1, or 0 of an input that is zero

    def row(one: Float[Array, " d"]) -> Float[Array, " m"]:
        missing = 1 - (jnp.round(jnp.sum(one**2)) + lengths) / 2
        apart, together = (
            jnp.sum((x2 + sign * one[None, :]) ** 2, axis=1) / 2 + missing for sign in (-1, 1)
        )
        return jnp.where(apart <= together, apart, -together)

    return jax.lax.map(row, x1)


EXACT: dict[np.dtype, Callable[[Inputs, OtherInputs], Gram]] = {
    np.dtype(np.float32): _by_wide_product,
    np.dtype(np.float64): _by_differences,
}
