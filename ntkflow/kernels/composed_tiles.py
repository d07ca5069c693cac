"""Limiting kernels of many inputs for networks composed of layers, tile by tile.

A tile has as many entries as one of a fully-connected network, so its strips are shorter if inputs
have many pairs of positions. `tiles.block_kernels` computes the tiles of both.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from math import isqrt
from typing import Any, NamedTuple

import numpy as np

from ntkflow.aliases import AnyArray
from ntkflow.kernels.accuracy import DualError, check_range, fit_dual
from ntkflow.kernels.activations import ClosedForm
from ntkflow.kernels.composed import composed_between
from ntkflow.kernels.composed_layers import Activated
from ntkflow.kernels.composed_points import ComposedPoints, Summed, composed_points
from ntkflow.kernels.dual import Activation
from ntkflow.kernels.hermite import AccurateSeries, HermiteSeries
from ntkflow.kernels.layers import Activate, Layers, Residual
from ntkflow.kernels.limiting import LimitingKernels
from ntkflow.kernels.schedule import (
    Schedule,
    Step,
    activations,
    count_pairs,
    read_first,
    schedule,
)
from ntkflow.kernels.tiles import REPRESENTATIVES, Directed, strip_length, tile_length

SAMPLE = 128
"""Largest number of inputs, or one strip if longer, whose variances determine the duals."""

LONG = 2048
"""Largest number of terms of a series that replaces a closed form, for accurate small angles."""


class ComposedPlan(NamedTuple):
    """Plan for computing the kernels of composed layers at inputs of `shape`, in `dtype`."""

    first: Step | None
    steps: Schedule
    shape: tuple[int, ...]
    dtype: np.dtype
    dual_error: float
    """Largest estimated error of a dual over layers and inputs; 0 for closed forms."""

    @property
    def strip(self) -> int:
        """Largest number of inputs of a strip."""
        return _strip(self.steps)

    def points(self, inputs: Directed) -> ComposedPoints:
        """Quantities of inputs from which their kernels follow."""
        norm, direction = inputs
        images = norm[:, None] * np.asarray(direction, np.float64)
        return composed_points(
            images, first=self.first, steps=self.steps, shape=self.shape, dtype=self.dtype
        )

    def tile(self, one: ComposedPoints, two: ComposedPoints, diagonal: bool) -> LimitingKernels:
        """Both kernels between two strips; `diagonal` asserts that they are the same strip."""
        kernels = composed_between(one, two, first=self.first, steps=self.steps, diagonal=diagonal)
        largest = float(np.max(np.abs(kernels.ntk), initial=0))
        check_range("layers", np.inf, largest, self.dtype)
        return kernels


def plan_composed(
    inputs: AnyArray,
    layers: Layers,
    shape: tuple[int, ...],
    dtype: np.dtype,
    count: int | None = None,
) -> ComposedPlan:
    """Plan the kernels of layers that fit inputs of `shape`, given some inputs (n, features).

    Variances are evaluated at up to `SAMPLE` of them, or one strip if longer, evenly spaced in the
    order of norms. They are taken as many at a time as are in a strip of `count` inputs (default:
    as many as given), for which programs are compiled anyway. Raises DualError if, at these
    variances, an activation's dual is less accurate than 1e-6 or a kernel is too large or too small
    for `dtype`.
    """
    with np.errstate(over="ignore"):  # infinite variances are rejected below
        norms = np.linalg.norm(inputs, axis=1)
    first, steps = _steps(layers, shape)
    retain_freed_memory()
    length = min(strip_length(count or len(norms), _strip(steps)), len(norms))
    pieces = max(1, min(SAMPLE, len(norms)) // length)
    ranks = np.linspace(0, len(norms) - 1, pieces * length).round().astype(int)
    sample = np.asarray(inputs, np.float64)[np.argsort(norms, kind="stable")[ranks]]
    deviations = _deviations(first, steps, shape, np.split(sample, pieces))
    # Padding and zero inputs without biases have variances of exactly zero, in any precision.
    with np.errstate(over="ignore"):
        variances = np.concatenate(deviations) ** 2
    smallest = float(np.min(variances, where=variances > 0, initial=np.inf))
    check_range("layers", smallest, float(np.max(variances)), dtype)
    chosen, errors = {}, [0.0]
    for step, deviation in zip(activations(steps), deviations[1:], strict=True):
        quantiles = np.quantile(deviation, np.linspace(0, 1, REPRESENTATIVES), method="nearest")
        kinked = _kink_follows(steps, step)
        error, chosen[step.place] = _fitted(step, quantiles, dtype, accurate=kinked)
        errors.append(error)
    return ComposedPlan(*_steps(_replaced(layers, chosen), shape), shape, dtype, max(errors))


def _steps(layers: Layers, shape: tuple[int, ...]) -> tuple[Step | None, Schedule]:
    """Layer that is applied to the inputs at once, if there is one, and all other steps."""
    return read_first(schedule(layers, shape), shape[-1])


def retain_freed_memory() -> None:
    """Have the GNU C library keep the memory of tiles, instead of mapping it anew for each.

    Freeing a mapped block of up to 32 MiB raises both of its thresholds to that size (mallopt(3)).
    """
    np.empty(31 * 2**20, np.uint8)


def _fitted(
    step: Step, deviations: np.ndarray, dtype: np.dtype, *, accurate: bool
) -> tuple[float, Activation]:
    """Error and fitted activation of a step; `accurate` requests accurate small angles."""
    assert isinstance(step.layer, Activate)
    activation, fit = step.layer.activation, partial(fit_dual, dtype=dtype)
    named = [(f"{step.place}", deviations)]
    if not accurate:
        return fit(activation, named)
    if isinstance(activation, HermiteSeries):
        return fit(_accurate(activation), named)
    if isinstance(activation, ClosedForm):  # accurate except at small angles
        with suppress(DualError):
            error, series = fit(AccurateSeries(activation.name, activation.function, LONG), named)
            if error <= 100 * np.finfo(dtype).eps:
                return error, series
    return fit(activation, named)


def _accurate(series: HermiteSeries) -> AccurateSeries:
    return AccurateSeries(series.name, series.function, series.terms)


def unfitted_steps(layers: Layers, shape: tuple[int, ...]) -> tuple[Step | None, Schedule]:
    """Steps for inputs of `shape` and unknown variances: series have all of their terms."""
    _, steps = _steps(layers, shape)
    chosen = {}
    for step in activations(steps):
        assert isinstance(step.layer, Activate)
        sigma = chosen[step.place] = step.layer.activation
        if isinstance(sigma, HermiteSeries) and _kink_follows(steps, step):
            chosen[step.place] = _accurate(sigma)
    return _steps(_replaced(layers, chosen), shape)


def _kink_follows(steps: Schedule, step: Step) -> bool:
    """Return True if an activation that is not smooth follows the step."""
    found = activations(steps)
    later = found[[other.place for other in found].index(step.place) + 1 :]
    sigmas = [other.layer.activation for other in later if isinstance(other.layer, Activate)]
    return not all(sigma.smooth for sigma in sigmas)


def _strip(steps: Schedule) -> int:
    """Number of inputs of a strip, so that a tile has about `tile_length()` squared entries."""
    return max(1, isqrt(tile_length() ** 2 // count_pairs(steps)))


def _deviations(
    first: Step | None, steps: Schedule, shape: tuple[int, ...], pieces: list[np.ndarray]
) -> list[np.ndarray]:
    """Distinct deviations of the output, then of the inputs of each activation."""
    found = []
    for piece in pieces:
        points = composed_points(
            piece, first=first, steps=steps, shape=shape, dtype=np.dtype(np.float64)
        )
        inner = [deviation for _, deviation in before_activations(steps, points.steps)]
        found.append([points.deviation, *map(np.ravel, inner)])
    return [np.unique(np.concatenate(arrays)) for arrays in zip(*found, strict=True)]


def before_activations(
    steps: Schedule, quantities: tuple[Any, ...]
) -> Iterator[tuple[Activation, Any]]:
    """Each activation with the deviations (p, n) of its inputs, in the order of `activations`."""
    for step, values in zip(steps, quantities, strict=True):
        if isinstance(values, Activated):
            assert isinstance(step.layer, Activate)
            yield step.layer.activation, values.moments.deviation
        if isinstance(values, Summed):
            for part, inner in zip(step.parts, values.parts, strict=True):
                yield from before_activations(part, inner)


def _replaced(layers: Layers, chosen: Mapping[str, Activation], path: str = "layers") -> Layers:
    """Layers with the activations that are chosen for their places."""
    made = []
    for index, layer in enumerate(layers):
        place = f"{path}[{index}]"
        if isinstance(layer, Activate):
            layer = replace(layer, activation=chosen[place])
        if isinstance(layer, Residual):
            layer = Residual(
                _replaced(layer.branch, chosen, f"{place}.branch"),
                _replaced(layer.shortcut, chosen, f"{place}.shortcut"),
            )
        made.append(layer)
    return tuple(made)
