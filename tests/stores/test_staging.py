"""Inputs on disk: as they were given, whatever holds them, and by rows."""

import ast
import os
import pickle

import numpy as np
import pytest
import scipy.sparse
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.stores import staging
from ntkflow.stores.staging import (
    as_floats,
    check_finite,
    digest_inputs,
    open_staged,
    stage,
    staged_rows,
)
from tests.stores.test_grams import directed, inputs


@settings(max_examples=25)
@given(n=st.integers(1, 12), d=st.integers(1, 5), strip=st.integers(1, 13), data=st.data())
def test_any_rows_are_those_of_the_inputs(n, d, strip, data, tmp_path_factory):
    x, folder = inputs(n, d), tmp_path_factory.mktemp("staged") / "deep" / "inputs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging, "STRIP", strip)
        stage(x, directed, folder)
    start = data.draw(st.integers(0, n - 1))
    stop = data.draw(st.integers(start + 1, n))
    found = staged_rows(open_staged(folder), slice(start, stop))
    for part, expected in zip(found, directed(x), strict=True):
        np.testing.assert_array_equal(part, expected[start:stop])


def test_directions_keep_their_precision(tmp_path):
    def narrow(part):
        norm, direction = directed(part)
        return norm, direction.astype(np.float32)

    stage(inputs(5), narrow, tmp_path / "inputs")
    norm, direction = staged_rows(open_staged(tmp_path / "inputs"), slice(1, 3))
    assert (norm.dtype, direction.dtype) == (np.float64, np.float32)


def test_rows_do_not_depend_on_the_file_once_they_are_read(tmp_path):
    stage(inputs(5), directed, tmp_path / "inputs")
    _, direction = staged_rows(open_staged(tmp_path / "inputs"), slice(1, 3))
    assert type(direction) is np.ndarray
    assert direction.base is None


def test_tasks_do_not_parse_headers(monkeypatch, tmp_path):
    """Threads of Python 3.11 that parse at the same time fail now and then."""
    stage(inputs(5), directed, tmp_path / "inputs")
    task = pickle.dumps(open_staged(tmp_path / "inputs"))
    monkeypatch.setattr(ast, "parse", pytest.fail)
    norm, _ = staged_rows(pickle.loads(task), slice(1, 3))  # noqa: S301
    np.testing.assert_array_equal(norm, directed(inputs(5))[0][1:3])


def test_only_a_strip_is_in_memory(monkeypatch, tmp_path):
    class Watched:
        shape = (23, 3)
        asked: list[int] = []  # noqa: RUF012

        def __getitem__(self, rows):
            self.asked.append(rows.stop - rows.start)
            return inputs(23)[rows]

    monkeypatch.setattr(staging, "STRIP", 5)
    digest_inputs(Watched(), "x1")
    stage(Watched(), directed, tmp_path / "inputs")
    assert Watched.asked == 2 * [5, 5, 5, 5, 3]


def holders(x, folder):
    """The same inputs in all that may hold them."""
    np.save(folder / "x.npy", x)
    array = zarr.create_array(folder / "x.zarr", data=x, chunks=(2, 2))
    return [
        x,
        np.asfortranarray(x),
        np.repeat(x, 2, axis=0)[::2],
        np.load(folder / "x.npy", mmap_mode="r"),
        array,
        x.astype(x.dtype.newbyteorder()),
        xr.DataArray(x, dims=("sample", "feature")),
        xr.DataArray(x, dims=("sample", "feature")).chunk(sample=3),
    ]


def test_inputs_are_the_same_in_whatever_holds_them(tmp_path):
    x = inputs(7)
    for index, held in enumerate(holders(x, tmp_path)):
        assert digest_inputs(held, "x1") == digest_inputs(x, "x1"), type(held)
        stage(held, directed, tmp_path / str(index))
        _, direction = staged_rows(open_staged(tmp_path / str(index)), slice(0, 7))
        np.testing.assert_array_equal(direction, directed(x)[1])


def test_digest_tells_inputs_apart():
    x = inputs(6, 4)
    changed = x.copy()
    changed[5, 3] = np.nextafter(changed[5, 3], 9)
    others = [changed, x[::-1], x.reshape(4, 6), x.reshape(8, 3), x[:5], x.astype(np.float32), -x]
    assert len({digest_inputs(other, "x1") for other in (x, *others)}) == 1 + len(others)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 4, 5, 11])
def test_row_that_is_not_finite_is_named(row, value, monkeypatch):
    monkeypatch.setattr(staging, "STRIP", 5)
    x = inputs(12)
    x[row:, 1] = value  # the first of them
    expected = (
        f"^x2: found a value that is not finite in row {row}, counted from 0, expected finite"
    )
    with pytest.raises(ValueError, match=expected):
        digest_inputs(x, "x2")
    with pytest.raises(ValueError, match=expected):
        check_finite(x, "x2")


class Gradient:
    """Refuses to become an array, as a tensor that requires grad."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor\nthat requires grad.")


CAST = r"; pass x1\.astype\('float64'\)$"
REFUSED = {
    r"^x1: found an array of dtype bool, expected real numbers" + CAST: inputs(3) > 0,
    r"^x1: found an array of dtype complex128, expected real .*; pass x1\.real$": 1j * inputs(3),
    r"^x1: found an array of dtype object, expected real numbers" + CAST: inputs(3).astype(object),
    r"^x1: found an array of dtype <U3, expected real numbers" + CAST: inputs(3).astype("U3"),
    r"^x1: found an array of dtype datetime64\[s\], expected real numbers" + CAST: np.zeros(
        (3, 2), "M8[s]"
    ),
    r"^x1: found an array of dtype \[\('a', '<f8'\)\], .*; pass an array of its fields$": (
        np.zeros((3, 2), [("a", float)])
    ),
    r"^x1: found an array of dtype (float128|longdouble), expected at most 64 bits" + CAST: inputs(
        3
    ).astype(np.longdouble),
    r"^x1: found a masked array, expected plain numbers; pass x1\.filled\(value\)$": (
        np.ma.masked_less(inputs(3), 0)
    ),
    r"^x1: found a sparse csr_matrix, expected a dense array; pass x1\.toarray\(\)$": (
        scipy.sparse.csr_matrix(inputs(3))
    ),
    r"^x1: found a sparse coo_matrix, expected a dense array; pass x1\.toarray\(\)$": (
        scipy.sparse.coo_matrix(inputs(3))
    ),
    r"^x1: found list, of which NumPy cannot make an array \(.*inhomogeneous.*\), expected real": [
        [1.0, 2.0],
        [3.0],
    ],
    r"^x1: found Gradient, .* \(Can't call numpy\(\) on Tensor that requires grad\.\), .*; pass": (
        Gradient()
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_no_array_of_real_numbers_is_refused_with_what_to_pass(message):
    x = REFUSED[message]
    with pytest.raises(ValueError, match=message):
        as_floats(x, "x1")
    if hasattr(x, "shape"):
        with pytest.raises(ValueError, match=message):
            digest_inputs(x, "x1")


@pytest.mark.parametrize("dtype", ["i1", "u2", "<i4", ">i8", "u8"])
def test_integers_count_as_the_same_numbers_in_float64(dtype, monkeypatch, tmp_path):
    monkeypatch.setattr(staging, "STRIP", 2)
    x = np.arange(1, 13).reshape(4, 3)
    assert digest_inputs(x.astype(dtype), "x1") == digest_inputs(x.astype(np.float64), "x1")
    assert digest_inputs(x.astype(dtype), "x1") != digest_inputs(x.astype(np.float32), "x1")
    for name, given_ in (("integers", x.astype(dtype)), ("floats", x.astype(np.float64))):
        stage(given_, directed, tmp_path / name)
    for file in ("norms.npy", "directions.npy"):
        both = [(tmp_path / name / file).read_bytes() for name in ("integers", "floats")]
        assert both[0] == both[1]


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", ">f8"])
def test_floats_keep_their_precision_in_native_byte_order(dtype):
    x = inputs(4).astype(dtype)
    found = as_floats(x, "x1")
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(found, x)


def test_a_full_disk_is_an_error_and_no_signal(tmp_path, monkeypatch):
    """Writing to a memory map would kill the process, and `numpy.save` would not say why."""
    monkeypatch.setattr(staging.np.lib.format, "open_memmap", None)
    for name in ("directions.npy", "norms.npy"):
        folder = tmp_path / name.removesuffix(".npy")
        make = type(folder).mkdir

        def with_full_disk(self, *arguments, make=make, name=name, **options):
            make(self, *arguments, **options)
            os.symlink("/dev/full", self / name)

        with monkeypatch.context() as patch:
            patch.setattr(type(folder), "mkdir", with_full_disk)
            with pytest.raises(OSError, match="No space left on device"):
                stage(inputs(5000), directed, folder)
