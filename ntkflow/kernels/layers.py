"""Layers of which networks are composed: one description for the limit and finite networks.

A network is a tuple of layers, applied one after the other to inputs of shape (*positions,
channels), with no axis of positions for vectors, one for sequences and two for images. Layers with
weights are in NTK parametrization (JGH Section 2): with all entries of W and b drawn from N(0, 1),

    z(p) = weight_gain / sqrt(fan_in) sum_{o, c} W[o, c] a(p + o, c) + beta b,

where o runs over the positions of the filter (one for `Dense`), c over the channels of a, and
fan_in is the product of their numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:  # planning checks layers, and must not wait for JAX
    from ntkflow.kernels.dual import Activation

Padding = Literal["same", "valid", "circular"]
Layer: TypeAlias = (
    "Dense | Convolution | Activate | LayerNorm | AveragePool | GlobalAveragePool | Flatten "
    "| Residual"
)
Layers: TypeAlias = "tuple[Layer, ...]"


@dataclass(frozen=True)
class Dense:
    """Fully-connected layer over channels, with the same weights at every position.

    `width` is the number of outputs; the limit does not use it.
    """

    width: int | None = None
    beta: float = 0.1
    weight_gain: float = 1.0


@dataclass(frozen=True)
class Convolution:
    """Convolution over positions. `width` is the number of output channels.

    ``same`` pads with zeros so that ceil(size / stride) positions remain, as in XLA; ``circular``
    wraps around; ``valid`` uses no position outside the input.
    """

    filter_shape: tuple[int, ...]
    width: int | None = None
    strides: tuple[int, ...] = ()
    """One stride per axis of positions; empty means 1."""
    padding: Padding = "same"
    beta: float = 0.1
    weight_gain: float = 1.0


@dataclass(frozen=True)
class Activate:
    """Activation, applied to every entry."""

    activation: "Activation"


@dataclass(frozen=True)
class LayerNorm:
    """Subtract the mean over channels and divide by the standard deviation, at each position.

    It has no learned gain or offset.
    """


@dataclass(frozen=True)
class AveragePool:
    """Mean over windows of positions that lie within the input."""

    window: tuple[int, ...]
    strides: tuple[int, ...] = ()
    """One stride per axis; empty means the size of the window, without overlap."""


@dataclass(frozen=True)
class GlobalAveragePool:
    """Mean over all positions."""


@dataclass(frozen=True)
class Flatten:
    """Flatten all positions and channels into one vector."""


@dataclass(frozen=True)
class Residual:
    """Sum of a branch and a shortcut, both applied to the same input; () is the identity."""

    branch: Layers
    shortcut: Layers = ()


NAMES = {
    Dense: "dense",
    Convolution: "convolution",
    Activate: "activation",
    LayerNorm: "layer_norm",
    AveragePool: "average_pool",
    GlobalAveragePool: "global_average_pool",
    Flatten: "flatten",
    Residual: "residual",
}
"""Names of the layers in configurations, messages and the public interface."""


def layers_from_plain(
    plain: Sequence[Mapping[str, Any]], activation: Callable[..., Any] | None = None
) -> Layers:
    """Layers from plain values: the key `layer` is a name of `NAMES`, the others are its fields.

    `activation` makes an activation from its `name` and parameters, by default
    `kernels.activations.activation`.
    """
    if activation is None:
        from ntkflow.kernels.activations import activation as named_activation

        activation = named_activation
    return tuple(_from_plain(activation, **layer) for layer in plain)


def _from_plain(activation: Callable[..., Any], layer: str, **fields: Any) -> Layer:
    kind = {name: kind for kind, name in NAMES.items()}[layer]
    if kind is Activate:
        return Activate(activation(**fields))
    if kind is Residual:
        parts = {name: layers_from_plain(part, activation) for name, part in fields.items()}
        return Residual(**parts)
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    made: Layer = kind(**{**fields, **lists})
    return made


class LayerError(ValueError):
    """A layer does not fit those before it, or has no limit there."""


class Signal(NamedTuple):
    """Values between two layers: their positions, and whether their limit is Gaussian.

    `gaussian` is True for pre-activations, whose channels are independent and Gaussian in the
    limit, and for their sums, means over positions and layer norms.
    """

    positions: tuple[int, ...]
    gaussian: bool


def check_layers(layers: Layers, shape: Sequence[int]) -> None:
    """Raise LayerError unless the layers fit inputs of `shape`, (*positions, channels).

    They fit if f has one vector of outputs per input and a Gaussian process as its limit.
    """
    if not 1 <= len(shape) <= 3 or min(shape) < 1:
        raise LayerError(
            f"shape: found {tuple(shape)}, expected (features,), (length, channels) or (height, "
            "width, channels)"
        )
    signal = Signal(tuple(shape[:-1]), gaussian=False)
    for end in trace_signals(layers, signal):
        signal = end
    if not layers or not isinstance(layers[-1], Dense):
        raise LayerError("layers: expected a dense layer at the end, which gives the outputs")
    if signal.positions:
        raise LayerError(
            f"layers: found an output at {prod(signal.positions)} positions, expected flatten or "
            "global_average_pool before the last dense layer"
        )


def trace_signals(layers: Layers, signal: Signal, path: str = "layers") -> list[Signal]:
    """Signal after each layer; raises LayerError, which names the first layer that does not fit."""
    signals = []
    for index, layer in enumerate(layers):
        place = f"{path}[{index}] ({NAMES[type(layer)]})"
        signal = _after(layer, signal, place)
        signals.append(signal)
    return signals


def _after(layer: Layer, signal: Signal, place: str) -> Signal:
    positions, gaussian = signal
    match layer:
        case Dense():
            return Signal(positions, True)
        case Convolution():
            _check_window(layer.filter_shape, layer.strides, positions, place)
            return Signal(_counts(layer, positions, place), True)
        case Activate() | LayerNorm():
            if not gaussian:
                raise LayerError(
                    f"{place}: found values that are not Gaussian in the limit, expected a "
                    "dense or convolution layer between them and this layer"
                )
            return Signal(positions, isinstance(layer, LayerNorm))
        case AveragePool():
            _check_window(layer.window, layer.strides, positions, place)
            return Signal(_counts(layer, positions, place), gaussian)
        case GlobalAveragePool() | Flatten():
            if not positions:
                raise LayerError(f"{place}: found vectors, expected inputs with positions")
            # Flattened channels from different positions have different variances.
            return Signal((), gaussian and isinstance(layer, GlobalAveragePool))
        case Residual():
            return _after_sum(layer, signal, place)


def _after_sum(layer: Residual, signal: Signal, place: str) -> Signal:
    ends = []
    for name in ("branch", "shortcut"):
        part: Layers = getattr(layer, name)
        ends.append([signal, *trace_signals(part, signal, f"{place}.{name}")][-1])
    branch, shortcut = ends
    if branch.positions != shortcut.positions:
        raise LayerError(
            f"{place}: found a branch that ends with positions {branch.positions} and a shortcut "
            f"with {shortcut.positions}, expected the same; add a convolution with strides to the "
            "shortcut"
        )
    # Otherwise the summands would be correlated, and their covariances would not add.
    if not any(_ends_in_weights(part) for part in (layer.branch, layer.shortcut)):
        raise LayerError(
            f"{place}: expected the branch or the shortcut to end in weights that no activation "
            "follows"
        )
    return Signal(branch.positions, branch.gaussian and shortcut.gaussian)


def _ends_in_weights(layers: Layers) -> bool:
    """Return True if the output channels have mean zero given the input of the layers."""
    for layer in reversed(layers):
        if isinstance(layer, Dense | Convolution):
            return True
        if isinstance(layer, Residual):
            return _ends_in_weights(layer.branch) and _ends_in_weights(layer.shortcut)
        if not isinstance(layer, AveragePool | GlobalAveragePool | Flatten | LayerNorm):
            return False
    return False


def _check_window(
    window: tuple[int, ...], strides: tuple[int, ...], positions: tuple[int, ...], place: str
) -> None:
    axes = len(positions)
    if len(window) != axes or (strides and len(strides) != axes):
        found = f"a window {window}" + (f" and strides {strides}" if strides else "")
        raise LayerError(
            f"{place}: found {found}, expected one number for each of the {axes} axes of positions"
        )


def _counts(
    layer: Convolution | AveragePool, positions: tuple[int, ...], place: str
) -> tuple[int, ...]:
    try:
        return tuple(len(places) for places in axis_windows(layer, positions))
    except LayerError as error:
        raise LayerError(f"{place}: {error}") from None


def axis_windows(layer: Convolution | AveragePool, positions: tuple[int, ...]) -> list[np.ndarray]:
    """Positions (out, width) that each output position reads, by axis; -1 is outside the input.

    Raises LayerError if a window without padding is larger than the input.
    """
    if isinstance(layer, AveragePool):
        window, strides, padding = layer.window, layer.strides or layer.window, "valid"
    else:
        window, strides = layer.filter_shape, layer.strides or (1,) * len(positions)
        padding = layer.padding
    return [
        _windows(size, width, stride, padding)
        for size, width, stride in zip(positions, window, strides, strict=True)
    ]


def padding_before(size: int, width: int, stride: int, padding: str) -> tuple[int, int]:
    """Positions added before and after an axis of `size`: none if ``valid``, else as XLA's SAME."""
    if padding == "valid":
        return 0, 0
    total = max((-(-size // stride) - 1) * stride + width - size, 0)
    return total // 2, total - total // 2


def _windows(size: int, width: int, stride: int, padding: str) -> np.ndarray:
    before, after = padding_before(size, width, stride, padding)
    count = (size + before + after - width) // stride + 1
    if count < 1:
        raise LayerError(
            f"found a window of {width} on an axis of {size} positions, expected at most {size}"
        )
    places = np.arange(count)[:, None] * stride + np.arange(width)[None, :] - before
    if padding == "circular":
        return places % size
    return np.where((places >= 0) & (places < size), places, -1)


def windows(layer: Convolution | AveragePool, positions: tuple[int, ...]) -> np.ndarray:
    """Flat positions (out, window) that each flat output position reads; -1 is outside."""
    axes = axis_windows(layer, positions)
    flat = []
    for out in product(*(range(len(axis)) for axis in axes)):
        inside = np.meshgrid(*(axis[i] for axis, i in zip(axes, out, strict=True)), indexing="ij")
        place = np.ravel_multi_index([np.maximum(part, 0) for part in inside], positions)
        flat.append(np.where(np.min(inside, axis=0) < 0, -1, place).ravel())
    return np.array(flat, dtype=np.int64).reshape(len(flat), -1)
