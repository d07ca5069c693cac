"""Shapes in finite networks composed of layers; without JAX, because planning needs them."""

from math import prod
from typing import NamedTuple, TypeAlias

from ntkflow.kernels.layers import (
    NAMES,
    Convolution,
    Dense,
    Flatten,
    Layer,
    LayerError,
    Layers,
    Residual,
    Signal,
    trace_signals,
)

Shape: TypeAlias = tuple[int, ...]


class Trace(NamedTuple):
    """Shapes and counts of a network."""

    parameters: tuple[Shape, ...]
    """Shapes of weights and biases, layer by layer; a branch comes before its shortcut."""
    end: Shape
    """Shape of an output, (*positions, channels)."""
    units: int
    """Entries of the outputs of all layers, and of the windows of convolutions, per input."""
    pairs: int
    """Upper bound on the pairs of positions in the limit, summed over layers."""

    @property
    def parameter_count(self) -> int:
        """Number of parameters."""
        return sum(map(prod, self.parameters))


def trace_shapes(layers: Layers, shape: Shape, path: str = "layers") -> Trace:
    """Shapes in layers that fit inputs of `shape`; see `kernels.layers.check_layers`.

    Raises LayerError, which names the first layer that has no width or sums different numbers of
    channels.
    """
    whole = Trace((), shape, 0, 0)
    for index, layer in enumerate(layers):
        place = f"{path}[{index}] ({NAMES[type(layer)]})"
        found = _traced(layer, whole.end, place)
        units, pairs = whole.units + found.units, whole.pairs + found.pairs
        whole = Trace(whole.parameters + found.parameters, found.end, units, pairs)
    return whole


def _traced(layer: Layer, shape: Shape, place: str) -> Trace:
    if isinstance(layer, Residual):
        return _traced_sum(layer, shape, place)
    (signal,) = trace_signals((layer,), Signal(shape[:-1], gaussian=True), place)
    channels, columns = shape[-1], 0
    parameters: tuple[Shape, ...] = ()
    if isinstance(layer, Flatten):
        channels = prod(shape)
    if isinstance(layer, Dense | Convolution):
        filter_shape = getattr(layer, "filter_shape", ())
        fan_in, channels = (*filter_shape, channels), _width(layer, place)
        parameters = ((*fan_in, channels), (channels,))
        columns = prod(signal.positions) * prod(fan_in) if filter_shape else 0
    end = (*signal.positions, channels)
    return Trace(parameters, end, prod(end) + columns, prod(signal.positions) ** 2)


def _width(layer: Dense | Convolution, place: str) -> int:
    if layer.width is None or layer.width < 1:
        raise LayerError(f"{place}: found the width {layer.width}, expected the number of outputs")
    return layer.width


def _traced_sum(layer: Residual, shape: Shape, place: str) -> Trace:
    branch = trace_shapes(layer.branch, shape, f"{place}.branch")
    shortcut = trace_shapes(layer.shortcut, shape, f"{place}.shortcut")
    if branch.end != shortcut.end:
        raise LayerError(
            f"{place}: found a branch with {branch.end[-1]} channels and a shortcut with "
            f"{shortcut.end[-1]}, expected equal numbers; add a layer with weights to the "
            "shortcut, or change a width"
        )
    return Trace(
        branch.parameters + shortcut.parameters,
        branch.end,
        branch.units + shortcut.units + prod(branch.end),
        branch.pairs + shortcut.pairs,
    )
