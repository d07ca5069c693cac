"""Places at which no store is written, left exactly as they were."""

import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from ntkflow.stores.building import LOCK_FILE
from ntkflow.stores.places import StoreError
from ntkflow.stores.zarr import open_store, write_store
from tests.faults.trials import always_and_slow
from tests.stores.places import WRITERS, arrays, check_refused, snapshot, training
from tests.stores.test_grams import inputs, write
from tests.stores.test_schema import example
from tests.stores.test_zarr import limiting

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


def copied_with_plain_xarray(path):
    """xarray copies all attributes."""
    arrays(path.with_name("source.zarr"))
    xr.open_zarr(path.with_name("source.zarr")).to_zarr(path, consolidated=True)
    return "which ntkflow did not write"


def another_kind(path):
    write_store(example("dataset"), path, "dataset")
    return "found an ntkflow store of kind 'dataset', expected an ntkflow store of kind 'limiting'"


def another_kind_without_its_root(path):
    another_kind(path)
    (path / "zarr.json").unlink()
    return "found an ntkflow store of kind 'dataset', expected an ntkflow store of kind 'limiting'"


def in_another_store(path):
    path.parent.rmdir()
    arrays(path.parent)
    return f"found an ntkflow store around it, {path.parent}, expected"


def folder_of_a_store(path):
    """By the name of an array."""
    arrays(path / "ntk")
    return "found 'ntk', which ntkflow did not write"


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
    return r"^\S+/\.a\.zarr\.partial: found 'notes\.txt', which ntkflow did not write, expected n"


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
    copied_with_plain_xarray,
    another_kind,
    another_kind_without_its_root,
    in_another_store,
    folder_of_a_store,
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


CASES = list(product(WRITERS, TAKEN))


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize(("writer", "make"), always_and_slow("a place that is taken", CASES))
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


def test_folder_in_which_no_lock_can_be_created_is_removed(tmp_path, monkeypatch):
    open_ = os.open

    def refuse(path, *arguments, **options):
        if Path(path).name == LOCK_FILE:
            raise OSError(30, "Read-only file system", str(path))
        return open_(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoreError, match=r"cannot be created or written \(Read-only file system\)"):
        arrays(tmp_path / "b" / "a.zarr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("depth", [1, 3])
def test_folder_that_cannot_be_created_is_named_and_leaves_nothing(depth, tmp_path, monkeypatch):
    """Permissions cannot always be seen in advance, for example over NFS."""
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
