"""Stores of Gram matrices, with a kernel of plain NumPy in place of the limiting ones."""

import shutil
import tracemalloc
import warnings
from functools import partial

import google_crc32c
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.jobs.tasks import compute
from ntkflow.stores.grams import Recipe, write_grams
from ntkflow.stores.grid import Grid, block_bytes, grid_between
from ntkflow.stores.zarr import open_store

NAMES = ("nngp", "ntk")
threads = partial(compute, scheduler={"kind": "threads"}, threads=2)


def inputs(n, d=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def directed(part):
    norm = np.sqrt(np.sum(part**2, axis=1))
    return norm, part / norm[:, None]


def dense(one, two, dtype=np.float64):
    """x.x' and exp(x.x' / (||x|| ||x'||)), from sums that no library splits."""
    (norm1, direction1), (norm2, direction2) = one, two
    cosine = np.sum(direction1[:, None] * direction2[None], axis=-1)
    kernels = norm1[:, None] * norm2[None] * cosine, np.exp(cosine)
    return [kernel.astype(dtype) for kernel in kernels]


class Blocks:
    """A kernel that keeps the shapes of the blocks it was asked for, and calls `before` each."""

    def __init__(self, dtype=np.float64, before=lambda done: None):
        self.dtype, self.before, self.shapes = dtype, before, []

    def __call__(self, one, two):
        self.before(len(self.shapes))
        second = one if two is None else two
        self.shapes.append((len(one[0]), len(second[0])))
        return dense(one, second, self.dtype)


def write(
    path,
    x,
    others=None,
    *,
    block,
    blocks=None,
    points=None,
    text="",
    compute=threads,
    overwrite=False,
    share=None,
):
    """Write a store, or a share of its blocks; return the shapes of the blocks computed for it."""
    blocks = blocks or Blocks()
    recipe = Recipe(
        directed, lambda norms, features: (blocks, {"dual_error": 0.0}), text, blocks.dtype
    )
    points = described(len(x), len(x)) if points is None else points
    grid = grid_between(x, others, block)
    options = {"grid": grid, "compute": compute, "overwrite": overwrite, "share": share}
    write_grams(points, x, others, path, recipe, **options)
    return blocks.shapes


def contents(path):
    """Bytes of all files of a store."""
    return {str(f.relative_to(path)): f.read_bytes() for f in path.rglob("*") if f.is_file()}


def identities(path):
    """What changes if a chunk is written again: its inode and time, by array and place."""
    chunks = (file for name in NAMES for file in path.glob(f"{name}/c/*/*"))
    return {
        str(file.relative_to(path)): (file.stat().st_ino, file.stat().st_mtime_ns)
        for file in chunks
        if file.suffix != ".partial"
    }


def under_way(folder):
    """The store that a run has left unfinished beside its place."""
    (store,) = folder.glob(".*.partial/*/store")
    return store


def interrupt_at(count):
    def before(done):
        if done == count:
            raise KeyboardInterrupt

    return before


def in_order(tasks):
    compute(tasks, {"kind": "threads"}, 1)


sizes = st.integers(1, 40)


@given(rows=sizes, columns=sizes, block=st.integers(1, 50), mirrored=st.booleans())
def test_every_entry_is_in_one_written_chunk(rows, columns, block, mirrored):
    grid = Grid((rows, rows if mirrored else columns), block, mirrored)
    covered = np.zeros(grid.shape, int)
    for computed in grid.blocks:
        for i, j in grid.written(*computed):
            covered[grid.part(0, i), grid.part(1, j)] += 1
    assert (covered == 1).all()
    assert max(grid.chunk) <= block
    # No more chunks than blocks of the size asked for would make.
    assert len(grid.blocks) == sum(
        i <= j or not mirrored
        for i in range(-(-grid.shape[0] // block))
        for j in range(-(-grid.shape[1] // block))
    )


@settings(max_examples=15)
@given(
    rows=st.integers(1, 14),
    columns=st.none() | st.integers(1, 14),
    block=st.integers(1, 16),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_any_block_size_gives_the_dense_kernels(rows, columns, block, dtype, tmp_path_factory):
    path = tmp_path_factory.mktemp("blocks") / "a.zarr"
    x, others = inputs(rows), None if columns is None else inputs(columns, seed=1)
    shapes = write(path, x, others, block=block, blocks=Blocks(dtype))
    found = open_store(path, "limiting")
    expected = dense(directed(x), directed(x if others is None else others), dtype)
    for name, kernel in zip(NAMES, expected, strict=True):
        values = found[name].values
        assert values.dtype == dtype
        np.testing.assert_array_equal(values, kernel)
        if others is None:
            np.testing.assert_array_equal(values, values.T)
    assert len(shapes) == len(grid_between(x, others, block).blocks)
    assert max(max(shape) for shape in shapes) <= block


def test_chunks_are_plain_numbers_and_their_checksum(tmp_path):
    x = inputs(10)
    write(tmp_path / "a.zarr", x, block=4)
    chunks = sorted((tmp_path / "a.zarr").glob("n*/c/*/*"))
    assert len(chunks) == 2 * 9
    for chunk in chunks:
        content = chunk.read_bytes()
        assert len(content) == 4 * 4 * 8 + 4
        assert google_crc32c.value(content[:-4]) == int.from_bytes(content[-4:], "little")
    first = np.frombuffer((tmp_path / "a.zarr/nngp/c/0/1").read_bytes()[:-4], "<f8").reshape(4, 4)
    np.testing.assert_array_equal(first, dense(directed(x[:4]), directed(x[4:8]))[0])


def test_plain_xarray_opens_a_store_without_warning(tmp_path):
    x = inputs(7)
    write(tmp_path / "a.zarr", x, block=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xr.open_zarr(tmp_path / "a.zarr").load()
    np.testing.assert_array_equal(opened["ntk"], dense(directed(x), directed(x))[1])
    assert opened["ntk"].attrs["symbol"] == r"\Theta_\infty^L"
    assert opened.attrs["dual_error"] == 0


def test_zeros_are_written_as_any_number(tmp_path):
    """A chunk of nothing but fill values would otherwise be missing for ever."""
    x = np.concatenate([np.eye(2, 4)] * 2 + [np.eye(4)[2:]] * 2)
    write(tmp_path / "a.zarr", x, block=4)
    assert (tmp_path / "a.zarr/nngp/c/0/1").is_file()
    assert write(tmp_path / "a.zarr", x, block=4) == []


def test_a_finished_store_is_left_as_it_is(tmp_path):
    path, x = tmp_path / "a.zarr", inputs(9)
    assert len(write(path, x, block=4)) == 6
    before, whole = identities(path), contents(path)
    assert write(path / "zarr.json", x, block=4) == []
    assert identities(path) == before
    assert contents(path) == whole
    assert list(tmp_path.iterdir()) == [path]


def test_integers_give_the_store_of_the_same_floats(tmp_path):
    x = np.arange(1, 28).reshape(9, 3)
    assert len(write(tmp_path / "a.zarr", x, block=4)) == 6
    assert write(tmp_path / "a.zarr", x.astype(np.float64), block=4) == []
    write(tmp_path / "b.zarr", x.astype(np.float64), block=4)
    assert contents(tmp_path / "a.zarr") == contents(tmp_path / "b.zarr")


def described(n, train):
    return xr.Dataset(coords={"is_train": ("sample", np.arange(n) < train)})


OTHER = {
    "settings": {"text": "another activation"},
    "inputs": {"x": inputs(9) + np.eye(9, 3) * 1e-15},
    "precision of the inputs": {"x": inputs(9).astype(np.float32)},
    "order": {"x": inputs(9)[::-1]},
    "block": {"block": 2},
    "second list": {"others": inputs(9)},
    "points": {"points": described(9, 5)},
}


@pytest.mark.parametrize(
    ("change", "state"),
    [(change, "without its root") for change in OTHER]
    + [("settings", "whole"), ("points", "whole"), ("points", "under way")],
)
def test_another_computation_takes_over_nothing(change, state, tmp_path):
    path, mine = tmp_path / "a.zarr", {"x": inputs(9), "block": 4, **OTHER[change]}
    alone = write(tmp_path / "b.zarr", **mine)
    if state == "under way":
        with pytest.raises(KeyboardInterrupt):
            write(path, inputs(9), block=4, blocks=Blocks(before=interrupt_at(4)))
    else:
        write(path, inputs(9), block=4)
    if state == "without its root":
        (path / "zarr.json").unlink()
    assert sorted(write(path, **mine, overwrite=True)) == sorted(alone)
    assert contents(path) == contents(tmp_path / "b.zarr")


def test_memory_does_not_grow_with_the_number_of_points(tmp_path):
    """A task at a time: 6 blocks at first, then 78, of 14 times as many bytes."""
    peaks = []
    for n in (600, 600, 2400):  # the first also imports and caches
        tracemalloc.start()
        write(tmp_path / f"{n}.zarr", inputs(n), block=200, compute=in_order)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        shutil.rmtree(tmp_path / f"{n}.zarr")
    bound = block_bytes(Grid((600, 600), 200, True), np.dtype(float))
    assert max(peaks) < 2 * bound
    assert peaks[2] - peaks[1] < bound  # the tasks themselves; the store grows by 86 MB


@given(rows=st.integers(1, 9), block=st.integers(1, 9))
def test_shapes_that_do_not_agree_are_refused(rows, block):
    with pytest.raises(ValueError, match=r"^x2: found 2 features, expected 3, as x1 has$"):
        grid_between(inputs(rows), inputs(rows, d=2), block)
