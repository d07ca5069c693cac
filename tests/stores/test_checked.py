"""Chunks with checksums: damaged ones are named, and computed again."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.stores.checked import CheckedStore
from ntkflow.stores.integrity import chunk_files, is_intact, sealed_arrays
from ntkflow.stores.places import StoreError
from ntkflow.stores.zarr import SEAL, open_store, write_store
from tests.stores.test_grams import (
    NAMES,
    Blocks,
    contents,
    identities,
    in_order,
    inputs,
    interrupt_at,
    under_way,
    write,
)
from tests.stores.test_zarr import limiting


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 16
    file.write_bytes(bytes(content))


def truncate(file):
    file.write_bytes(file.read_bytes()[:-9])


def empty(file):
    file.write_bytes(b"")


DAMAGES = [flip, truncate, empty, Path.unlink]


@settings(max_examples=12)
@given(damages=st.dictionaries(st.integers(0, 17), st.sampled_from(DAMAGES), max_size=4))
def test_whole_chunks_are_adopted_and_damaged_ones_are_not(damages, tmp_path_factory):
    """Without its root, as Snakemake leaves a store before it runs the job again."""
    folder = tmp_path_factory.mktemp("damaged")
    path, x = folder / "a.zarr", inputs(12)
    write(path, x, block=4)
    whole, places = contents(path), sorted(identities(path))
    (path / "zarr.json").unlink()
    for index, damage in damages.items():
        damage(path / places[index])
    kept = {place: identities(path).get(place) for place in places}
    hit = {tuple(sorted(places[index].split("/")[2:])) for index in damages}
    assert len(write(path, x, block=4)) == len(hit)
    assert contents(path) == whole
    unhurt = {p: kept[p] for p in places if tuple(sorted(p.split("/")[2:])) not in hit}
    assert unhurt.items() <= identities(path).items()
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize("damage", DAMAGES)
def test_chunk_named_by_an_error_is_deleted_and_computed_again(damage, tmp_path):
    path, x = tmp_path / "a.zarr", inputs(12)
    write(path, x, block=4)
    whole, before = contents(path), identities(path)
    chunk = path / "ntk" / "c" / "2" / "1"
    opened = open_store(path, "limiting")
    damage(chunk)
    if chunk.exists():
        with pytest.raises(StoreError, match=rf"^{chunk}: damaged, .* delete this file and run ag"):
            opened["ntk"].load()
        opened["nngp"].load()
        chunk.unlink()
    with pytest.raises(StoreError, match=r"a\.zarr: holds .*, was written with .*run .* again"):
        open_store(path, "limiting")
    assert write(path, x, block=4) == [(4, 4)]
    assert contents(path) == whole
    changed = {place for place, found in identities(path).items() if found != before[place]}
    assert changed == {f"{name}/c/{place}" for name in NAMES for place in ("1/2", "2/1")}


def test_chunk_of_the_wrong_size_in_an_unfinished_store_is_computed_again(tmp_path):
    """A file system that lost power may keep a file and lose its bytes."""
    path, x = tmp_path / "a.zarr", inputs(10)
    write(tmp_path / "b.zarr", x, block=4)
    with pytest.raises(KeyboardInterrupt):
        write(path, x, block=4, blocks=Blocks(before=interrupt_at(5)), compute=in_order)
    chunk = next(under_way(tmp_path).glob("ntk/c/*/*"))
    empty(chunk)
    assert len(write(path, x, block=4)) == 2
    assert contents(path) == contents(tmp_path / "b.zarr")


def stored(path, compressors=(SEAL,), shape=(5, 7), chunks=(2, 3), name="gram"):
    """An array in a store, and its values."""
    values = np.random.default_rng(0).normal(size=shape)
    array = zarr.create_array(
        path, name=name, shape=shape, chunks=chunks, dtype=float, compressors=compressors
    )
    array[...] = values
    return values


def damaged_chunks(array):
    """Files of chunks that are missing, or not as they were written."""
    return [file for file in chunk_files(array) if not is_intact(file)]


def read(path, name="gram"):
    return zarr.open_group(CheckedStore(path), mode="r")[name][...]


@settings(max_examples=20)
@given(data=st.data(), compressed=st.booleans())
def test_any_flipped_bit_is_noticed_and_its_file_named(data, compressed, tmp_path_factory):
    path = tmp_path_factory.mktemp("bits")
    codecs = (zarr.codecs.ZstdCodec(level=3), SEAL) if compressed else (SEAL,)
    values = stored(path, codecs)
    np.testing.assert_array_equal(read(path), values)
    files = list(chunk_files(path / "gram"))
    assert len(files) == 9
    assert damaged_chunks(path / "gram") == []
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(bytes(content))
    with pytest.raises(StoreError, match=rf"^{file}: damaged"):
        read(path)
    assert damaged_chunks(path / "gram") == [file]


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 51])
def test_any_truncation_is_noticed(length, tmp_path):
    stored(tmp_path)
    file = tmp_path / "gram" / "c" / "1" / "2"
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(StoreError, match=rf"^{file}: damaged"):
        read(tmp_path)
    assert damaged_chunks(tmp_path / "gram") == [file]


def test_array_of_no_dimensions_is_checked(tmp_path):
    values = stored(tmp_path, shape=(), chunks=())
    np.testing.assert_array_equal(read(tmp_path), values)
    (file,) = chunk_files(tmp_path / "gram")
    assert file.is_file()
    flip(file)
    with pytest.raises(StoreError, match=rf"^{file}: damaged"):
        read(tmp_path)


def test_array_without_checksums_is_read_as_it_is(tmp_path):
    values = stored(tmp_path, (zarr.codecs.ZstdCodec(level=3),))
    assert sealed_arrays(tmp_path) == set()
    np.testing.assert_array_equal(read(tmp_path), values)


def test_some_rows_are_read_and_other_chunks_are_not(tmp_path):
    write(tmp_path / "a.zarr", inputs(9), block=3)
    flip(tmp_path / "a.zarr" / "ntk" / "c" / "2" / "2")
    opened = open_store(tmp_path / "a.zarr", "limiting")
    assert opened["ntk"][:6].values.shape == (6, 9)
    with pytest.raises(StoreError, match="damaged"):
        opened["ntk"][6:].load()


def test_plain_xarray_refuses_a_damaged_chunk(tmp_path):
    write(tmp_path / "a.zarr", inputs(9), block=3)
    flip(tmp_path / "a.zarr" / "ntk" / "c" / "2" / "2")
    with xr.open_zarr(tmp_path / "a.zarr") as opened, pytest.raises(ValueError, match="checksum"):
        opened["ntk"].load()


# Stores that are replaced while they are open


def replaced(path):
    """By one of as many files and bytes."""
    write(path, inputs(9, seed=1), block=3, overwrite=True)


def rewritten(path):
    write_store(limiting(9), path, "limiting")


def removed(path):
    shutil.rmtree(path)


def without_its_root(path):
    (path / "zarr.json").unlink()


@pytest.mark.parametrize("change", [replaced, rewritten, removed, without_its_root])
@pytest.mark.parametrize("chunks", [None, 3])
def test_what_is_replaced_while_it_is_open_is_not_read(change, chunks, tmp_path):
    path = tmp_path / "a.zarr"
    write(path, inputs(9), block=3)
    opened = open_store(path, "limiting")
    opened = opened if chunks is None else opened.chunk(chunks)
    read = opened["nngp"][:3].copy().load()
    expected = read.values.copy()
    change(path)
    np.testing.assert_array_equal(read, expected)
    done = "replaced" if change in (replaced, rewritten) else "removed"
    message = rf"^{path}: was {done} since it was opened; open it again$"
    for name in NAMES:
        with pytest.raises(StoreError, match=message):
            opened[name][3:].load()


def test_touched_or_copied_roots_are_the_same(tmp_path):
    """Snakemake touches files; so does a copy from a backup, which has another inode."""
    path = tmp_path / "a.zarr"
    write(path, inputs(9), block=3)
    opened = open_store(path, "limiting")
    os.utime(path / "zarr.json", (0, 0))
    opened["ntk"][:3].load()
    shutil.copy(path / "zarr.json", tmp_path / "copy")
    (tmp_path / "copy").rename(path / "zarr.json")
    opened["ntk"].load()


def test_a_store_that_is_finished_stays_readable_when_it_is_asked_for_again(tmp_path):
    path = tmp_path / "a.zarr"
    write(path, inputs(9), block=3)
    opened = open_store(path, "limiting")
    assert write(path, inputs(9), block=3) == []
    opened.load()
