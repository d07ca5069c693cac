"""Dual activations by quadrature, with derivatives; see `quadrature` for the rule."""

from functools import partial

import jax
import jax.numpy as jnp

from ntkflow.aliases import Array
from ntkflow.kernels.dual import over
from ntkflow.kernels.quadrature import (
    NODES,
    Functions,
    Kinks,
    Scalar,
    mapped,
    means,
    over_entries,
    planned,
)

# Smallest deviation and angle at which derivatives are evaluated: the rule divides by both. They
# hardly change below.
SMALLEST, SMALLEST_ANGLE = 1e-100, 1e-9


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
@partial(jax.jit, static_argnames=("functions", "kinks"))
def gaussian_duals(
    functions: Functions,
    kinks: Kinks,
    deviations: tuple[Array, Array],
    roots: tuple[Array, Array],
    angle: Array,
) -> tuple[Array, Array, Array]:
    """1 - rho and 1 + rho of f(u), f(v), accurate where they are small, and E[f'(u) f'(v)].

    `functions` are f and f', and `roots` sqrt(E[f(u)^2]) and sqrt(E[f(v)^2]); if one of them is 0,
    rho is 0. The others are as in `gaussian_pairs`.
    """
    rule, points = planned(kinks, NODES, angle.dtype)
    function, slope = functions

    def entry(*scalars: Scalar) -> tuple[Scalar, ...]:
        *described, one, two = scalars
        u, v, weight_u, weight_v = rule(*described)
        first, second = over(function(u), one)[:, None, None], over(mapped(function, v), two)
        missing = 1 - (jnp.sign(one) + jnp.sign(two)) / 2
        minus, plus = (
            jnp.sum(weight_u * jnp.sum(weight_v * (first + sign * second) ** 2, axis=(1, 2))) / 2
            for sign in (-1.0, 1.0)
        )
        slopes = slope(u) * jnp.sum(weight_v * mapped(slope, v), axis=(1, 2))
        return minus + missing, plus + missing, jnp.sum(weight_u * slopes)

    return over_entries(entry, points, *deviations, angle, *roots)


@gaussian_duals.defjvp
def _gaussian_duals_jvp(
    functions: Functions,
    kinks: Kinks,
    primals: tuple[tuple[Array, Array], tuple[Array, Array], Array],
    tangents: tuple[tuple[Array, Array], tuple[Array, Array], Array],
) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array]]:
    """By d E[f(u) f(v)] / d Cov(u, v) = E[f'(u) f'(v)] (Price 1958).

    Other derivatives are those of the rule, whose panels move with the kinks.
    """
    (deviations, roots, angle), (d_deviations, d_roots, d_angle) = primals, tangents
    duals = gaussian_duals(functions, kinks, *primals)
    minus, plus, slope = duals
    at = (
        *(jnp.maximum(deviation, SMALLEST) for deviation in deviations),
        jnp.clip(angle, SMALLEST_ANGLE, jnp.pi - SMALLEST_ANGLE),
    )
    (by_one, by_two, _), by_all = _partial_derivatives(functions, kinks, *at)
    d_cross = by_one * d_deviations[0] + by_two * d_deviations[1]
    d_cross -= deviations[0] * deviations[1] * jnp.sin(angle) * slope * d_angle
    d_scale = over(d_roots[0], roots[0]) + over(d_roots[1], roots[1])
    d_rho = over(d_cross, roots[0] * roots[1]) - (plus - minus) / 2 * d_scale
    parts = zip(by_all, (*d_deviations, d_angle), strict=True)
    return duals, (-d_rho, d_rho, sum(part * change for part, change in parts))


@partial(jax.jit, static_argnames=("functions", "kinks"))
def _partial_derivatives(
    functions: Functions, kinks: Kinks, deviation1: Array, deviation2: Array, angle: Array
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Derivatives of E[f(u) f(v)] and E[f'(u) f'(v)] by both deviations and the angle."""
    rule, points = planned(kinks, NODES, angle.dtype)
    entry = jax.jacfwd(partial(means, functions, rule), argnums=(0, 1, 2))
    return over_entries(entry, 4 * points, deviation1, deviation2, angle)
