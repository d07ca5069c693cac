"""Writers of stores, and a check that one is refused and changes nothing."""

import os
import stat

import pytest

from ntkflow.jobs.checkpoints import checkpoints
from ntkflow.stores.places import StoreError
from ntkflow.stores.zarr import write_store
from tests.stores.test_grams import write
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
