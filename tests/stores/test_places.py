"""Places that a store may take, and those that are left exactly as they were."""

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from ntkflow.checkpoints import checkpoints
from ntkflow.stores.building import LOCK_FILE, lock_folder
from ntkflow.stores.places import check_place, resolve_place, store_folder
from ntkflow.stores.zarr import (
    StoreError,
    damaged_stores,
    foreign_stores,
    open_store,
    write_store,
)
from tests.stores.test_grams import NAMES, Blocks, contents, inputs, interrupt_at, write
from tests.stores.test_schema import example
from tests.stores.test_zarr import limiting


class Unread:
    """Inputs that no refusal may read."""

    shape = (6, 3)

    def __len__(self):
        return 6

    def __getitem__(self, rows):
        raise AssertionError("read before the place was checked")


def grams(place):
    write(place, Unread(), block=4, overwrite=True)


def arrays(place):
    write_store(limiting(), place, "limiting")


def training(place):
    with checkpoints(place, "fingerprint", 0, print):
        raise AssertionError("trained before the place was checked")


WRITERS = [grams, arrays]


def snapshot(folder):
    """Kind, mode, time, and bytes or target of all in a folder, and of itself; links unfollowed."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.lstat()
        content = None
        if stat.S_ISLNK(status.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        found[str(path)] = (status.st_ino, status.st_mode, status.st_mtime_ns, content)
    return found


def check_refused(writer, place, tree, message):
    """One error, and nothing in the tree is other than before."""
    before = snapshot(tree)
    with pytest.raises(StoreError, match=message) as error:
        writer(place)
    assert "\n" not in str(error.value)
    assert snapshot(tree) == before


# What is there already


def notes(path):
    path.mkdir(parents=True)
    (path / "notes.txt").write_text("of somebody")
    (path / "deep").mkdir()
    (path / "deep" / "thesis.tex").write_bytes(b"\\end")
    return r"found '(notes\.txt|deep)', which ntkflow did not write, expected an ntkflow store of k"


def a_file(path):
    path.write_text("of somebody")
    return "found a file, expected an ntkflow store of kind 'limiting' or nothing; move it or choo"


def in_a_file(path):
    path.parent.rmdir()
    path.parent.write_text("of somebody")
    return rf"cannot hold a store \({path.parent} is a file\); choose another place"


def another_zarr(version):
    def make(path):
        limiting().to_zarr(path, zarr_format=version, consolidated=version == 2)
        return r"found '(\.z\w+|zarr\.json|nngp|ntk|is_train|angle)', which ntkflow did not write"

    return make


def root_of_another_zarr(path):
    """With the arrays of a store."""
    arrays(path)
    zarr.open_group(path, mode="r+").attrs.put({"title": "of somebody"})
    return "which ntkflow did not write"


def rootless_zarr(path):
    another_zarr(3)(path)
    (path / "zarr.json").unlink()
    return "which ntkflow did not write"


def copied_with_xarray(path):
    """A user's changed numbers, with the attributes that xarray took from our store."""
    arrays(path.with_name("source.zarr"))
    opened = open_store(path.with_name("source.zarr"), "limiting")
    (2 * opened).to_zarr(path, consolidated=True)
    return "which ntkflow did not write"


def another_kind(path):
    write_store(example("dataset"), path, "dataset")
    return "found an ntkflow store of kind 'dataset', expected an ntkflow store of kind 'limiting'"


def another_kind_without_its_root(path):
    another_kind(path)
    (path / "zarr.json").unlink()
    return "found an ntkflow store of kind 'dataset', expected an ntkflow store of kind 'limiting'"


def with_notes(place):
    def make(path):
        arrays(path)
        (path / place).write_text("of somebody")
        return f"found '{place}', which ntkflow did not write"

    return make


def without_its_root(make):
    def unrooted(path):
        message = make(path)
        (path / "zarr.json").unlink()
        return message

    return unrooted


def with_an_array(name, attributes=True):
    """xarray gives the root the attributes of what is added."""

    def make(path):
        arrays(path)
        root = xr.open_zarr(path).attrs if attributes else {}
        added = xr.Dataset({name: ("mine", np.arange(3.0))}, attrs=root)
        added.to_zarr(path, mode="a", consolidated=True)
        found = rf"{name}(/zarr\.json)?" if attributes else r"zarr\.json"
        return f"found '{found}', which ntkflow did not write"

    return make


def with_a_link(path):
    arrays(path)
    notes(path.with_name("linked"))
    (path / "ntk" / "zarr.json").rename(path.with_name("metadata"))
    (path / "ntk" / "zarr.json").symlink_to(path.with_name("metadata"))
    return r"found 'ntk/zarr\.json', which ntkflow did not write"


def with_an_array_that_is_a_link(path):
    arrays(path)
    (path / "ntk").rename(path.with_name("moved"))
    (path / "ntk").symlink_to(path.with_name("moved"))
    return "found 'ntk', which ntkflow did not write"


def only_a_broken_root(path):
    path.mkdir()
    (path / "zarr.json").write_text('{"zarr_format": 3,')
    return r"found 'zarr\.json', which ntkflow did not write"


def root_that_is_a_folder(path):
    arrays(path)
    (path / "zarr.json").unlink()
    (path / "zarr.json").mkdir()
    return r"found 'zarr\.json', which ntkflow did not write"


def partial_without_a_lock(path):
    path.with_name(f".{path.name}.partial").mkdir()
    (path.with_name(f".{path.name}.partial") / "notes.txt").touch()
    return r"^\S+/\.a\.zarr\.partial: found 'notes\.txt', which ntkflow did not write, expected noth"


def partial_that_is_a_file(path):
    path.with_name(f".{path.name}.partial").touch()
    return r"^\S+/\.a\.zarr\.partial: cannot be created or written \(Not a directory\)"


def partial_that_is_a_link(path):
    notes(path.with_name("linked"))
    path.with_name(f".{path.name}.partial").symlink_to("linked")
    return r"^\S+/\.a\.zarr\.partial: found a symbolic link, which ntkflow did not write"


def link_to_notes(path):
    path.symlink_to("linked")
    return notes(path.with_name("linked")).replace("found", r"^\S+/linked: found", 1)


def link_to_a_file(path):
    path.symlink_to("linked")
    return a_file(path.with_name("linked"))


def link_loop(path):
    path.symlink_to("b")
    path.with_name("b").symlink_to(path.name)
    return r"cannot hold a store \(Too many levels of symbolic links\); choose another place"


def long_name(path):
    path.with_name("x" * 246).mkdir()
    path.symlink_to("x" * 246)
    return r"cannot hold a store \(File name too long\)"


TAKEN = [
    notes,
    a_file,
    in_a_file,
    another_zarr(2),
    another_zarr(3),
    root_of_another_zarr,
    rootless_zarr,
    copied_with_xarray,
    another_kind,
    another_kind_without_its_root,
    with_notes("notes.txt"),
    with_notes("ntk/notes.txt"),
    with_notes("ntk/c/notes.txt"),
    with_notes("ntk/c/0/notes.txt"),
    without_its_root(with_notes("notes.txt")),
    with_an_array("notes"),
    with_an_array("notes", attributes=False),
    with_an_array("label"),  # a name that stores of this kind may have
    without_its_root(with_an_array("notes")),
    with_a_link,
    with_an_array_that_is_a_link,
    only_a_broken_root,
    root_that_is_a_folder,
    partial_without_a_lock,
    partial_that_is_a_file,
    partial_that_is_a_link,
    link_to_notes,
    link_to_a_file,
    link_loop,
    long_name,
]


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("make", TAKEN)
def test_what_is_no_store_of_this_kind_is_left_as_it_is(make, writer, tmp_path):
    path = tmp_path / "deep" / "a.zarr"
    path.parent.mkdir()
    check_refused(writer, path, tmp_path, make(path))


@pytest.mark.parametrize("make", [notes, a_file, another_zarr(3), with_notes("notes.txt")])
def test_training_is_not_begun_where_its_store_cannot_be(make, tmp_path):
    message = make(tmp_path / "a.zarr").replace(" of kind 'limiting'", "").removesuffix(" of k")
    check_refused(training, tmp_path / "a.zarr", tmp_path, message)


def test_checkpoints_are_kept_only_in_a_folder_of_their_own(tmp_path):
    (tmp_path / ".a.zarr.training").mkdir()
    (tmp_path / ".a.zarr.training" / "notes.txt").touch()
    check_refused(training, tmp_path / "a.zarr", tmp_path, "found 'notes.txt', which ntkflow did")


RESERVED = "found the home folder, the current folder or a parent of one, expected a folder for the"


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("place", [".", "..", "./", "zarr.json", "~", "link", "/", "../here/."])
def test_current_folder_and_home_are_refused(place, writer, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    (here / "link").symlink_to(tmp_path)
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    check_refused(writer, place, tmp_path, RESERVED)


@pytest.mark.parametrize("writer", [*WRITERS, lambda place: open_store(place, "limiting")])
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("s3://bucket/k.zarr", "found a URL with the scheme 's3', expected a folder of this mach"),
        ("gs://bucket/k.zarr", "'gs'"),
        ("https://example.org/k.zarr/zarr.json", "'https'"),
        ("memory://k.zarr", "'memory'"),
        ("file:///tmp/k.zarr", "'file'"),
        ("simplecache::s3://bucket/k.zarr", "'s3'"),
        (Path("s3://bucket/k.zarr"), "'s3'"),
        ("~nobody-of-this-name/k.zarr", "found no home folder of this user, expected one; pass an"),
        ("", "^store: found '', expected the path of a folder; name one"),
        ("a\0b", r"^store: found 'a\\x00b', expected the path of a folder"),
        ("a\ud800", r"^store: found 'a\\ud800', expected the path of a folder"),
        (b"a.zarr", "^store: found an argument of type bytes, expected the path of a folder; pass"),
        (3, "type int"),
        (None, "type NoneType"),
        (["a.zarr"], "type list"),
    ],
)
def test_what_is_no_path_is_refused_by_name(place, message, writer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_refused(writer, place, tmp_path, message)


@pytest.mark.parametrize("writer", WRITERS)
def test_mount_point_is_refused(writer, tmp_path, monkeypatch):
    (tmp_path / "a.zarr").mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda path: path == tmp_path / "a.zarr")
    check_refused(writer, tmp_path / "a.zarr", tmp_path, "found a mount point, expected an ntkflo")


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("place", ["a.zarr", "deep/er/a.zarr"])
def test_folder_that_cannot_be_written_is_named(place, writer, tmp_path, monkeypatch):
    """As any user but root sees it."""
    monkeypatch.setattr(os, "access", lambda folder, mode: False)
    message = rf"^{tmp_path / place}: cannot hold a store \(Permission denied\); choose another"
    check_refused(writer, tmp_path / place, tmp_path, message)


@pytest.mark.parametrize("depth", [1, 3])
def test_folder_that_cannot_be_created_is_named_and_leaves_nothing(depth, tmp_path, monkeypatch):
    """Where permissions do not show in advance, as over NFS."""
    folder = Path(tmp_path, *"bcd"[:depth], ".a.zarr.partial")
    make = os.mkdir

    def refuse(path, mode=0o777, **options):
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        make(path, mode, **options)

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(StoreError, match=rf"^{folder}: cannot be created .* \(Permission denied\)"):
        write(folder.parent / "a.zarr", inputs(5), block=4)
    assert list(tmp_path.iterdir()) == []


def test_an_error_removes_the_folders_that_were_made_for_it(tmp_path):
    def fail(done):
        raise ArithmeticError("no kernel")

    broken = limiting(6, 2)
    broken["ntk"] = broken["ntk"].copy(data=broken["ntk"].data.map_blocks(fail, dtype=float))
    (tmp_path / "b").mkdir()
    with pytest.raises(ArithmeticError):
        write_store(broken, tmp_path / "b" / "c" / "d" / "a.zarr", "limiting")
    assert snapshot(tmp_path).keys() == {str(tmp_path), str(tmp_path / "b")}


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


def test_every_array_carries_its_kind(tmp_path):
    arrays(tmp_path / "a.zarr")
    write(tmp_path / "b.zarr", inputs(6), block=4)
    files = [*tmp_path.glob("*/*/zarr.json")]
    assert {file.parent.name for file in files} >= {*NAMES, "is_train"}
    for file in files:
        assert json.loads(file.read_bytes())["attributes"]["store"] == "limiting"
