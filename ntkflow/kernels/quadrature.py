"""Expectations of pairs of Gaussian pre-activations by quadrature, for activations with kinks.

The dual activation (Daniely, Frostig & Singer 2016, section 4) is E[f(u) f(v)] of Gaussian u, v
with standard deviations s, s' and the angle phi = arccos(Cov(u, v) / (s s')). With x, y independent
and N(0, 1),

    u = s x,    v = s' (x cos phi + y sin phi),    E[f(u) f(v)] = E[f(u) F(x)],

where F(x) = E[f(v) | x]. Both integrals are split into panels with Gauss-Legendre nodes, which
converge geometrically where the integrand is analytic (Trefethen 2013, chapter 19), so panels end
wherever it is not, and wherever it changes within less than a standard deviation:

- given x, where v is at a kink k: y = (k / s' - x cos phi) / sin phi;
- over x, where u is at a kink: x = k / s. F itself has no kinks, but it is f smoothed by a Gaussian
  of width sin phi: at small angles it turns at x = k / (s' cos phi) within some multiples of
  |tan phi|, and panels end around there;
- over y and x, at 0, which splits the Gaussian weight, and where v or u is 0 and at graded
  distances from there, because activations are steep there if anywhere.

At phi = 0 and pi panels shrink to nothing, at s = 0 kinks move out of reach: no special cases.
Kinks away from 0 are lines through panels in polar coordinates, whose integrand has an essential
singularity where such a line leaves to infinity; here they are always ends of panels.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array, Float
from ntkflow.kernels.batches import map_batches

Functions = tuple[Callable[[Array], Array], ...]  # elementwise, such as (sigma, sigma')
Kinks = tuple[float, ...]
Scalar = Float[Array, ""]
Rule = Callable[..., tuple[Array, Array, Array, Array]]

# Nodes per panel. Errors at all angles, relative to root mean squares, for sigma and sigma':
# 6e-14 for piecewise linear functions, ELU and SELU at deviations of 10 at most; 5e-13 for tanh,
# GELU and softplus, 1e-11 for softsign and tanh(5 z) at deviations of 3, and 6e-11, 2e-7 and 7e-9
# at 10. One kink means 12,000 pairs of nodes, two kinks off 0 34,000, none 17,000.
NODES = 20
# Standard deviations beyond which the normal density is below rounding (1e-16), and beyond which
# a jump that is smoothed by a normal density is constant to 3e-14.
REACH = 8.5
SMOOTHING_REACH = 7.5
# Smallest graded distance in units of the argument of f; tanh(5 z) has its poles at 0.3.
STEEPNESS = 0.2
# Smallest length of a panel over x that has a kink at one of its ends.
SHORTEST = 1e-10
# Largest number of entries of an array in memory at once.
CHUNK = 2**18


@partial(jax.jit, static_argnames=("functions", "kinks", "nodes"))
def gaussian_pairs(
    functions: Functions,
    kinks: Kinks,
    deviation1: Array,
    deviation2: Array,
    angle: Array,
    *,
    nodes: int = NODES,
) -> tuple[Array, ...]:
    """E[f(u) f(v)] for each of `functions`, in the shape and dtype of the arrays, which broadcast.

    Parameters
    ----------
    functions
        Functions of vectors, smooth or better analytic between kinks. Pass the same objects again
        rather than new lambdas, because programs are compiled once per object.
    kinks
        Points where a function or one of its derivatives jumps. An unnecessary point costs time. A
        missing one costs accuracy, which `quadrature_error` estimates. Without kinks, panels are
        graded more finely.
    deviation1, deviation2, angle
        Standard deviations of u and v, and arccos of their correlation, from 0 to pi.
    nodes
        Nodes per panel. Time is proportional to their square.
    """
    rule, points = planned(kinks, nodes, angle.dtype)
    return over_entries(partial(means, functions, rule), points, deviation1, deviation2, angle)


def planned(kinks: Kinks, nodes: int, dtype: np.dtype) -> tuple[Rule, int]:
    """`_pair_rule` for these kinks, and its number of pairs of nodes."""
    rule = partial(_pair_rule, tuple(sorted(set(kinks))), nodes)
    scalar = jax.ShapeDtypeStruct((), dtype)
    return rule, jax.eval_shape(rule, scalar, scalar, scalar)[1].size


def means(functions: Functions, rule: Rule, *scalars: Scalar) -> tuple[Scalar, ...]:
    """E[f(u) f(v)] of each function by a rule at one pair of deviations and an angle."""
    u, v, weight_u, weight_v = rule(*scalars)
    given = [jnp.sum(weight_v * mapped(f, v), axis=(1, 2)) for f in functions]
    return tuple(jnp.sum(weight_u * f(u) * mean) for f, mean in zip(functions, given, strict=True))


def mapped(function: Callable[[Array], Array], nodes: Float[Array, "q p r"]) -> Array:
    """Values at nodes that are not raveled: XLA would compute indices by division, half as fast."""
    return jax.vmap(jax.vmap(function))(nodes)


@partial(jax.jit, static_argnames=("functions", "kinks", "nodes"))
def gaussian_squares(
    functions: Functions, kinks: Kinks, deviation: Array, *, nodes: int = NODES
) -> tuple[Array, ...]:
    """E[f(s z)^2] for each of `functions`, with z ~ N(0, 1); see `gaussian_pairs`."""

    def entry(scalar: Scalar) -> tuple[Scalar, ...]:
        inner = _divide(jnp.asarray((0.0, *kinks), scalar.dtype), scalar)
        graded = _graded(scalar, ())
        ends = jnp.concatenate([inner, graded, -graded])
        z, weight = map(jnp.ravel, _panels(jnp.sort(jnp.clip(ends, -REACH, REACH)), nodes))
        return tuple(jnp.sum(weight * f(scalar * z) ** 2) for f in functions)

    return over_entries(entry, (len(kinks) + 6) * nodes, deviation)


def quadrature_error(
    functions: Functions, kinks: Kinks, deviations: Array, *, nodes: int = NODES
) -> float:
    """Largest change if the number of nodes is raised by half, relative to root mean squares.

    Pairs of the smallest, the median and the largest deviation are compared at angles from 0 to pi.
    The result is nan if a function returns nan.
    """
    tried = jnp.stack([jnp.min(deviations), jnp.median(deviations), jnp.max(deviations)])
    small = jnp.asarray([0, 1e-4, 0.05, 0.3, 1], tried.dtype)
    angles = jnp.concatenate([small, jnp.asarray([jnp.pi / 2], tried.dtype), jnp.pi - small])
    entries = tried[:, None, None], tried[None, :, None], angles[None, None, :]
    finer = nodes + (nodes + 1) // 2
    squares = gaussian_squares(functions, kinks, tried, nodes=finer)
    pairs = [gaussian_pairs(functions, kinks, *entries, nodes=count) for count in (nodes, finer)]
    errors = []
    for coarse, fine, square in zip(*pairs, squares, strict=True):
        scale = jnp.sqrt(square[:, None, None] * square[None, :, None])
        errors.append(jnp.max(jnp.abs(coarse - fine) / jnp.where(scale == 0, 1, scale)))
    return float(jnp.max(jnp.stack(errors)))


def _pair_rule(
    kinks: Kinks, nodes: int, deviation1: Scalar, deviation2: Scalar, angle: Scalar
) -> tuple[Array, Array, Array, Array]:
    """Nodes u (q,) and v (q, p, r), r in each of p panels over y, and the weights of both."""
    cosine, sine = jnp.cos(angle), jnp.abs(jnp.sin(angle))
    ends = _ends_of_x(kinks, deviation1, deviation2, cosine, sine)
    x, weight_u = map(jnp.ravel, _panels(ends, nodes))
    along = x[:, None] * cosine
    y, weight_v = _panels(_ends_of_y(kinks, deviation2, along, sine), nodes)
    return deviation1 * x, deviation2 * (along[:, :, None] + y * sine), weight_u, weight_v


def _ends_of_x(
    kinks: Kinks, deviation1: Scalar, deviation2: Scalar, cosine: Scalar, sine: Scalar
) -> Float[Array, " p"]:
    """Ends of the panels over x within (-REACH, REACH), ascending."""
    shrunk = deviation2 * cosine
    # Kinks at 0 are at x = 0 for u and v alike.
    off_zero = jnp.asarray([k for k in kinks if k], cosine.dtype)
    centres = _divide(jnp.asarray(kinks, cosine.dtype), shrunk)
    width = jnp.minimum(SMOOTHING_REACH * _divide(sine, jnp.abs(cosine)), REACH / 3)
    graded = _graded(jnp.maximum(deviation1, jnp.abs(shrunk)), kinks)
    where_kinked = jnp.concatenate([jnp.zeros(1, cosine.dtype), _divide(off_zero, deviation1)])
    smooth = (_divide(off_zero, shrunk), centres - width, centres + width, graded, -graded)
    others = jnp.concatenate(smooth)
    for place in where_kinked:  # in a panel shorter than roundings, u may be on the wrong side
        others = jnp.where(jnp.abs(others - place) < SHORTEST, place, others)
    return jnp.sort(jnp.clip(jnp.concatenate([where_kinked, others]), -REACH, REACH))


def _ends_of_y(
    kinks: Kinks, deviation2: Scalar, along: Float[Array, "q 1"], sine: Scalar
) -> Float[Array, "q p"]:
    """Ends of the panels over y for each x, with `along` = x cos phi."""
    kinked = _divide(jnp.asarray(sorted({0.0, *kinks}), sine.dtype), deviation2)
    ends = jnp.clip(_divide(kinked[None, :] - along, sine), -REACH, REACH)
    graded = _graded(deviation2 * sine, kinks)
    from_zero = jnp.concatenate([graded, -graded])[None, :] - _divide(along, sine)
    ends = _insert(ends, jnp.zeros_like(along))
    for column in range(from_zero.shape[1]):
        ends = _insert(ends, from_zero[:, column, None])
    return ends


def _insert(ends: Float[Array, "q p"], value: Float[Array, "q 1"]) -> Float[Array, "q p+1"]:
    """Insert `value` into every sorted row, because XLA sorts many short rows slowly."""
    edge = jnp.full_like(value, REACH)
    below = jnp.concatenate([-edge, ends], axis=1)
    above = jnp.concatenate([ends, edge], axis=1)
    return jnp.minimum(jnp.maximum(value, below), above)


def _graded(deviation: Scalar, kinks: Kinks) -> Float[Array, " levels"]:
    """Graded distances from 0 for functions of deviation * x, in geometric ratio below REACH."""
    powers = [1 / 3] if kinks else [1 / 3, 2 / 3]
    ratio = jnp.minimum(_divide(jnp.asarray(STEEPNESS / REACH, deviation.dtype), deviation), 1 / 9)
    return REACH * ratio ** jnp.asarray(powers, deviation.dtype)


def _divide(numerator: Array, denominator: Scalar) -> Array:
    """Quotient with 0 / 0 = 0, since a kink at 0 stays at 0; other quotients by 0 exceed REACH."""
    tiny = float(np.finfo(denominator.dtype).tiny)
    return numerator / jnp.where(jnp.abs(denominator) < tiny, tiny, denominator)


def _panels(
    ends: Float[Array, "... p"], nodes: int
) -> tuple[Float[Array, "... p+1 r"], Float[Array, "... p+1 r"]]:
    """Nodes between ascending ends, and weights times the density of N(0, 1)."""
    edge = jnp.full_like(ends[..., :1], REACH)
    bounds = jnp.concatenate([-edge, ends, edge], axis=-1)[..., None]
    unit, weight = (
        jnp.asarray(part, ends.dtype).reshape(*(1,) * ends.ndim, nodes)
        for part in _gauss_legendre(nodes)
    )
    length = jnp.diff(bounds, axis=-2)
    z = bounds[..., :-1, :] + length * unit
    return z, length * weight * jnp.exp(-(z**2) / 2) / (2 * np.pi) ** 0.5


@cache
def _gauss_legendre(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1]."""
    position, weight = np.polynomial.legendre.leggauss(nodes)
    return (position + 1) / 2, weight / 2


def over_entries(
    entry: Callable[..., tuple[Any, ...]], points: int, *arrays: Array
) -> tuple[Any, ...]:
    """Map `entry` over the elements of broadcast arrays, at most CHUNK values at a time."""
    arrays = tuple(jnp.broadcast_arrays(*arrays))
    values = map_batches(
        lambda scalars: entry(*scalars),
        tuple(jnp.ravel(array) for array in arrays),
        max(1, CHUNK // points),
    )
    return jax.tree.map(lambda value: value.reshape(arrays[0].shape), values)
