"""Limiting kernels of many inputs, tile by tile.

Correlations and kernels of a tile stay in a core's cache between the matrix product, the recursion
and the copy into the result, which makes a CPU four times as fast. On accelerators tiles are
larger. For one list of inputs only tiles on and above the diagonal are computed.
"""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from ntkflow.aliases import AnyArray, Float
from ntkflow.kernels.accuracy import DualError as DualError
from ntkflow.kernels.accuracy import check_range, fit_dual
from ntkflow.kernels.cosine import CosineSeries, fit_series, kernels_at_angles, kernels_on_sphere
from ntkflow.kernels.dual import Activation
from ntkflow.kernels.limiting import (
    LimitingKernels,
    Points,
    kernels_at_points,
    kernels_between,
    points,
)

TILE = {"cpu": 512}
TILE_ELSEWHERE = 4096
"""Largest number of inputs of a strip; allocators return the memory of larger tiles each time."""
SAME_NORM = {np.dtype(np.float32): 2.0, np.dtype(np.float64): 8.0}
"""Roundings of `dtype` by which norms may differ and still be treated as equal."""
VECTORS = {"xla_cpu_prefer_vector_width": 512}
"""Compiler options: by default XLA uses 256-bit vectors on CPUs that have 512 bits. Other devices
ignore them."""

REPRESENTATIVES = 33
"""Number of quantiles of the norms at which variances and the error of the dual are checked."""


@dataclass(frozen=True)
class Network:
    """A fully-connected network in the limit n -> infinity, in NTK parametrization.

    `depth` L counts weight layers; `beta` and `weight_gain` sigma_w are as in `limiting_kernels`.
    """

    activation: Activation
    depth: int
    beta: float
    weight_gain: float = 1.0


_by_recursion = jax.jit(
    kernels_between, static_argnames=("activation", "diagonal"), compiler_options=VECTORS
)
_on_sphere = jax.jit(
    kernels_on_sphere, static_argnames=("stretch", "diagonal", "dtype"), compiler_options=VECTORS
)


Directed = tuple[np.ndarray, np.ndarray]
"""Norms (n,) and directions (n, d) of inputs, from `correlation.directions`."""

Strip = tuple[slice, Any]
"""Consecutive rows of the inputs, and their `Points`."""


class Plan(NamedTuple):
    """Plan for computing the kernels of a set of inputs, in the precision `dtype`."""

    network: Network
    """Network with an activation fitted to the variances that occur."""
    features: int
    dtype: np.dtype
    series: CosineSeries | None
    """Kernels as functions of the angle if all inputs have equal norms."""
    dual_error: float
    """Largest estimated error of a dual over layers and inputs; 0 for closed forms."""

    @property
    def strip(self) -> int:
        """Largest number of inputs of a strip."""
        return tile_length()

    def points(self, inputs: Directed) -> Points:
        """`Points` of inputs."""
        network = self.network
        return points(
            *inputs,
            features=self.features,
            activation=network.activation,
            depth=1 if self.series is not None else network.depth,  # a series needs no layers
            beta=network.beta,
            weight_gain=network.weight_gain,
            dtype=self.dtype,
        )

    def tile(self, one: Points, two: Points, diagonal: bool) -> LimitingKernels:
        """Both kernels between two strips; `diagonal` asserts that they are the same strip."""
        if self.series is None:
            activation = self.network.activation
            return _by_recursion(one, two, activation=activation, diagonal=diagonal)
        x1, x2, (coefficients, stretch) = one.direction, two.direction, self.series
        return _on_sphere(
            x1, x2, coefficients, stretch=stretch, dtype=self.dtype, diagonal=diagonal
        )


def tile_length() -> int:
    """Largest number of inputs of a strip if a pair of inputs has one entry."""
    return TILE.get(jax.default_backend(), TILE_ELSEWHERE)


class Tiled(Protocol):
    """Plan of kernels that are computed tile by tile: `Plan`, or that of composed layers."""

    @property
    def strip(self) -> int:
        """Largest number of inputs of a strip."""

    @property
    def dtype(self) -> np.dtype:
        """Precision of the kernels."""

    def points(self, inputs: Directed) -> Any:
        """Quantities of inputs from which their kernels follow."""

    def tile(self, one: Any, two: Any, diagonal: bool) -> LimitingKernels:
        """Both kernels between two strips; `diagonal` asserts that they are the same strip."""


def plan_kernels(
    norms: Float[AnyArray, " n"], features: int, network: Network, dtype: np.dtype
) -> Plan:
    """Plan the kernels of inputs, given the norms (n,) of both lists together.

    Raises DualError if the activation's dual is less accurate than 1e-6, or a kernel is too large
    or too small for `dtype`, at variances that occur.
    """
    dtype = np.dtype(dtype)
    exact = Plan(network, features, np.dtype(np.float64), None, 0.0)
    representative = _representative(norms)
    typical = _typical(representative, exact)
    _check_range(typical, network, dtype)
    error, fitted = _fit_dual(typical, network, dtype)
    series = None
    if network.depth > 1 and np.ptp(norms) <= SAME_NORM[dtype] * np.finfo(dtype).eps * norms.max():
        if fitted != network:
            typical = _typical(representative[:1], exact._replace(network=fitted))
        series = fit_series(_first(typical), fitted.activation, dtype)
    return Plan(fitted, features, dtype, series, error)


def diagonal_kernels(
    norms: Float[AnyArray, " n"], features: int, network: Network
) -> LimitingKernels:
    """Both kernels (n,) of inputs with themselves, in float64, which depend on norms (n,) alone.

    Raises DualError as `plan_kernels` does.
    """
    exact = Plan(network, features, np.dtype(np.float64), None, 0.0)
    typical = _typical(_representative(norms), exact)
    _check_range(typical, network, exact.dtype)
    _, fitted = _fit_dual(typical, network, exact.dtype)
    points = _typical(np.asarray(norms), exact._replace(network=fitted))
    return kernels_at_points(points, activation=fitted.activation)


def block_kernels(
    one: Directed, two: Directed | None, plan: Tiled, apply: Callable[..., Iterable[None]] = map
) -> tuple[np.ndarray, ...]:
    """Both kernels (n, m) between two lists of inputs, or of the first with itself.

    `apply` maps a function over pairs of strips as `map` does, and may do so on several threads.
    Float64 is enabled in each of them.
    """
    with jax.enable_x64(True):
        first = _strips(one, plan)
        second = first if two is None else _strips(two, plan)
    shape = len(one[0]), len(one[0] if two is None else two[0])
    kernels = tuple(np.empty(shape, plan.dtype) for _ in LimitingKernels._fields)

    def fill(tile: tuple[Strip, Strip]) -> None:
        with jax.enable_x64(True):
            _fill_tile(kernels, *tile, plan, mirrored=two is None)

    # Of a symmetric kernel, only tiles on and above the diagonal are computed.
    pairs = ((row, second[i if two is None else 0 :]) for i, row in enumerate(first))
    list(apply(fill, [(row, column) for row, columns in pairs for column in columns]))
    return kernels


def strip_length(count: int, longest: int) -> int:
    """Length of equal strips of `count` inputs, as few as the longest length allows."""
    return -(-count // -(-count // longest))


def _strips(inputs: Directed, plan: Tiled) -> list[Strip]:
    """Inputs cut into strips of equal length.

    The last strip is padded with zeros, so that tiles are compiled for one shape.
    """
    norm, direction = inputs
    length = strip_length(len(norm), plan.strip)
    cut = []
    for start in range(0, len(norm), length):
        rows = slice(start, min(start + length, len(norm)))
        rest = length - (rows.stop - rows.start)
        padded = np.pad(norm[rows], (0, rest)), np.pad(direction[rows], ((0, rest), (0, 0)))
        cut.append((rows, plan.points(padded)))
    return cut


def _fill_tile(
    kernels: tuple[np.ndarray, ...], one: Strip, two: Strip, plan: Tiled, *, mirrored: bool
) -> None:
    """Compute a tile and copy it, and if `mirrored` its transpose, into the kernels."""
    (rows, points1), (columns, points2) = one, two
    diagonal = mirrored and rows == columns
    tile = plan.tile(points1, points2, diagonal)
    for kernel, values in zip(kernels, tile, strict=True):
        inside = np.asarray(values)[: rows.stop - rows.start, : columns.stop - columns.start]
        kernel[rows, columns] = inside
        if diagonal:  # a product X X^T need not be bitwise symmetric
            lower = np.tri(len(inside), k=-1, dtype=bool)
            np.copyto(kernel[rows, columns], inside.T, where=lower)
        elif mirrored:
            kernel[columns, rows] = inside.T


def _representative(norms: Float[AnyArray, " n"]) -> np.ndarray:
    """Quantiles of the norms, then the smallest that is not zero, which zero inputs would hide."""
    quantiles = np.quantile(norms, np.linspace(0, 1, REPRESENTATIVES), method="nearest")
    return np.append(quantiles, np.min(norms, where=norms > 0, initial=np.max(norms)))


def _typical(norms: np.ndarray, plan: Plan) -> Points:
    """`Points` of inputs with these norms and one common direction."""
    return plan.points((norms, np.ones((len(norms), 1))))


def _first(several: Points) -> Points:
    """The first of several points."""
    layers = jax.tree.map(lambda array: np.asarray(array)[:, :1], several.layers)
    return jax.tree.map(lambda array: np.asarray(array)[:1], several)._replace(layers=layers)


def _check_range(typical: Points, network: Network, dtype: np.dtype) -> None:
    """Raise DualError if a kernel of an input with itself over- or underflows in `dtype`."""
    same = np.zeros(2 * typical.deviation.shape)  # angles; those of the diagonal count
    kernels = kernels_at_angles(typical, same, activation=network.activation)
    diagonals = [np.diagonal(kernel) for kernel in kernels]
    largest = max(float(np.max(np.abs(diagonal))) for diagonal in diagonals)
    # A zero input without biases has a kernel of exactly zero, whatever the precision.
    nonzero = np.any(np.stack(typical.shares) > 0, axis=0)
    variances = [*np.asarray(typical.layers.moments.deviation) ** 2, *diagonals]
    smallest = min(float(np.min(v, where=nonzero, initial=np.inf)) for v in variances)
    name = f"activation {network.activation.name!r}, depth {network.depth}"
    check_range(name, smallest, largest, dtype)


def _fit_dual(typical: Points, network: Network, dtype: np.dtype) -> tuple[float, Network]:
    """Error of the dual at the variances of all layers, and the network fitted to them."""
    if network.depth == 1:
        return 0.0, network
    deviations = np.asarray(typical.layers.moments.deviation)
    named = ((f"layer {layer}", deviation) for layer, deviation in enumerate(deviations, 1))
    error, activation = fit_dual(network.activation, named, dtype)
    return error, dataclasses.replace(network, activation=activation)
