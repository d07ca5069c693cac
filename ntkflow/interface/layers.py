"""Layers of which a network is composed, for its limiting kernels and for finite networks.

For example::

    from ntkflow import api

    layers = api.layers
    network = [
        layers.convolution((3, 3)),
        layers.activation("relu"),
        layers.residual(layers.convolution((3, 3)), layers.activation("relu"),
                        layers.convolution((3, 3))),
        layers.global_average_pool(),
        layers.dense(1),
    ]
    kernels = api.limiting_kernels(images, layers=network)  # images (n, height, width, channels)

A network is a list of layers; nested lists are flattened. Widths have no meaning in the limit.
Invalid arguments raise ValueError. The message names the argument and what is expected.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any, TypeAlias, cast, get_args

from ntkflow.interface.arguments import Activation, Beta, Kinks, WeightGain
from ntkflow.interface.checks import COUNT, checked, listed, one_of, refusal
from ntkflow.interface.recipes import activation_from
from ntkflow.kernels import layers as kinds
from ntkflow.kernels.layers import Layer, Layers, Padding

__all__ = [
    "activation",
    "average_pool",
    "convolution",
    "dense",
    "flatten",
    "global_average_pool",
    "layer_norm",
    "residual",
]


def shape(name: str, value: Any) -> tuple[int, ...]:
    """One whole number, or one for each axis of positions; returned as a tuple."""
    several = isinstance(value, list | tuple | range) or getattr(value, "ndim", 0) != 0
    numbers = listed(name, value, COUNT, 1) if several else (COUNT(name, value),)
    if len(numbers) > 2:
        raise refusal(name, value, "one or two whole numbers, one for each axis of positions")
    return tuple(numbers)


def network(name: str, value: Any) -> Layers:
    """One or more layers, nested lists flattened; returned as a tuple."""
    found = tuple(_flattened(name, value))
    if not found:
        raise refusal(name, value, "a list of one or more layers")
    return found


def part(name: str, value: Any) -> Layers:
    """Any number of layers, nested lists flattened; returned as a tuple."""
    return tuple(_flattened(name, value))


def _flattened(name: str, value: Any) -> Iterator[Layer]:
    if isinstance(value, tuple(kinds.NAMES)):
        yield cast("Layer", value)
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            yield from _flattened(f"{name}[{index}]", entry)
    else:
        raise refusal(name, value, "layers, such as api.layers.dense()")


Width: TypeAlias = Annotated[int, COUNT]
Shape: TypeAlias = Annotated[int | Sequence[int], shape]
LayerList: TypeAlias = Annotated[Any, network]
Part: TypeAlias = Annotated[Any, part]
PaddingName: TypeAlias = Annotated[str, partial(one_of, names=get_args(Padding))]


@checked
def dense(
    width: Width | None = None, *, beta: Beta = 0.1, weight_gain: WeightGain = 1.0
) -> kinds.Dense:
    """Fully-connected layer over channels, with the same weights at every position.

    Parameters
    ----------
    width
        Number of outputs; needed only for finite networks.
    beta, weight_gain
        Factors of biases and weights: z = weight_gain W a / sqrt(fan_in) + beta b.
    """
    return kinds.Dense(width, beta, weight_gain)


@checked
def convolution(
    filter_shape: Shape,
    width: Width | None = None,
    *,
    strides: Shape = 1,
    padding: PaddingName = "same",
    beta: Beta = 0.1,
    weight_gain: WeightGain = 1.0,
) -> kinds.Convolution:
    """Convolution over the positions of sequences or images.

    Parameters
    ----------
    filter_shape
        Size of the filter along each axis: a number for sequences, a pair for images.
    width
        Number of output channels; needed only for finite networks.
    strides
        Step along each axis, or one step for all axes.
    padding
        ``same`` pads with zeros so that ceil(size / stride) positions remain, ``circular`` wraps
        around, ``valid`` uses no position outside the input.
    beta, weight_gain
        Factors of biases and weights; weights are divided by sqrt(channels * filter size).
    """
    steps = _strides(strides, filter_shape)
    return kinds.Convolution(filter_shape, width, steps, padding, beta, weight_gain)  # type: ignore[arg-type]


def _strides(strides: Any, window: Any) -> tuple[int, ...]:
    """One stride per axis of a window."""
    found: tuple[int, ...] = strides if len(strides) > 1 else strides * len(window)
    if len(found) != len(window):
        raise refusal("strides", strides, f"one number for each of the {len(window)} axes")
    return found


@checked
def activation(activation: Activation = "relu", kinks: Kinks = ()) -> kinds.Activate:
    """Activation, applied to every entry.

    Parameters
    ----------
    activation
        Name in the registry, mapping of ``name`` and parameters, or elementwise function of JAX
        arrays.
    kinks
        Points at which the function is not smooth.
    """
    return kinds.Activate(activation_from(activation, kinks))


@checked
def layer_norm() -> kinds.LayerNorm:
    """Subtract the mean over channels and divide by the standard deviation, at each position."""
    return kinds.LayerNorm()


@checked
def average_pool(window: Shape, *, strides: Shape | None = None) -> kinds.AveragePool:
    """Mean over windows of positions that lie within the input.

    Parameters
    ----------
    window
        Size of the window along each axis: a number for sequences, a pair for images.
    strides
        Step along each axis, or one step for all; by default windows do not overlap.
    """
    steps = () if strides is None else _strides(strides, window)
    return kinds.AveragePool(window, steps)  # type: ignore[arg-type]


@checked
def global_average_pool() -> kinds.GlobalAveragePool:
    """Mean over all positions."""
    return kinds.GlobalAveragePool()


@checked
def flatten() -> kinds.Flatten:
    """Flatten all positions and channels into one vector."""
    return kinds.Flatten()


@checked
def residual(*branch: Part, shortcut: Part = ()) -> kinds.Residual:
    """Sum of a branch and a shortcut, both applied to the same input.

    Parameters
    ----------
    branch
        Layers of the branch.
    shortcut
        Layers of the shortcut; () is the identity.
    """
    return kinds.Residual(branch, shortcut)
