"""Stores under way: interrupted, damaged, starved of disk, and doubled."""

import errno
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import zarr

from ntkflow.stores import blocks, building, grams
from ntkflow.stores.building import clear, lock_folder
from ntkflow.stores.grams import Recipe, write_grams
from ntkflow.stores.grid import grid_between
from ntkflow.stores.places import StoreError
from ntkflow.stores.zarr import open_store
from tests.stores.runs import whole_blocks
from tests.stores.test_grams import (
    Blocks,
    contents,
    described,
    directed,
    identities,
    in_order,
    inputs,
    interrupt_at,
    threads,
    under_way,
    write,
)


def test_only_missing_blocks_are_computed_after_an_interruption(tmp_path):
    path, x = tmp_path / "a.zarr", inputs(20)
    write(tmp_path / "b.zarr", x, block=4)
    done = 0
    for count in (0, 1, 3, 5):
        with pytest.raises(KeyboardInterrupt):
            write(path, x, block=4, blocks=Blocks(before=interrupt_at(count)), compute=in_order)
        done += count
        kept = identities(under_way(tmp_path))
        assert len(kept) >= 2 * done
    assert len(write(path, x, block=4)) == 15 - done
    assert kept.items() <= identities(path).items()
    assert contents(path) == contents(tmp_path / "b.zarr")
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "b.zarr"]


def test_what_an_interrupted_writing_leaves_is_swept_up(tmp_path):
    path, x = tmp_path / "a.zarr", inputs(10)
    write(tmp_path / "b.zarr", x, block=4)
    with pytest.raises(KeyboardInterrupt):
        write(path, x, block=4, blocks=Blocks(before=interrupt_at(5)))
    (under_way(tmp_path) / "ntk" / "c" / "0" / "0.0123456789abcdef.partial").write_bytes(b"half")
    (under_way(tmp_path) / "zarr.0123456789abcdef.partial").write_bytes(b"half")
    write(path, x, block=4)
    assert contents(path) == contents(tmp_path / "b.zarr")


@pytest.mark.parametrize("count", [0, 1, 7, 17])
def test_full_disk_is_one_error_and_keeps_what_is_done(count, tmp_path, monkeypatch):
    path, x = tmp_path / "a.zarr", inputs(12)
    write(tmp_path / "b.zarr", x, block=4)
    written, put = [], zarr.Array.__setitem__

    def starved(array, place, values):
        if len(array.shape) == 2 and len(written) == count:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.extend([place] * (len(array.shape) == 2))
        put(array, place, values)

    with monkeypatch.context() as patch:
        patch.setattr(zarr.Array, "__setitem__", starved)
        with pytest.raises(
            StoreError, match=rf"^{path}: no space left on the disk .*; free some a"
        ):
            write(path, x, block=4, compute=in_order)
    kept = identities(under_way(tmp_path))
    assert len(kept) == count
    whole = whole_blocks(kept, grid_between(x, None, 4))
    assert len(write(path, x, block=4)) == 6 - len(whole)
    assert all(identities(path)[place] == kept[place] for places in whole for place in places)
    assert contents(path) == contents(tmp_path / "b.zarr")


def test_disk_that_will_be_full_is_refused_before_anything_is_computed(tmp_path, monkeypatch):
    path, x = tmp_path / "a.zarr", inputs(12)
    computed, needed = Blocks(), 2 * 9 * (4 * 4 * 8 + 4)
    for free in (0, needed - 1):
        with monkeypatch.context() as patch:
            patch.setattr(
                blocks.shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free)
            )
            with pytest.raises(
                StoreError, match=rf"{needed:,} bytes are needed and {free:,} are fr"
            ):
                write(path, x, block=4, blocks=computed)
    assert computed.shapes == []
    monkeypatch.setattr(blocks.shutil, "disk_usage", lambda _: SimpleNamespace(free=needed))
    assert len(write(path, x, block=4, blocks=computed)) == 6
    open_store(path, "limiting").load()


def test_full_disk_while_inputs_are_laid_out_leaves_nothing(tmp_path):
    def starved(part):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    x = inputs(12)
    recipe = Recipe(starved, lambda *_: (Blocks(), {}), "", np.dtype(float))
    grid = grid_between(x, None, 4)
    with pytest.raises(StoreError, match=r"a\.zarr: no space left on the disk \(Disk quota exc"):
        write_grams(
            described(12, 12), x, None, tmp_path / "a.zarr", recipe, grid=grid, compute=threads
        )
    assert list(tmp_path.iterdir()) == []


def test_error_of_a_block_is_not_hidden_and_keeps_what_is_done(tmp_path):
    def fail(done):
        if done == 3:
            raise ArithmeticError("no kernel")

    path, x = tmp_path / "a.zarr", inputs(12)
    with pytest.raises(ArithmeticError, match=r"^no kernel$"):
        write(path, x, block=4, blocks=Blocks(before=fail), compute=in_order)
    assert len(write(path, x, block=4)) == 3
    open_store(path, "limiting").load()


def test_error_before_the_first_block_leaves_nothing(tmp_path):
    def plan(norms, features):
        raise ArithmeticError(f"{len(norms)} norms, {features} features")

    x = inputs(12)
    recipe = Recipe(directed, plan, "", np.dtype(float))
    grid = grid_between(x, inputs(5), 4)
    with pytest.raises(ArithmeticError, match=r"^17 norms, 3 features$"):
        write_grams(
            described(12, 12), x, inputs(5), tmp_path / "a", recipe, grid=grid, compute=threads
        )
    with pytest.raises(ValueError, match="sample"):
        write(tmp_path / "a", x, block=4, points=described(11, 3))
    assert list(tmp_path.iterdir()) == []


def test_former_store_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.zarr"
    write(path, inputs(8), block=4)
    whole = contents(path)
    with pytest.raises(KeyboardInterrupt):
        write(path, inputs(9), block=4, blocks=Blocks(before=interrupt_at(2)), overwrite=True)
    assert contents(path) == whole
    write(path, inputs(9), block=4, overwrite=True)
    assert open_store(path, "limiting").sizes["sample"] == 9


def test_what_a_run_left_that_was_killed_at_its_end_is_removed(tmp_path):
    path, x = tmp_path / "a.zarr", inputs(8)
    with pytest.raises(KeyboardInterrupt):
        write(path, x, block=4, blocks=Blocks(before=interrupt_at(2)))
    folder = under_way(tmp_path).parent
    shutil.copytree(folder / "inputs-0", tmp_path / "inputs-0")
    write(path, x, block=4)
    folder.mkdir(parents=True)
    (folder.parent / building.LOCK_FILE).touch()
    (tmp_path / "inputs-0").rename(folder / "inputs-0")
    assert write(path, x, block=4) == []
    assert list(tmp_path.iterdir()) == [path]


def test_what_another_computation_left_stays_until_one_takes_the_place(tmp_path):
    path, x = tmp_path / "a.zarr", inputs(12)
    other = {"text": "b", "compute": in_order, "overwrite": True}
    write(path, x, block=4)
    with pytest.raises(KeyboardInterrupt):
        write(path, x, block=4, blocks=Blocks(before=interrupt_at(4)), **other)
    assert write(path, x, block=4) == []
    before = identities(under_way(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        write(path, x, block=4, blocks=Blocks(before=interrupt_at(1)), **other)
    assert before.items() < identities(under_way(tmp_path)).items()
    write(path, x, block=4, text="c", overwrite=True)
    assert list(tmp_path.iterdir()) == [path]


def test_workers_may_be_in_another_folder(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    def compute_elsewhere(tasks):
        monkeypatch.chdir(tmp_path / "elsewhere")
        in_order(tasks)
        monkeypatch.chdir(tmp_path)

    write("a.zarr", inputs(5), block=4, compute=compute_elsewhere)
    open_store(tmp_path / "a.zarr", "limiting").load()


def test_folder_is_held_by_one_at_a_time(tmp_path):
    path = tmp_path / "deep" / "a"
    folder = building.partial_folder(path)
    with lock_folder(folder):
        for _ in range(2):
            with pytest.raises(StoreError, match=rf"^{folder}: another run is writing this st"):
                with lock_folder(folder):
                    pass
        (folder / "store").mkdir()
        clear(path, folder / "store")
    assert (folder / "store").is_dir()
    clear(path, folder / "store")
    assert list(tmp_path.iterdir()) == [folder.parent]


@pytest.mark.parametrize("other", [{}, {"text": "another activation"}])
def test_second_run_is_refused_and_the_first_goes_on(other, tmp_path):
    path, x, refusals = tmp_path / "a.zarr", inputs(12), []

    def second(done):
        with pytest.raises(StoreError, match=r"another run is writing this store") as refusal:
            write(path, x, block=4, **other)
        refusals.append(refusal)

    write(tmp_path / "b.zarr", x, block=4)
    assert len(write(path, x, block=4, blocks=Blocks(before=second))) == len(refusals) == 6
    assert contents(path) == contents(tmp_path / "b.zarr")
    assert write(path, x, block=4) == []


def test_run_that_waited_for_the_folder_finds_the_store_finished(tmp_path, monkeypatch):
    """The first finishes between the second's look at the store and its lock."""
    path, x = tmp_path / "a.zarr", inputs(12)
    late, looks = Blocks(), []
    is_finished = grams.is_finished

    def look(*arguments):
        if looks:
            return is_finished(*arguments)
        looks.append(arguments)
        found = is_finished(*arguments)
        write(path, x, block=4)
        return found

    monkeypatch.setattr(grams, "is_finished", look)
    assert write(path, x, block=4, blocks=late) == []
    assert list(tmp_path.iterdir()) == [path]
    open_store(path, "limiting").load()


def test_lock_of_a_folder_removed_meanwhile_is_taken_again(tmp_path, monkeypatch):
    folder, opened, open_ = tmp_path / ".a.partial", [], os.open

    def late(path, *arguments, **options):
        if path != folder / building.LOCK_FILE or len(opened) == 3:
            return open_(path, *arguments, **options)
        opened.append(path)
        if len(opened) == 1:  # removed before it is opened
            folder.rmdir()
        descriptor = open_(path, *arguments, **options)
        shutil.rmtree(folder)
        if len(opened) == 3:  # and made anew by a third run
            folder.mkdir()
            path.touch()
        return descriptor

    monkeypatch.setattr(building.os, "open", late)
    with lock_folder(folder):
        assert len(opened) == 3
        with pytest.raises(StoreError, match="another run"), lock_folder(folder):
            pass


def test_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(building.fcntl, "flock", refuse)
    with pytest.raises(StoreError, match=r"cannot be locked .* \(No locks available\); put "):
        write(tmp_path / "a.zarr", inputs(3), block=4)
    assert list(tmp_path.iterdir()) == []


def test_other_errors_of_the_disk_stay_as_they_are(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(grams, "stage", broken)
    with pytest.raises(OSError, match="Input/output error"):
        write(tmp_path / "a.zarr", inputs(3), block=4)
    assert list(tmp_path.iterdir()) == []
