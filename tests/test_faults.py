"""Runs that are killed, starved of disk, or doubled, in processes of their own.

Whatever happens to one, the next computes what is missing and nothing else, and leaves the very
bytes that a run without faults leaves.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from ntkflow import api
from ntkflow.stores import blocks
from ntkflow.stores.grid import grid_between
from ntkflow.stores.places import StoreError
from tests.stores.runs import Run, check_completed, die_before_operation, kept
from tests.stores.test_checked import flip
from tests.stores.test_grams import Blocks, contents, inputs, write

# Killed before each operation on the file system


def killed_at(path, number, x):
    """Write a store, and die before the operation of this number on the file system."""
    die_before_operation(number)
    write(path, x, block=4, overwrite=True)


def nothing(path, x):
    """No store is there."""


def another(path, x):
    """A store of other inputs is there."""
    write(path, x[:5], block=4)


def damaged(path, x):
    """The store has lost its root and a chunk, and another is damaged."""
    write(path, x, block=4)
    (path / "zarr.json").unlink()
    (path / "ntk" / "c" / "0" / "0").unlink()
    flip(path / "nngp" / "c" / "1" / "1")


@pytest.mark.parametrize("state", [nothing, another, damaged])
@pytest.mark.parametrize(
    "step", [23, pytest.param(7, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_killed_before_operations_on_files(state, step, tmp_path):
    """From another operation on in each state, so that every operation is met in one."""
    x, folder = inputs(8), tmp_path / "run"
    path, grid = folder / "a.zarr", grid_between(x, None, 4)
    write(tmp_path / "whole.zarr", x, block=4)
    whole = contents(tmp_path / "whole.zarr")
    first = 1 + [nothing, another, damaged].index(state)
    for number in count(first, step):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        state(path, x)
        status = Run(killed_at, path, number, x).ended()
        before = kept(folder, whole)
        check_completed(path, before, whole, len(write(path, x, block=4, overwrite=True)), grid)
        assert list(folder.iterdir()) == [path]
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert number > 60


# Killed at any moment


def plain(path, **options):
    """A run with kernels of plain NumPy; the number of blocks it computes."""
    return len(write(path, inputs(40), block=5, **options))


def limiting(path, progress=lambda line: None, **options):
    """The same with limiting kernels."""
    lines = []
    api.store_limiting_kernels(
        inputs(40),
        store=path,
        depth=3,
        activation="tanh",
        block=5,
        progress=lambda line: (lines.append(line), progress(line)),
        **options,
    )
    return len(lines)


GRID = grid_between(inputs(40), None, 5)
CHUNKS = 128


def without_faults(run, folder):
    """All bytes of the store of a run to which nothing happens."""
    assert run(folder / "whole.zarr") == 36
    return contents(folder / "whole.zarr")


def chunks(folder):
    """How many chunks an unfinished run has written."""
    return len(list(folder.glob(".*/*/store/*/c/*/*")))


@pytest.mark.parametrize(
    ("run", "trials"),
    [
        (plain, 5),
        pytest.param(plain, 12, marks=pytest.mark.slow),
        pytest.param(limiting, 4, marks=pytest.mark.slow),
    ],
)
def test_killed_twice_at_random_moments(run, trials, tmp_path):
    whole, moments, killed = without_faults(run, tmp_path), random.Random(trials), 0
    for trial in range(trials):
        path = tmp_path / str(trial) / "a.zarr"
        for _ in range(2):
            first, number = Run(run, path), moments.randrange(CHUNKS)
            first.until(lambda: chunks(path.parent) >= number)  # noqa: B023
            first.process.kill()
            killed += first.ended() == -signal.SIGKILL
        before = kept(path.parent, whole)
        check_completed(path, before, whole, run(path), GRID)
        assert list(path.parent.iterdir()) == [path]
    assert killed > trials


SCRIPT = """
from pathlib import Path
from tests.test_faults import limiting
if __name__ == "__main__":
    limiting(Path({path!r}), scheduler={{"kind": "local", "workers": 2}})
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 50])
def test_killed_with_processes_at_work_for_it(number, tmp_path):
    whole = without_faults(limiting, tmp_path)
    path, script = tmp_path / "run" / "a.zarr", tmp_path / "run.py"
    script.write_text(SCRIPT.format(path=str(path)), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([sys.executable, script], env=environment) as process:
        while process.poll() is None and chunks(path.parent) < number:
            time.sleep(0.001)
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not psutil.wait_procs(workers, timeout=60)[1]
    before = kept(path.parent, whole)
    check_completed(path, before, whole, limiting(path), GRID)


@pytest.mark.slow
def test_killed_worker_does_not_end_the_run(tmp_path):
    killed = []

    def kill_one(line):
        if not killed:
            here = psutil.Process().children()
            killed.append(next(p for p in here if "spawn_main" in " ".join(p.cmdline())))
            killed[0].kill()

    whole, path = without_faults(limiting, tmp_path), tmp_path / "a.zarr"
    assert limiting(path, kill_one, scheduler={"kind": "local", "workers": 2}) == 36
    assert killed
    assert contents(path) == whole


# Two at once


def waiting(path, gate):
    """A run that waits in the middle, until a file is there."""

    def wait(done):
        if done == 9:
            gate.with_suffix(".reached").touch()
            while not gate.exists():
                time.sleep(0.001)

    plain(path, blocks=Blocks(before=wait))


def test_second_process_is_refused_and_the_first_ends_well(tmp_path):
    path, gate = tmp_path / "a.zarr", tmp_path / "gate"
    first = Run(waiting, path, gate)
    first.until(gate.with_suffix(".reached").exists)
    with pytest.raises(StoreError, match=r"another run is writing this store; wait for it or stop"):
        plain(path)
    gate.touch()
    assert first.ended() == 0
    assert plain(path) == 0
    assert contents(path) == without_faults(plain, tmp_path)


@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_several_started_together_leave_one_whole_store(rounds, tmp_path):
    x = inputs(16)
    write(tmp_path / "whole.zarr", x, block=4)
    for number in range(rounds):
        path = tmp_path / str(number) / "a.zarr"
        path.parent.mkdir()
        runs = [Run(partial(write, block=4), path, x) for _ in range(4)]
        refusals = {run.refusal for run in runs if run.ended()}
        assert all("another run is writing this store" in refusal for refusal in refusals)
        assert 0 in {run.ended() for run in runs}
        assert contents(path) == contents(tmp_path / "whole.zarr")
        assert list(path.parent.iterdir()) == [path]


# A disk that is full


@pytest.fixture
def small_disk(tmp_path):
    """A function that makes a file system of so many KiB, or gives the one there another size."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def resize(size):
        again = "remount," if os.path.ismount(folder) else ""
        options = f"{again}size={size}k"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("only root can mount a small file system to fill")
        return folder

    yield resize
    if os.path.ismount(folder):
        subprocess.run(["umount", "-l", str(folder)], check=True)


def unwarned(path, x):
    """Write a store to a disk that does not tell how little is free."""
    blocks.shutil = SimpleNamespace(
        **{**vars(shutil), "disk_usage": lambda _: SimpleNamespace(free=2**60)}
    )
    write(path, x, block=20)


@pytest.mark.parametrize("step", [40, pytest.param(12, marks=pytest.mark.slow)])
def test_full_disk_is_one_error_and_keeps_what_is_done(step, small_disk, tmp_path):
    """A larger disk each time, until the store fits."""
    x = inputs(100)  # 50 chunks of 3.2 kB, a page each
    write(tmp_path / "whole.zarr", x, block=20)
    whole, grid = contents(tmp_path / "whole.zarr"), grid_between(x, None, 20)
    for size in count(4, step):
        path = small_disk(size) / "a.zarr"
        refusal = Run(unwarned, path, x).refusal
        before = kept(path.parent, whole)
        small_disk(10240)
        check_completed(path, before, whole, len(write(path, x, block=20)), grid)
        assert list(path.parent.iterdir()) == [path]
        shutil.rmtree(path)
        if not refusal:
            break
        assert refusal.startswith(f"{path}: no space left on the disk (No space left on device)")
    assert len(before) == 50
    assert size > 200


def test_disk_that_will_be_full_is_refused_before_anything_is_computed(small_disk):
    x = inputs(100)
    path, computed = small_disk(120) / "a.zarr", Blocks()
    with pytest.raises(StoreError, match=r"disk \(160,200 bytes are needed and .* are free\)"):
        write(path, x, block=20, blocks=computed)
    assert computed.shapes == []
