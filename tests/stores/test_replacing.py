"""Places that a store may take, and earlier stores that it replaces."""

import os
from pathlib import Path

import pytest
import zarr

from ntkflow.stores.building import LOCK_FILE, lock_folder
from ntkflow.stores.contents import foreign_content
from ntkflow.stores.places import StoreError, check_place, resolve_place, store_folder
from ntkflow.stores.planning import damaged_stores, foreign_stores
from ntkflow.stores.zarr import open_store, write_store
from tests.stores.places import arrays, snapshot
from tests.stores.test_grams import NAMES, Blocks, contents, inputs, interrupt_at, write
from tests.stores.test_places import another_zarr, notes
from tests.stores.test_schema import ALL, example
from tests.stores.test_zarr import limiting

# What may be written


@pytest.mark.parametrize("writer", [lambda p: write(p, inputs(6), block=4), arrays])
def test_links_are_followed_and_stay(writer, tmp_path):
    (tmp_path / "disk").mkdir()
    path = tmp_path / "a.zarr"
    path.symlink_to("disk/k.zarr")
    for _ in range(2):  # to nothing, then to a store
        writer(path)
        assert os.readlink(path) == "disk/k.zarr"
        assert sorted(entry.name for entry in tmp_path.rglob("*.zarr")) == ["a.zarr", "k.zarr"]
        open_store(path, "limiting").load()
    assert [entry.name for entry in (tmp_path / "disk").iterdir()] == ["k.zarr"]
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "disk"]


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    write("~/k.zarr", inputs(6), block=4)
    write_store(limiting(), "~/deep/k.zarr/zarr.json", "limiting")
    for place in ("~/k.zarr", "~/k.zarr/zarr.json", "~/deep/k.zarr"):
        open_store(place, "limiting").load()
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]
    assert resolve_place("~/k.zarr/zarr.json") == tmp_path / "home" / "k.zarr"
    assert store_folder("a/zarr.json") == Path("a")


@pytest.mark.parametrize("writer", [lambda p: write(p, inputs(6), block=4), arrays])
def test_empty_folders_are_taken(writer, tmp_path):
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / ".a.zarr.partial").mkdir()  # a run was killed before it had locked it
    writer(tmp_path / "a.zarr")
    open_store(tmp_path / "a.zarr", "limiting").load()
    assert list(tmp_path.iterdir()) == [tmp_path / "a.zarr"]


def lose(*names):
    def damage(path):
        for name in names:
            (path / name).unlink()

    return damage


def overwrite(name, content):
    def damage(path):
        (path / name).write_bytes(content)

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lose("zarr.json"),
        lose("ntk/zarr.json"),
        lose("zarr.json", "ntk/zarr.json"),
        lose("zarr.json", "ntk/c/0/0", "nngp/c/0/0"),
        overwrite("zarr.json", b""),
        overwrite("zarr.json", b"[]"),
        overwrite("zarr.json", bytes(range(128, 256))),
        overwrite("ntk/zarr.json", b"{"),
        overwrite("ntk/c/0/0", b""),
    ],
)
@pytest.mark.parametrize("writer", [lambda p: write(p, inputs(6), block=4), arrays])
def test_a_damaged_store_is_replaced(damage, writer, tmp_path):
    path = tmp_path / "a.zarr"
    writer(path)
    whole = contents(path)
    damage(path)
    assert foreign_stores([path]) == []
    assert damaged_stores([path]) == [path] * (path / "zarr.json").is_file()
    writer(path)
    assert contents(path) == whole
    assert list(tmp_path.iterdir()) == [path]


def test_files_put_there_meanwhile_stop_a_run_at_its_end(tmp_path):
    path, x = tmp_path / "a.zarr", inputs(6)

    def put(done):
        path.mkdir(exist_ok=True)
        (path / "notes.txt").write_text("of somebody")

    with pytest.raises(StoreError, match=r"a\.zarr: found 'notes\.txt', which ntkflow did not wri"):
        write(path, x, block=4, blocks=Blocks(before=put))
    assert contents(path) == {"notes.txt": b"of somebody"}
    (path / "notes.txt").unlink()
    assert write(path, x, block=4) == []  # nothing is computed again
    open_store(path, "limiting").load()
    assert list(tmp_path.iterdir()) == [path]


# A finished store


def test_another_computation_replaces_a_store_only_when_told(tmp_path):
    path, x = tmp_path / "a.zarr", inputs(9)
    write(path, x, block=4)
    before = snapshot(tmp_path)
    changes = [{"text": "b"}, {"block": 2}, {"others": inputs(9)}]
    for change in changes:
        with pytest.raises(
            StoreError,
            match=r"^\S+/a\.zarr: holds a finished store of other inputs, settings or code, expec"
            r"ted the same ones or nothing; pass overwrite=True to replace it, or choose another",
        ):
            write(path, x, **{"block": 4, **change})
        assert snapshot(tmp_path) == before
    assert write(path, x, block=4, overwrite=True) == []
    assert snapshot(tmp_path) == before
    write(tmp_path / "b.zarr", x, block=2, text="b")
    write(path, x, block=2, text="b", overwrite=True)
    assert contents(path) == contents(tmp_path / "b.zarr")


def test_store_without_its_root_is_replaced_only_by_the_same_computation(tmp_path):
    path, x = tmp_path / "a.zarr", inputs(9)
    write(path, x, block=4)
    whole = contents(path)
    (path / "zarr.json").unlink()
    before = snapshot(tmp_path)
    with pytest.raises(StoreError, match="pass overwrite=True"):
        write(path, x, block=4, text="b")
    assert snapshot(tmp_path) == before
    assert write(path, x, block=4) == []
    assert contents(path) == whole


def test_store_of_another_computation_is_there_again_after_a_kill(tmp_path):
    """The new one was about to take its place."""
    path, x = tmp_path / "a.zarr", inputs(6)
    write(path, x, block=4)
    whole = contents(path)
    with lock_folder(tmp_path / ".a.zarr.partial"):
        path.rename(tmp_path / ".a.zarr.partial" / "former")
    with pytest.raises(StoreError, match="pass overwrite=True"):
        write(path, x, block=4, text="b")
    assert contents(path) == whole
    assert list(tmp_path.iterdir()) == [path]


def test_error_while_a_store_takes_its_place_leaves_the_earlier_one(tmp_path, monkeypatch):
    path, x, rename = tmp_path / "a.zarr", inputs(6), Path.rename
    write(path, x, block=4)
    whole = contents(path)

    def refuse(source, target):
        if source.name == "store" and target == path:
            raise KeyboardInterrupt
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(KeyboardInterrupt):
        write(path, x, block=4, text="b", overwrite=True)
    assert contents(path) == whole
    with pytest.raises(KeyboardInterrupt):
        arrays(path)
    assert contents(path) == whole


def test_second_writer_of_arrays_is_refused(tmp_path):
    with lock_folder(tmp_path / ".a.zarr.partial"):
        with pytest.raises(StoreError, match="another run is writing this store"):
            arrays(tmp_path / "a.zarr")
        assert (tmp_path / ".a.zarr.partial" / LOCK_FILE).is_file()
    assert list(tmp_path.iterdir()) == []


def test_writer_of_arrays_takes_the_place_of_unfinished_kernels(tmp_path):
    path = tmp_path / "a.zarr"
    with pytest.raises(KeyboardInterrupt):
        write(path, inputs(6), block=4, blocks=Blocks(before=interrupt_at(1)))
    arrays(path)
    assert list(tmp_path.iterdir()) == [path]


# What a run asks at its start


def test_foreign_stores_are_reported_and_not_damaged_ones(tmp_path):
    places = [tmp_path / f"{name}.zarr" / "zarr.json" for name in "abcde"]
    arrays(places[0])
    write_store(example("dataset"), places[1], "dataset")
    (places[1].parent / "x" / "zarr.json").unlink()
    another_zarr(3)(places[2].parent)
    notes(places[3].parent)
    before = snapshot(tmp_path)
    one, two = foreign_stores(places)
    assert one.startswith(f"{places[2].parent}: found ")
    assert "which ntkflow did not write, expected an ntkflow store or nothing; move it" in one
    assert two.startswith(f"{places[3].parent}: found ")
    assert damaged_stores(places) == [places[1].parent]
    assert snapshot(tmp_path) == before


def test_the_search_ends_at_the_first_foreign_entry(tmp_path, monkeypatch):
    for number in range(300):
        (tmp_path / str(number) / "deep").mkdir(parents=True)
    read, scan = [], os.scandir

    def watched(folder):
        read.append(folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", watched)
    with pytest.raises(StoreError):
        check_place(tmp_path, "limiting")
    assert {Path(folder) for folder in read} == {tmp_path}


def test_every_array_is_marked_with_the_kind_of_its_store(tmp_path):
    arrays(tmp_path / "a.zarr")
    write(tmp_path / "b.zarr", inputs(6), block=4)
    files = [*tmp_path.glob("*/*/zarr.json")]
    assert {file.parent.name for file in files} >= {*NAMES, "is_train"}
    for file in files:
        assert file.with_name(".ntkflow").read_text() == f"limiting/{file.parent.name}"
    for group in (zarr.open_group(path, use_consolidated=False) for path in tmp_path.iterdir()):
        assert {"nngp", "ntk"} < {name for name, _ in group.members()}  # and no warning


def test_an_array_that_was_renamed_is_the_users(tmp_path):
    path = tmp_path / "a.zarr"
    arrays(path)
    (path / "ntk").rename(path / "mine")
    assert foreign_content(path, "limiting") == "'mine', which ntkflow did not write"


def test_statistics_of_another_measure_take_the_place_of_an_experiment(tmp_path):
    """Its store has the name of the experiment, whatever is measured."""
    for kind in ("kernel_drift", "width_scaling", "kernel_drift"):
        write_store(example(kind), tmp_path / "a.zarr", ALL[kind])
        open_store(tmp_path / "a.zarr", kind)
    with pytest.raises(StoreError, match=r"found an ntkflow store of kind 'kernel_drift', expecte"):
        write_store(example("dataset"), tmp_path / "a.zarr", "dataset")
