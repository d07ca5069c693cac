"""Limiting kernels of composed layers by mpmath, from the definition: covariances at all positions.

Independent of the code under test, except for the positions that windows read.
"""

import numpy as np

from ntkflow.kernels.layers import (
    Activate,
    AveragePool,
    Convolution,
    Dense,
    Flatten,
    GlobalAveragePool,
    LayerNorm,
    Residual,
    windows,
)
from tests.kernels.exact import mp, mpf


def kernels(layers, x, digits=50):
    """NNGP kernel and NTK between inputs (n, *positions, channels), float64 (n, n)."""
    with mp.workdps(digits):
        values = np.vectorize(lambda value: mpf(float(value)), otypes=[object])(x)
        flat = values.reshape(len(x), -1, x.shape[-1])
        nngp = np.einsum("ipc,jqc->ipjq", flat, flat) / x.shape[-1]
        found = through(layers, (nngp, 0 * nngp), x.shape[1:-1])
        return [kernel[:, 0, :, 0].astype(float) for kernel in found[0]]


def through(layers, state, positions):
    """Covariances (n, p, n, p) and NTK after all layers, and the positions there."""
    for layer in layers:
        state, positions = after(layer, state, positions)
    return state, positions


def after(layer, state, positions):
    nngp, ntk = state
    if isinstance(layer, Dense | Convolution):
        gain, bias = mpf(layer.weight_gain) ** 2, mpf(layer.beta) ** 2
        if isinstance(layer, Convolution):
            reads = windows(layer, positions)
            nngp, ntk = (shifted(array, reads) for array in state)
            size = [-(-s // t) for s, t in zip(positions, layer.strides or [1] * 9, strict=False)]
            positions = positions if layer.padding != "valid" else None
            positions = tuple(size) if positions else (len(reads),)
        nngp = gain * nngp + bias
        return (nngp, gain * ntk + nngp), positions
    if isinstance(layer, Activate):
        return activated(layer.activation.name, nngp, ntk), positions
    if isinstance(layer, LayerNorm):
        deviation = np.vectorize(mp.sqrt)(np.einsum("ipip->ip", nngp))
        scale = np.multiply.outer(deviation, deviation)
        return (nngp / scale, ntk / scale), positions
    if isinstance(layer, Flatten):
        mean = [np.einsum("ipjp->ij", array) / array.shape[1] for array in state]
        return tuple(array[:, None, :, None] for array in mean), ()
    if isinstance(layer, AveragePool | GlobalAveragePool):
        reads = np.arange(nngp.shape[1])[None, :]
        if isinstance(layer, AveragePool):
            reads = windows(layer, positions)
        pooled = (array[:, reads][:, :, :, :, reads] for array in state)
        pooled = [array.sum(axis=(2, 5)) / reads.shape[1] ** 2 for array in pooled]
        return tuple(pooled), () if isinstance(layer, GlobalAveragePool) else (len(reads),)
    assert isinstance(layer, Residual)
    (one, ends), (two, _) = (
        through(part, state, positions) for part in (layer.branch, layer.shortcut)
    )
    return tuple(a + b for a, b in zip(one, two, strict=True)), ends


def shifted(array, reads):
    """Means over offsets of entries whose positions are shifted together; 0 outside."""
    total = 0
    for column in reads.T:
        inside = (column >= 0).astype(int)
        part = array[:, column][:, :, :, column]
        total = total + part * inside[None, :, None, None] * inside[None, None, None, :]
    return total / reads.shape[1]


def activated(name, nngp, ntk):
    """Covariances after ReLU (Cho & Saul 2009), erf (Williams 1997) or the sine, and the NTK."""
    deviation = np.vectorize(mp.sqrt)(np.einsum("ipip->ip", nngp))
    scale = np.multiply.outer(deviation, deviation)

    def relu(c, s):
        if s == 0:
            return mpf(0), mpf(0)
        rho = max(min(c / s, mpf(1)), mpf(-1))
        phi = mp.acos(rho)
        sine = mp.sqrt((1 - rho) * (1 + rho))
        return s * (sine + (mp.pi - phi) * rho) / (2 * mp.pi), (mp.pi - phi) / (2 * mp.pi)

    def erf(c, q1, q2):
        root = mp.sqrt((1 + 2 * q1) * (1 + 2 * q2))
        slope = 4 / mp.pi / mp.sqrt((1 + 2 * q1) * (1 + 2 * q2) - 4 * c**2)
        return 2 / mp.pi * mp.asin(2 * c / root), slope

    def sin(c, q1, q2):
        scale = mp.exp(-(q1 + q2) / 2)
        return scale * mp.sinh(c), scale * mp.cosh(c)

    if name == "relu":
        image, slope = np.vectorize(relu, otypes=[object, object])(nngp, scale)
    else:
        squares = deviation**2
        one, two = squares[:, :, None, None] + 0 * nngp, squares[None, None] + 0 * nngp
        dual = {"erf": erf, "sin": sin}[name]
        image, slope = np.vectorize(dual, otypes=[object, object])(nngp, one, two)
    return image, ntk * slope
