"""Runs in processes of their own, which may be killed, and what must be there after the next."""

import multiprocessing
import os
import signal
import sys
import time
from functools import partial
from itertools import count

from ntkflow.stores.places import StoreError
from tests.stores.test_grams import NAMES, contents

FORKED = multiprocessing.get_context("forkserver")
# The modules whose functions are called, once for all: importing them takes each run a second.
FORKED.set_forkserver_preload(["tests.test_faults", "tests.stores.test_shares"])
REFUSED = 3  # exit status of a run that raised a StoreError


class Run:
    """A call in a process of its own."""

    def __init__(self, function, *arguments):
        self.answer, say = FORKED.Pipe(duplex=False)
        target = partial(_refusable, function, *arguments)
        self.process = FORKED.Process(target=target, args=(say,), daemon=True)
        self.process.start()

    def ended(self):
        """Exit status, or minus the signal that ended it."""
        self.process.join(120)
        return self.process.exitcode

    def until(self, condition):
        """Wait for a condition, or the end."""
        while self.process.is_alive() and not condition():
            time.sleep(0.001)

    @property
    def refusal(self):
        """The message of its StoreError, if it was refused."""
        return self.answer.recv() if self.ended() == REFUSED else ""


WRITES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.truncate"}


def die_before_operation(number):
    """Kill this process before its operation of this number that changes the file system."""
    numbers = count(1)

    def watch(event, arguments):
        changes = event in WRITES or (event == "open" and arguments[2] & (os.O_RDWR | os.O_WRONLY))
        if changes and next(numbers) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def _refusable(*arguments):
    function, *others, say = arguments
    try:
        function(*others)
    except StoreError as error:
        say.send(str(error))
        sys.exit(REFUSED)


def whole_blocks(places, grid):
    """The chunks of each block that has all of its own."""
    blocks = (
        [f"{name}/c/{i}/{j}" for name in NAMES for i, j in grid.written(*block)]
        for block in grid.blocks
    )
    return [block for block in blocks if set(block) <= set(places)]


def kept(folder, whole):
    """Inode and time of the chunks below a folder that are as they should be, by place."""
    found = {}
    for file in folder.rglob("c/*/*"):
        place = "/".join(file.parts[-4:])
        if whole.get(place) == file.read_bytes():
            found[place] = (file.stat().st_ino, file.stat().st_mtime_ns)
    return found


def check_completed(path, before, whole, computed, grid):
    """The store is what it should be, and only blocks that were not there were computed."""
    blocks = whole_blocks(before, grid)
    assert computed == len(grid.blocks) - len(blocks)
    after = kept(path, whole)
    assert all(after[place] == before[place] for block in blocks for place in block)
    assert contents(path) == whole
