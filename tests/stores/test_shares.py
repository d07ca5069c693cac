"""Shares of one store, each of some of its blocks, and the run that finishes it."""

import shutil
import signal
import time
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.stores import building
from ntkflow.stores.grid import grid_between
from ntkflow.stores.places import StoreError
from tests.stores.runs import Run, check_completed, die_before_operation, kept, whole_blocks
from tests.stores.test_checked import flip
from tests.stores.test_grams import (
    Blocks,
    contents,
    identities,
    in_order,
    inputs,
    interrupt_at,
    under_way,
    write,
)

X = inputs(16)
GRID = grid_between(X, None, 4)  # 10 blocks


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Bytes of the store of one run."""
    path = tmp_path_factory.mktemp("whole") / "a.zarr"
    write(path, X, block=4)
    return contents(path)


@settings(max_examples=15)
@given(
    rows=st.integers(1, 14),
    columns=st.none() | st.integers(1, 14),
    shares=st.integers(1, 12),
    order=st.randoms(use_true_random=False),
)
def test_any_number_of_shares_gives_the_bytes_of_one_run(
    rows, columns, shares, order, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("shares")
    x, others = inputs(rows), None if columns is None else inputs(columns, seed=1)
    alone = write(folder / "a.zarr", x, others, block=4)
    numbers = [*range(shares)]
    order.shuffle(numbers)
    each = [write(folder / "b.zarr", x, others, block=4, share=(i, shares)) for i in numbers]
    assert sorted(shape for shapes in each for shape in shapes) == sorted(alone)
    assert write(folder / "b.zarr", x, others, block=4) == []
    assert contents(folder / "b.zarr") == contents(folder / "a.zarr")
    assert sorted(folder.iterdir()) == [folder / "a.zarr", folder / "b.zarr"]


def test_a_share_of_a_finished_store_changes_nothing(tmp_path, whole):
    path = tmp_path / "a.zarr"
    write(path, X, block=4)
    before = identities(path)
    assert write(path, X, block=4, share=(1, 3)) == []
    assert identities(path) == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_store_finished_between_two_looks_of_a_share_costs_no_block(tmp_path, whole, monkeypatch):
    path, lock_folder = tmp_path / "a.zarr", building.lock_folder

    def late(*arguments, **options):
        monkeypatch.undo()
        write(path, X, block=4)
        return lock_folder(*arguments, **options)

    monkeypatch.setattr(building, "lock_folder", late)
    assert write(path, X, block=4, share=(0, 2)) == []
    assert write(path, X, block=4) == []
    assert contents(path) == whole
    assert list(tmp_path.iterdir()) == [path]


def test_another_number_of_shares_half_way_computes_nothing_twice(tmp_path, whole):
    path = tmp_path / "a.zarr"
    done = write(path, X, block=4, share=(0, 3))
    with pytest.raises(KeyboardInterrupt):
        write(
            path,
            X,
            block=4,
            blocks=Blocks(before=interrupt_at(1)),
            compute=in_order,
            share=(1, 3),
        )
    done += [(4, 4)]
    before = identities(under_way(tmp_path))
    for share in (0, 1):
        done += write(path, X, block=4, share=(share, 2))
    assert len(done) == 10
    assert before.items() <= identities(under_way(tmp_path)).items()
    assert write(path, X, block=4) == []
    assert before.items() <= identities(path).items()
    assert contents(path) == whole


def test_a_share_of_other_settings_is_not_taken_over(tmp_path):
    path = tmp_path / "a.zarr"
    write(path, X, block=4, share=(0, 2), text="old")
    write(path, X, block=4, share=(1, 2), text="new")
    assert len(write(path, X, block=4, text="new")) == 5
    write(tmp_path / "b.zarr", X, block=4, text="new")
    assert contents(path) == contents(tmp_path / "b.zarr")
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "b.zarr"]


def test_a_share_leaves_a_store_of_other_settings_in_its_place(tmp_path, whole):
    path = tmp_path / "a.zarr"
    write(path, X, block=4, text="old")
    before = contents(path)
    write(path, X, block=4, share=(0, 2))
    assert contents(path) == before
    with pytest.raises(StoreError, match="holds a finished store of other inputs"):
        write(path, X, block=4)
    assert len(write(path, X, block=4, overwrite=True)) == 5
    assert contents(path) == whole


def test_shares_take_over_the_intact_chunks_of_a_damaged_store(tmp_path, whole):
    path = tmp_path / "a.zarr"
    write(path, X, block=4)
    (path / "zarr.json").unlink()  # as Snakemake does
    (path / "ntk" / "c" / "0" / "0").unlink()
    flip(path / "nngp" / "c" / "1" / "1")
    computed = [write(path, X, block=4, share=(share, 3)) for share in range(3)]
    assert sum(map(len, computed)) == 2
    assert write(path, X, block=4) == []
    assert contents(path) == whole


# Killed, and several at once


def killed_at(path, number, share):
    """Compute a share or finish, and die before the operation of this number on the files."""
    die_before_operation(number)
    write(path, X, block=4, share=share, overwrite=True)


@pytest.mark.parametrize(
    "step", [11, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "every"]
)
def test_a_share_killed_before_any_operation_on_files_is_retried_alone(step, tmp_path, whole):
    """Only the blocks that it had not finished are computed again, whoever computes them."""
    for number in count(1, step):
        folder = tmp_path / str(number)
        path = folder / "a.zarr"
        write(path, X, block=4, share=(0, 3))
        status = Run(killed_at, path, number, (1, 3)).ended()
        before = kept(folder, whole)
        computed = write(path, X, block=4, share=(1, 3)) if number % 2 else []
        computed += write(path, X, block=4)
        check_completed(path, before, whole, len(computed), GRID)
        assert list(folder.iterdir()) == [path]
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert number > 25


def another(path):
    """A store of other inputs is there."""
    write(path, inputs(5), block=4)


def damaged(path):
    """The store has lost its root and a chunk of each third of the blocks."""
    write(path, X, block=4)
    (path / "zarr.json").unlink()
    for chunk in ("0/0", "0/1", "0/2"):
        (path / "ntk" / "c" / chunk).unlink()


@pytest.mark.parametrize("state", [another, damaged])
@pytest.mark.parametrize(
    "step", [41, pytest.param(4, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_the_run_that_finishes_shares_is_killed_before_any_operation(state, step, tmp_path, whole):
    state(tmp_path / "before" / "a.zarr")
    for share in (0, 1):
        write(tmp_path / "before" / "a.zarr", X, block=4, share=(share, 3))
    for number in count(1 if state is another else 3, step):
        folder = tmp_path / str(number)
        path = folder / "a.zarr"
        shutil.copytree(tmp_path / "before", folder)
        status = Run(killed_at, path, number, None).ended()
        before = kept(folder, whole)
        computed = write(path, X, block=4, share=(2, 3))
        computed += write(path, X, block=4, overwrite=True)
        assert len(computed) == 10 - len(whole_blocks(before, GRID))
        assert contents(path) == whole
        assert list(folder.iterdir()) == [path]
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert number > 50


def waiting(path, gate, share):
    """A share or a run that waits at its second block until a file is there."""

    def wait(done):
        if done == 1:
            gate.with_name(f"{gate.name}.{share}").touch()
            while not gate.exists():
                time.sleep(0.001)

    write(path, X, block=4, blocks=Blocks(before=wait), share=share)


def test_shares_at_work_hold_the_store_against_runs_but_not_against_shares(tmp_path, whole):
    path, gate = tmp_path / "run" / "a.zarr", tmp_path / "gate"
    runs = [Run(waiting, path, gate, share) for share in ((0, 3), (1, 3), (1, 3))]
    runs[0].until(lambda: len([*tmp_path.glob("gate.*")]) == 2)
    assert write(path, X, block=4, share=(2, 3))
    with pytest.raises(StoreError, match=r"another run is writing this store; wait for it or sto"):
        write(path, X, block=4)
    gate.touch()
    assert [run.ended() for run in runs] == [0, 0, 0]
    assert write(path, X, block=4) == []
    assert contents(path) == whole
    assert list(path.parent.iterdir()) == [path]


def test_a_run_at_work_holds_the_store_against_shares(tmp_path, whole):
    path, gate = tmp_path / "run" / "a.zarr", tmp_path / "gate"
    run = Run(waiting, path, gate, None)
    run.until(gate.with_name("gate.None").exists)
    with pytest.raises(StoreError, match=r"another run is writing this store; wait for it or sto"):
        write(path, X, block=4, share=(0, 2))
    gate.touch()
    assert run.ended() == 0
    assert contents(path) == whole


def share_of(path, share):
    write(path, X, block=4, share=share)


@pytest.mark.parametrize("rounds", [2, pytest.param(6, marks=pytest.mark.slow)])
def test_shares_started_together_stage_the_inputs_once(rounds, tmp_path, whole):
    for number in range(rounds):
        path = tmp_path / str(number) / "a.zarr"
        runs = [Run(share_of, path, (share, 3)) for share in (0, 1, 2, 0)]
        assert [(run.ended(), run.refusal) for run in runs] == [(0, "")] * 4
        (folder,) = path.parent.glob(".a.zarr.partial/*/")
        assert sorted(entry.name for entry in folder.iterdir()) == ["inputs-0", "store"]
        assert write(path, X, block=4) == []
        assert contents(path) == whole
