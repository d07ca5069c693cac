"""A training kept on disk from time to time, so that one that was killed goes on.

Orbax writes what is kept, first beside its place and then renamed into it. Each array carries a
checksum: what is damaged is not taken up.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import orbax.checkpoint as ocp

from ntkflow.networks.rounds import Kept
from ntkflow.stores.building import LOCK_FILE, lock_folder
from ntkflow.stores.places import Place, check_place, checkpoint_folder, resolve_place

__all__ = ["Checkpoints", "checkpoints"]


class Checkpoints:
    """The keeper of a training; `checkpoints` makes one.

    Parameters
    ----------
    every
        Seconds from the end of one checkpoint to the next.
    say
        Called with a line where there is something to tell.
    """

    def __init__(self, folder: Path, every: float, say: Callable[[str], None]) -> None:
        self._folder, self._every, self._say = folder, every, say
        self._last = time.monotonic()

    @cached_property
    def _manager(self) -> ocp.CheckpointManager:
        options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False)
        return ocp.CheckpointManager(self._folder, options=options)

    def found(self) -> Kept | None:
        """What was kept last; None where there is nothing, or nothing whole."""
        number = self._manager.latest_step() if self._folder.is_dir() else None
        if number is None:
            return None
        try:
            return _unpacked(self._manager.restore(number, args=_ARGUMENTS))
        except Exception as error:  # whatever a damaged file makes Orbax raise
            reason = f"{type(error).__name__}: {error}"[:200].splitlines()[0]
            self._say(f"{self._folder}: not readable ({reason}); training starts again")
            self._manager.delete(number)
            return None

    def due(self) -> bool:
        """Whether it is time to keep the training again."""
        return time.monotonic() - self._last >= self._every

    def keep(self, kept: Kept) -> None:
        """Keep this in place of what was kept before."""
        number = (self._manager.latest_step() or 0) + 1
        self._manager.save(number, args=_packed(kept), force=True)
        self._last = time.monotonic()

    def close(self) -> None:
        """Free what Orbax holds."""
        if "_manager" in self.__dict__:
            self._manager.close()


_ARGUMENTS = ocp.args.Composite(arrays=ocp.args.StandardRestore(), position=ocp.args.JsonRestore())


def _packed(kept: Kept) -> Any:
    arrays = {str(number): np.asarray(array) for number, array in enumerate(kept.arrays)}
    position = {
        "networks": kept.networks,
        "step": kept.step,
        "sums": [_sum(array) for array in kept.arrays],
    }
    # Orbax writes no array without entries; their shapes are in the position.
    position["empty"] = {
        name: [*map(int, array.shape), str(array.dtype)]
        for name, array in arrays.items()
        if not array.size
    }
    whole = {name: array for name, array in arrays.items() if array.size}
    return ocp.args.Composite(
        arrays=ocp.args.StandardSave(whole), position=ocp.args.JsonSave(position)
    )


def _unpacked(restored: Any) -> Kept:
    position, whole = restored["position"], dict(restored["arrays"])
    for name, (*shape, dtype) in position["empty"].items():
        whole[name] = np.empty(shape, dtype)
    arrays = [np.asarray(whole[str(number)]) for number in range(len(position["sums"]))]
    if [_sum(array) for array in arrays] != position["sums"]:
        raise ValueError("its checksums do not fit")
    return Kept(position["networks"], position["step"], arrays)


def _sum(array: np.ndarray) -> int:
    return int(google_crc32c.value(np.ascontiguousarray(array).reshape(-1).view(np.uint8)))


@contextmanager
def checkpoints(
    place: Place, fingerprint: str, every: float, say: Callable[[str], None]
) -> Iterator[Checkpoints]:
    """A keeper for the training that makes the store at `place`, kept beside it.

    What another training left there, one with another fingerprint, is removed; and everything if
    the block ends without an error.

    Raises
    ------
    StoreError
        If another run is making the same store, or something else is at its place.
    """
    path = resolve_place(place)
    check_place(path, None)
    folder = checkpoint_folder(path)
    with lock_folder(folder):
        for entry in folder.iterdir():
            if entry.name not in (LOCK_FILE, fingerprint):
                shutil.rmtree(entry, ignore_errors=True)
        keeper = Checkpoints(folder / fingerprint, every, say)
        try:
            yield keeper
        finally:
            keeper.close()
        shutil.rmtree(folder / fingerprint, ignore_errors=True)
