"""Sums over windows, against the positions that each window reads."""

from itertools import product

import numpy as np
import pytest

from ntkflow.kernels.layers import AveragePool, Convolution, windows
from ntkflow.kernels.schedule import Step
from ntkflow.kernels.windows import window_sums


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def shifted_together(entries, reads):
    """Sums over offsets of the filter, the same at both positions."""
    total = np.zeros((len(reads), 2, len(reads), 3))
    for i, j in product(range(len(reads)), repeat=2):
        for p, q in zip(reads[i], reads[j], strict=True):
            total[i, :, j] += entries[p, :, q] if min(p, q) >= 0 else 0
    return total


@pytest.mark.parametrize("padding", ["same", "valid", "circular"])
@pytest.mark.parametrize(
    ("width", "stride"), [(1, 1), (2, 1), (3, 1), (5, 1), (1, 2), (3, 2), (4, 3)]
)
def test_convolution_sums_over_offsets(padding, width, stride, rng):
    for size in range(width if padding == "valid" else 1, 8):
        layer = Convolution((width,), strides=(stride,), padding=padding)
        reads = windows(layer, (size,))
        step = Step(layer, "", (size,), everywhere=True, after=True, acute=False)
        entries = rng.normal(size=(size, 2, size, 3))
        expected = shifted_together(entries, reads)
        np.testing.assert_allclose(window_sums(entries, step), expected, atol=1e-14)
        same = np.stack([entries[p, :, p] for p in range(size)])
        diagonal = np.stack([expected[i, :, i] for i in range(len(reads))])
        np.testing.assert_allclose(window_sums(same, step), diagonal, atol=1e-14)


def test_images_are_summed_along_both_axes(rng):
    layer = Convolution((3, 2), strides=(1, 2))
    step = Step(layer, "", (4, 5), everywhere=True, after=True, acute=False)
    entries = rng.normal(size=(20, 2, 20, 3))
    expected = shifted_together(entries, windows(layer, (4, 5)))
    np.testing.assert_allclose(window_sums(entries, step), expected, atol=1e-14)


def test_pooling_sums_over_each_position(rng):
    layer = AveragePool((2, 3), strides=(2, 1))
    step = Step(layer, "", (4, 5), everywhere=True, after=True, acute=False)
    entries = rng.normal(size=(20, 2, 20, 3))
    reads = windows(layer, (4, 5))
    expected = entries[reads][:, :, :, reads].sum(axis=(1, 4))
    np.testing.assert_allclose(window_sums(entries, step), expected, atol=1e-13)
