"""Composed networks of every layer kind, and their functions by plain loops."""

from itertools import product

import numpy as np

from ntkflow.kernels.activations import activation
from ntkflow.kernels.layers import (
    Activate,
    AveragePool,
    Convolution,
    Dense,
    Flatten,
    GlobalAveragePool,
    LayerNorm,
    Residual,
)

TANH, RELU = Activate(activation("tanh")), Activate(activation("relu"))
BLOCK = Residual((TANH, Convolution((3,), 5, beta=0.3), TANH, Convolution((3,), 5)))
NETWORKS = {
    "dense": ((Dense(4, 0.2, 1.5), TANH, Dense(2, 0.3)), (3,)),
    "mixed": ((Dense(4, 0.2, 1.5), TANH, Dense(5), RELU, Dense(2, 0.3)), (3,)),
    "normalised": ((Dense(6, 0.5), LayerNorm(), TANH, Dense(2)), (3,)),
    "residual": (
        (Dense(4), Residual((TANH, Dense(6, 0.4)), (Dense(6, weight_gain=2.0),)), TANH, Dense(1)),
        (3,),
    ),
    "same": ((Convolution((3,), 3, beta=0.4), TANH, Flatten(), Dense(2)), (6, 2)),
    "strided": (
        (Convolution((3, 2), 3, (2, 3), weight_gain=1.5), TANH, Flatten(), Dense(2)),
        (5, 7, 2),
    ),
    "valid": (
        (Convolution((2, 3), 3, (1, 2), "valid"), TANH, GlobalAveragePool(), Dense(2)),
        (4, 6, 1),
    ),
    "circular": (
        (Convolution((4, 3), 3, (1, 2), "circular"), TANH, Flatten(), Dense(2)),
        (3, 5, 2),
    ),
    "wide circle": ((Convolution((7,), 3, (), "circular"), TANH, Flatten(), Dense(1)), (3, 2)),
    "pooled": (
        (Convolution((2, 2), 4), AveragePool((2, 3), (1, 2)), TANH, Flatten(), Dense(2)),
        (4, 5, 1),
    ),
    "pointwise": ((Dense(4), TANH, Dense(3), TANH, GlobalAveragePool(), Dense(2)), (5, 2)),
    "block": (
        (Convolution((3,), 5), BLOCK, LayerNorm(), TANH, AveragePool((2,)), Flatten(), Dense(1)),
        (6, 2),
    ),
}
"""Layers and the shape of inputs."""


def evaluated(layers, parameters, values):
    """Output (*positions, channels) of layers at one input, by loops over positions."""
    for layer, mine in zip(layers, parameters, strict=True):
        values = _evaluated(layer, mine, np.asarray(values, np.float64))
    return values


def _evaluated(layer, mine, a):
    name = type(layer).__name__
    if name == "Dense":
        weight, bias = map(np.asarray, mine)
        return layer.weight_gain / len(weight) ** 0.5 * (a @ weight) + layer.beta * bias
    if name == "Activate":
        return {"tanh": np.tanh, "relu": lambda z: z * (z > 0)}[layer.activation.name](a)
    if name == "LayerNorm":
        deviation = a.std(axis=-1, keepdims=True)
        return (a - a.mean(axis=-1, keepdims=True)) / deviation
    if name == "GlobalAveragePool":
        return a.reshape(-1, a.shape[-1]).mean(axis=0)
    if name == "Flatten":
        return a.ravel()
    if name == "Residual":
        branch, shortcut = mine
        return evaluated(layer.branch, branch, a) + evaluated(layer.shortcut, shortcut, a)
    if name == "AveragePool":
        return _pooled(layer, a)
    return _convolved(layer, mine, a)


def _pooled(layer, a):
    strides = layer.strides or layer.window
    axes = zip(a.shape, layer.window, strides, strict=False)
    counts = [(size - width) // stride + 1 for size, width, stride in axes]
    out = np.zeros((*counts, a.shape[-1]))
    for place in np.ndindex(*counts):
        for offset in np.ndindex(*layer.window):
            out[place] += a[
                tuple(p * s + o for p, s, o in zip(place, strides, offset, strict=True))
            ]
    return out / np.prod(layer.window)


def _convolved(layer, mine, a):
    weight, bias = map(np.asarray, mine)
    sizes, strides = a.shape[:-1], layer.strides or (1,) * (a.ndim - 1)
    counts, before = [], []
    for size, width, stride in zip(sizes, layer.filter_shape, strides, strict=True):
        if layer.padding == "valid":
            counts.append(len(range(0, size - width + 1, stride)))
            before.append(0)
        else:
            counts.append(int(np.ceil(size / stride)))
            before.append(max((counts[-1] - 1) * stride + width - size, 0) // 2)
    out = np.zeros((*counts, weight.shape[-1]))
    for place, offset in product(np.ndindex(*counts), np.ndindex(*layer.filter_shape)):
        read = [p * s + o - b for p, s, o, b in zip(place, strides, offset, before, strict=True)]
        if layer.padding == "circular":
            read = [r % size for r, size in zip(read, sizes, strict=True)]
        if all(0 <= r < size for r, size in zip(read, sizes, strict=True)):
            out[place] += a[tuple(read)] @ weight[offset]
    fan_in = np.prod(weight.shape[:-1])
    return layer.weight_gain / fan_in**0.5 * out + layer.beta * bias
