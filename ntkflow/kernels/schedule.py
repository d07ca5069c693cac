"""Steps that compute the limit of composed layers, and the entries that each step needs.

Entries between different positions are needed only if pooling follows. Flattening needs only the
entries between equal positions of two inputs, n m P numbers instead of n m P^2.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod

from ntkflow.kernels.correlation import FEW_FEATURES
from ntkflow.kernels.layers import (
    Activate,
    AveragePool,
    Convolution,
    Dense,
    Flatten,
    GlobalAveragePool,
    Layer,
    Layers,
    Residual,
    Signal,
    trace_signals,
)
from ntkflow.kernels.tiles import Network


@dataclass(frozen=True)
class Step:
    """A layer with the properties of its input on which its kernels depend."""

    layer: Layer
    place: str = field(compare=False)
    """Path of the layer, such as `layers[2].branch[0]`."""
    positions: tuple[int, ...]
    everywhere: bool
    """True if the input has entries between different positions."""
    after: bool
    """True if the output has entries between different positions."""
    acute: bool
    """True if no correlation of the input is negative."""
    parts: tuple["Schedule", "Schedule"] = ((), ())
    """Branch and shortcut of a residual block."""


Schedule = tuple[Step, ...]


def schedule(layers: Layers, shape: Sequence[int]) -> Schedule:
    """Steps of the layers for inputs of `shape`, (*positions, channels)."""
    return _schedule(layers, tuple(shape[:-1]), False, "layers", acute=False)


def read_first(steps: Schedule, channels: int) -> tuple[Step | None, Schedule]:
    """First step, if it is a sum over few features of inputs with `channels`, and the others.

    Its kernel is that of the vectors of numbers that each of its positions reads.
    """
    layer = steps[0].layer
    if not isinstance(layer, Dense | Convolution):
        return None, steps
    width = prod(layer.filter_shape) if isinstance(layer, Convolution) else 1
    return (steps[0], steps[1:]) if width * channels < FEW_FEATURES else (None, steps)


def _schedule(
    layers: Layers, positions: tuple[int, ...], after: bool, path: str, *, acute: bool
) -> Schedule:
    """Steps of layers whose last output needs entries between different positions if `after`."""
    needed = _needed_along(layers, after)
    steps: list[Step] = []
    for index, layer in enumerate(layers):
        place, (before, later) = f"{path}[{index}]", needed[index : index + 2]
        step = Step(layer, place, positions, before, later, acute)
        if isinstance(layer, Residual):
            branch, shortcut = (
                _schedule(part, positions, later, f"{place}.{name}", acute=acute)
                for name, part in (("branch", layer.branch), ("shortcut", layer.shortcut))
            )
            step = Step(layer, place, positions, before, later, acute, (branch, shortcut))
        steps.append(step)
        acute = stays_acute(step)
        positions = trace_signals((layer,), Signal(positions, gaussian=True))[0].positions
    return tuple(steps)


def _needed_along(layers: Layers, after: bool) -> list[bool]:
    """`_needed` of each layer, and `after` at the end."""
    needed = [after]
    for layer in reversed(layers):
        needed.insert(0, _needed(layer, needed[0]))
    return needed


def _needed(layer: Layer, after: bool) -> bool:
    """Return True if a layer's input needs entries between different positions."""
    if isinstance(layer, AveragePool | GlobalAveragePool):
        return True
    if isinstance(layer, Flatten):
        return False
    if isinstance(layer, Residual):
        return any(_needed_along(part, after)[0] for part in (layer.branch, layer.shortcut))
    return after


def stays_acute(step: Step) -> bool:
    """Return True if no correlation of a step's output is negative."""
    if isinstance(step.layer, Activate):
        return step.layer.activation.acute
    if step.parts != ((), ()):
        return all(stays_acute(part[-1]) if part else step.acute for part in step.parts)
    return step.acute


def activations(steps: Schedule) -> list[Step]:
    """Steps that are activations, those of residual blocks included, in order."""
    found = []
    for step in steps:
        found += [step] if isinstance(step.layer, Activate) else []
        for part in step.parts:
            found += activations(part)
    return found


def weighted_layers(
    layers: Layers, path: str = "layers"
) -> Iterator[tuple[str, Dense | Convolution]]:
    """Layers with weights and their places, in order; those of a branch before its shortcut."""
    for index, layer in enumerate(layers):
        place = f"{path}[{index}]"
        if isinstance(layer, Dense | Convolution):
            yield place, layer
        if isinstance(layer, Residual):
            yield from weighted_layers(layer.branch, f"{place}.branch")
            yield from weighted_layers(layer.shortcut, f"{place}.shortcut")


def count_pairs(steps: Schedule) -> int:
    """Largest number of entries that a layer has for a pair of inputs."""
    numbers = [prod(s.positions) ** (2 if s.everywhere else 1) for s in steps]
    return max([1, *numbers, *(count_pairs(part) for s in steps for part in s.parts)])


def fully_connected(layers: Layers) -> Network | None:
    """Fully-connected network that the layers form, with a faster recursion; otherwise None.

    They form one if dense layers with equal factors alternate with one activation.
    """
    dense, between = layers[::2], layers[1::2]
    plain = all(isinstance(layer, Dense) for layer in dense) and len(dense) > len(between)
    sigmas = [layer.activation for layer in between if isinstance(layer, Activate)]
    if not plain or len(sigmas) != len(between) or len(set(sigmas)) != 1:
        return None
    factors = {(d.beta, d.weight_gain) for d in dense if isinstance(d, Dense)}
    if len(factors) != 1:
        return None
    ((beta, gain),) = factors
    return Network(sigmas[0], len(dense), beta, gain)
