"""Gradients of inputs, or their factors, and the empirical NTK that follows from them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from ntkflow.aliases import Array, OutputGram
from ntkflow.kernels.batches import map_batches
from ntkflow.kernels.empirical import symmetric_ntk
from ntkflow.kernels.jaxpr_sites import Windows

LARGEST_PRODUCT = 2**24
"""Largest number of entries of products between positions in memory at once."""

LARGEST_PART = 2**22
"""Largest number of entries of gradients that are formed at once, if they can be divided."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["source", "cotangents"],
    meta_fields=["windows", "traced"],
)
@dataclass(frozen=True)
class Formed:
    """Factors of the gradients of n inputs with respect to one array of parameters."""

    source: Array
    """Inputs of the product (n, m, positions ..., b, i), which `windows` reads slice by slice."""
    cotangents: Array
    """Cotangents (n, k, b, s, o)."""
    windows: Windows
    traced: bool
    """True for the trace, for which all outputs are one row of parameters."""

    def parts(self, rows: int) -> tuple[int, Array]:
        """Number of channels of a part, and the start of each part: its slice and first channel.

        Gradients of `rows` inputs with respect to a part have at most `LARGEST_PART` entries if the
        channels can be divided.
        """
        channels, starts = self.source.shape[-1], self.windows.starts
        _, k, b, _, o = self.cotangents.shape
        most = max(1, LARGEST_PART // (rows * k * b * o))
        length = next(n for n in range(min(channels, most), 0, -1) if channels % n == 0)
        firsts = range(0, channels, length)
        return length, jnp.array([(*start, first) for start in starts for first in firsts])

    def gradients(self, start: Array, length: int) -> Array:
        """Gradients (n, k, parameters) with respect to a part; k is 1 for the trace."""
        *offsets, first = start
        a = jax.vmap(lambda array: self.windows.read(array, offsets, first, length))(self.source)
        found = jnp.einsum("nbsi,nkbso->nkbio", a, self.cotangents, precision="highest")
        return found.reshape(len(found), 1 if self.traced else found.shape[1], -1)


class Features(NamedTuple):
    """Gradients of n inputs, or factors of them, from which all kernels between inputs follow."""

    gradients: list[Array]
    """Gradients (n, k, parameters)."""
    formed: list[Formed]
    factors: list[tuple[Array, Array]]
    """Activations (n, b, s, i) and cotangents (n, k, b, s, o)."""
    lookups: list[tuple[Array, Array]]
    """Indices (n, s) of the rows looked up, and cotangents (n, k, 1, s, o)."""


def contract(one: Features, two: Features | None, dtype: DTypeLike) -> OutputGram:
    """Kernel (n, m, k, k) between inputs with features `one` and `two`, or of `one` with itself."""

    def between(first: Features, second: Features) -> OutputGram:
        parts = [
            _of_gradients(*pair, dtype)
            for pair in zip(first.gradients, second.gradients, strict=True)
        ]
        for a, b in zip(first.factors, second.factors, strict=True):
            parts.append(_of_factors(a, b, dtype, _inner_products))
        for a, b in zip(first.lookups, second.lookups, strict=True):
            parts.append(_of_factors(a, b, dtype, _equalities))
        return sum(parts[1:], parts[0])

    rest = one._replace(formed=[])
    parts = []
    if jax.tree.leaves(rest):
        parts.append(symmetric_ntk(rest, between) if two is None else between(rest, two))
    seconds = [None] * len(one.formed) if two is None else two.formed
    parts += [_of_formed(*pair, dtype) for pair in zip(one.formed, seconds, strict=True)]
    return sum(parts[1:], parts[0])


def _of_formed(one: Formed, two: Formed | None, dtype: DTypeLike) -> OutputGram:
    """Term of one array of parameters in the kernel, from gradients formed part by part.

    The parts are those of a loop, so that XLA has the gradients of one of them in memory.
    """
    rows = max(len(each.source) for each in (one, two) if each is not None)
    length, starts = one.parts(rows)

    def of_part(start: Array) -> OutputGram:
        first = one.gradients(start, length)
        if two is None:
            return symmetric_ntk(first, partial(_of_gradients, dtype=dtype))
        return _of_gradients(first, two.gradients(start, length), dtype)

    kernel = jax.eval_shape(of_part, starts[0])
    total: OutputGram = jnp.zeros(kernel.shape, kernel.dtype)
    total, _ = jax.lax.scan(lambda sum, start: (sum + of_part(start), None), total, starts)
    return total


def _of_gradients(one: Array, two: Array, dtype: DTypeLike) -> OutputGram:
    products = _products(one.reshape(-1, one.shape[-1]), two.reshape(-1, two.shape[-1]), dtype)
    return products.reshape(*one.shape[:2], *two.shape[:2]).transpose(0, 2, 1, 3)


def _of_factors(
    one: tuple[Array, Array],
    two: tuple[Array, Array],
    dtype: DTypeLike,
    activities: Callable[[Array, Array, DTypeLike], Array],
) -> OutputGram:
    _, number, b, s, _ = one[1].shape
    if b == s == 1:
        inner = activities(one[0], two[0], dtype)[0, :, 0, :, 0]
        return inner[:, :, None, None] * _of_gradients(one[1], two[1], dtype)

    def of_row(row: tuple[Array, Array]) -> Array:
        inner = activities(row[0][None], two[0], dtype)  # b, 1, s, m, t
        outer = jnp.einsum(
            *("kbso,mlbto->bksmlt", row[1], two[1]),
            precision="highest",
            preferred_element_type=dtype,
        )
        return jnp.einsum("bsmt,bksmlt->mkl", inner[:, 0], outer, precision="highest")

    entries = len(two[1]) * (number * s) ** 2 * b
    rows: OutputGram = map_batches(of_row, one, max(1, LARGEST_PRODUCT // entries))
    return rows


def _inner_products(one: Array, two: Array, dtype: DTypeLike) -> Array:
    """Inner products of activations (b, n, s, m, t)."""
    return jnp.einsum(
        "nbsi,mbti->bnsmt", one, two, precision="highest", preferred_element_type=dtype
    )


def _equalities(one: Array, two: Array, dtype: DTypeLike) -> Array:
    """1 if two positions look up the same row, otherwise 0, as (1, n, s, m, t)."""
    first, second = one[:, :, None, None], two[None, None]
    return ((first == second) & (first >= 0)).astype(dtype)[None]


def _products(one: Array, two: Array, dtype: DTypeLike) -> Array:
    return jnp.matmul(one, two.T, precision="highest", preferred_element_type=dtype)
