import filecmp
import shutil
import warnings

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.stores import zarr as stores
from ntkflow.stores.planning import damaged_stores
from ntkflow.stores.schema import SCHEMAS, SchemaError
from ntkflow.stores.zarr import (
    StoreError,
    open_store,
    write_store,
)
from tests.stores.test_schema import example


def limiting(points=6, block=None):
    gram = np.random.default_rng(points).normal(size=(points, points))
    if block is not None:
        gram = da.from_array(gram, chunks=block)
    pairs = ("sample", "sample_prime")
    angle = np.linspace(0, 1, points)
    coordinates = {"is_train": ("sample", angle < 0.5), "angle": ("sample", angle)}
    return xr.Dataset({"nngp": (pairs, gram), "ntk": (pairs, 2 * gram)}, coordinates)


def files(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", SCHEMAS)
def test_round_trip_keeps_everything(kind, tmp_path):
    dataset = example(kind)
    write_store(dataset, tmp_path / "a.zarr", kind, {"precision": "float64"})
    opened = open_store(tmp_path / "a.zarr", kind).load()
    for name, array in dataset.variables.items():
        assert (
            opened[name].dims
            == SCHEMAS[kind].variables.get(name, SCHEMAS[kind].coordinates.get(name)).dims
        )
        assert opened[name].dtype.kind in (array.dtype.kind, "O", "T")
        if array.dtype.kind != "U":
            assert opened[name].dtype == array.dtype
        np.testing.assert_array_equal(opened[name].transpose(*array.dims), array)
        assert opened[name].attrs["long_name"]
    assert set(opened.coords) == set(dataset.coords)
    assert opened.attrs["precision"] == "float64"
    assert opened.attrs["store"] == kind


def test_values_that_are_not_numbers_survive(tmp_path):
    dataset = limiting(3)
    dataset["ntk"][0] = [np.nan, np.inf, -np.inf]
    write_store(dataset, tmp_path / "a.zarr", "limiting")
    found = open_store(tmp_path / "a.zarr", "limiting")["ntk"]
    np.testing.assert_array_equal(found, dataset["ntk"])


def test_plain_xarray_opens_a_store_without_warning(tmp_path):
    write_store(limiting(), tmp_path / "a.zarr", "limiting")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xr.open_zarr(tmp_path / "a.zarr")
    assert opened["ntk"].dims == ("sample", "sample_prime")
    assert opened["ntk"].attrs["symbol"] == r"\Theta_\infty^L"
    assert opened["angle"].attrs["units"] == "rad"


@settings(max_examples=15)
@given(points=st.integers(1, 9), block=st.integers(1, 10))
def test_any_block_size_is_written_whole(points, block, tmp_path_factory):
    path = tmp_path_factory.mktemp("blocks") / "a.zarr"
    write_store(limiting(points, block), path, "limiting")
    found = open_store(path, "limiting")
    np.testing.assert_array_equal(found["ntk"], limiting(points)["ntk"])
    array = zarr.open_array(path / "ntk", mode="r")
    assert array.chunks == (min(points, block),) * 2
    # The only checksum, where it costs no decompression to check.
    codecs = [codec.to_dict() for codec in array.compressors]
    assert [codec["name"] for codec in codecs] == ["zstd", "crc32c"]
    assert not codecs[0]["configuration"]["checksum"]


def test_no_dask_is_needed_to_read(tmp_path):
    write_store(limiting(6, 2), tmp_path / "a.zarr", "limiting")
    assert open_store(tmp_path / "a.zarr", "limiting")["ntk"].chunks is None


def test_a_store_is_named_by_its_folder_or_its_root_file(tmp_path):
    write_store(limiting(), tmp_path / "a.zarr" / "zarr.json", "limiting")
    one = open_store(tmp_path / "a.zarr", "limiting")
    two = open_store(str(tmp_path / "a.zarr" / "zarr.json"), "limiting")
    assert one.identical(two)


def test_a_store_is_replaced_whole(tmp_path):
    path = tmp_path / "deep" / "a.zarr"
    for dataset in (limiting(9, 2), limiting(4).drop_vars("angle")):
        write_store(dataset, path, "limiting")
    assert open_store(path, "limiting").sizes["sample"] == 4
    assert not (path / "angle").exists()
    assert [entry.name for entry in path.parent.iterdir()] == ["a.zarr"]


def test_two_writings_are_equal_byte_for_byte(tmp_path):
    for name in ("a.zarr", "b.zarr"):
        write_store(limiting(6, 2), tmp_path / name, "limiting", {"configuration": "{}"})
    one, two = files(tmp_path / "a.zarr"), files(tmp_path / "b.zarr")
    assert one == two
    match = filecmp.cmpfiles(tmp_path / "a.zarr", tmp_path / "b.zarr", one, shallow=False)
    assert match == (one, [], [])


def test_the_root_file_differs_whenever_the_data_do(tmp_path):
    """Snakemake compares this file alone, by its content, to tell whether an input is new."""
    roots = []
    for name, value in (("a", 1.0), ("b", 1.0 + 1e-15)):
        store = limiting(4)
        store["ntk"][0, 1] = value
        write_store(store, tmp_path / name, "limiting")
        roots.append((tmp_path / name / "zarr.json").read_bytes())
    assert roots[0] != roots[1]


@pytest.mark.parametrize("moment", ["to_zarr", "payload", "consolidate_metadata"])
def test_a_writer_that_dies_leaves_the_old_store(moment, tmp_path, monkeypatch):
    path = tmp_path / "a.zarr"
    write_store(limiting(4), path, "limiting")

    def die(*arguments, **options):
        raise KeyboardInterrupt

    owners = {
        "to_zarr": xr.Dataset,
        "payload": stores,
        "consolidate_metadata": stores.zarr,
    }
    with monkeypatch.context() as patch:
        patch.setattr(owners[moment], moment, die)
        with pytest.raises(KeyboardInterrupt):
            write_store(limiting(5), path, "limiting")
    assert open_store(path, "limiting").sizes["sample"] == 4
    assert damaged_stores([path, tmp_path / "none.zarr"]) == []
    # What is left behind is no store, and does not stop the next writer.
    write_store(limiting(5), path, "limiting")
    assert open_store(path, "limiting").sizes["sample"] == 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]


def test_a_block_that_fails_leaves_no_store(tmp_path):
    def fail(block):
        raise ArithmeticError("no kernel")

    lazy = limiting(6, 2)
    broken = lazy.assign(ntk=lazy["ntk"].copy(data=lazy["ntk"].data.map_blocks(fail, dtype=float)))
    with pytest.raises(ArithmeticError, match="no kernel"):
        write_store(broken, tmp_path / "a.zarr", "limiting")
    with pytest.raises(StoreError, match="no Zarr store here"):
        open_store(tmp_path / "a.zarr", "limiting")


def test_a_dataset_that_does_not_fit_is_not_written(tmp_path):
    with pytest.raises(SchemaError, match="limiting store"):
        write_store(example("dataset"), tmp_path / "a.zarr", "limiting")
    assert list(tmp_path.iterdir()) == []


def test_wrong_kind_and_missing_store_are_refused_by_name(tmp_path):
    path = tmp_path / "a.zarr"
    with pytest.raises(StoreError, match=r"a\.zarr: no Zarr store here; run snakemake"):
        open_store(path, "limiting")
    write_store(limiting(), path, "limiting")
    with pytest.raises(StoreError, match=r"a\.zarr: holds 'limiting', expected 'ensemble'; del"):
        open_store(path, "ensemble")
    limiting().to_zarr(tmp_path / "b.zarr", consolidated=False)
    with pytest.raises(StoreError, match=r"b\.zarr: not readable as a store .*; delete it and run"):
        open_store(tmp_path / "b.zarr", "limiting")


def lose_chunk(path):
    next(entry for entry in (path / "ntk" / "c").rglob("*") if entry.is_file()).unlink()


def lose_metadata(path):
    (path / "ntk" / "zarr.json").unlink()


def lose_array(path):
    shutil.rmtree(path / "nngp")


def truncate_chunk(path):
    chunk = next(entry for entry in (path / "ntk" / "c").rglob("*") if entry.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-1])


def truncate_root(path):
    root = path / "zarr.json"
    root.write_bytes(root.read_bytes()[:-20])


def empty_root(path):
    (path / "zarr.json").write_bytes(b"")


def root_of_another_format(path):
    (path / "zarr.json").write_text('{"zarr_format": 3, "node_type": "other"}', encoding="utf-8")


def root_with_a_list(path):
    (path / "zarr.json").write_text("[]", encoding="utf-8")


def binary_root(path):
    (path / "zarr.json").write_bytes(bytes(range(128, 256)))


DAMAGES = [
    lose_chunk,
    lose_metadata,
    lose_array,
    truncate_chunk,
    truncate_root,
    empty_root,
    root_of_another_format,
    root_with_a_list,
    binary_root,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_refused_and_found(damage, tmp_path):
    path = tmp_path / "kernels" / "a.zarr"
    for name in ("a.zarr", "b.zarr"):
        write_store(limiting(6, 3), tmp_path / "kernels" / name, "limiting")
    damage(path)
    with pytest.raises(StoreError, match=r"a\.zarr: .*; delete it and run snakemake again"):
        open_store(path, "limiting")
    assert damaged_stores([path / "zarr.json"]) == [path]


def test_a_changed_byte_is_noticed_when_it_is_read(tmp_path):
    path = tmp_path / "a.zarr"
    write_store(limiting(20), path, "limiting")
    chunk = next(entry for entry in (path / "ntk" / "c").rglob("*") if entry.is_file())
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(bytes(content))
    with pytest.raises(StoreError, match=rf"^{chunk}: damaged, .*; delete this file and run again"):
        open_store(path, "limiting")["ntk"].load()
