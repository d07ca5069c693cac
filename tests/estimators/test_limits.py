"""Padded inputs have the kernels of inputs, and share programs."""

import numpy as np
import pytest

from ntkflow import api
from ntkflow.estimators import limits
from ntkflow.kernels import tiles

LIMIT = limits.Limit(3, "relu", 0.3, 1.4)


@pytest.mark.parametrize(("rows", "columns", "features"), [(1, 70, 1), (5, 70, 20)])
def test_padding_changes_no_kernel(rows, columns, features):
    rng = np.random.default_rng(0)
    x, others = rng.normal(size=(rows, features)), rng.normal(size=(columns, features))
    x[0] = 0
    for one, two in ((x, others), (others, None)):
        found = limits.kernels(LIMIT, one, two)
        expected = api.limiting_kernels(one, two, **LIMIT._asdict())
        for kernel, values in zip(found, expected, strict=True):
            np.testing.assert_allclose(kernel, values, rtol=1e-12, atol=1e-14)
    found = limits.diagonals(LIMIT, others)
    expected = api.limiting_kernels(others, **LIMIT._asdict())
    for kernel, values in zip(found, expected, strict=True):
        np.testing.assert_allclose(kernel, np.diag(values), rtol=1e-12)


def test_many_shapes_share_programs():
    rng, programs = np.random.default_rng(0), set()
    for rows, columns, features in ((64, 1, 1), (17, 40, 16), (33, 64, 7)):
        limits.kernels(
            LIMIT, rng.normal(size=(rows, features)), rng.normal(size=(columns, features))
        )
        programs.add(tiles._by_recursion._cache_size())
    assert len(programs) == 1


def test_batches_cover_all_rows():
    for rows, columns in ((1, 1), (1000, 10_000_000), (129, 2**16)):
        covered = [np.arange(rows)[each] for each in limits.batches(rows, columns)]
        np.testing.assert_array_equal(np.concatenate(covered), np.arange(rows))
        assert (
            max(map(len, covered)) * columns <= limits.ENTRIES or len(covered[0]) <= limits.LONGEST
        )


def test_inputs_of_unlike_widths_are_an_error():
    """Padding would give them kernels."""
    x = np.ones((3, 2))
    for name, lists in {"Y": (x, x[:, :1]), "X": (x[0], None)}.items():
        with pytest.raises(ValueError, match=f"^{name}: found the shape"):
            limits.kernels(LIMIT, *lists)
