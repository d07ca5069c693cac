"""Checkpoints from which a killed training resumes.

Orbax writes a checkpoint to a temporary folder and renames it. Each array has a checksum, because
Orbax does not notice every flipped bit; a damaged checkpoint is deleted.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from ntkflow.networks.training import TrainingState
from ntkflow.stores.building import LOCK_FILE, lock_folder
from ntkflow.stores.places import Place, check_place, checkpoint_folder, resolve_place


class Checkpoints:
    """Checkpointer of a training, on disk; the function `checkpoints` opens one for a store.

    `every` is in seconds, from the end of one checkpoint to the next. `report` receives a line of
    text about a damaged checkpoint.
    """

    def __init__(self, folder: Path, every: float, report: Callable[[str], None]) -> None:
        self._folder, self._every, self._report = folder, every, report
        self._last = time.monotonic()

    @cached_property
    def _manager(self) -> Any:
        import orbax.checkpoint as ocp  # 0.2 s, which a short training does not need

        options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False)
        return ocp.CheckpointManager(self._folder, options=options)

    def restore(self) -> TrainingState | None:
        """Restore the last checkpoint; None if there is none or it is damaged."""
        number = self._manager.latest_step() if self._folder.is_dir() else None
        if number is None:
            return None
        import orbax.checkpoint as ocp

        wanted = {"arrays": ocp.args.StandardRestore(), "position": ocp.args.JsonRestore()}
        try:
            return _unpacked(self._manager.restore(number, args=ocp.args.Composite(**wanted)))
        except Exception as error:  # a damaged file makes Orbax raise errors of many types
            reason = f"{type(error).__name__}: {error}"[:200].splitlines()[0]
            self._report(
                f"{self._folder}: found a checkpoint that is not readable ({reason}); training "
                "starts again"
            )
            self._manager.delete(number)
            return None

    def due(self) -> bool:
        """Return True if `every` seconds have passed since the last checkpoint."""
        return time.monotonic() - self._last >= self._every

    def save(self, state: TrainingState) -> None:
        """Write a checkpoint, which replaces the last one."""
        number = (self._manager.latest_step() or 0) + 1
        self._manager.save(number, args=_packed(state), force=True)
        self._last = time.monotonic()

    def close(self) -> None:
        """Close Orbax's threads and files."""
        if "_manager" in self.__dict__:
            self._manager.close()


def _packed(state: TrainingState) -> Any:
    import orbax.checkpoint as ocp

    arrays = {str(number): np.asarray(array) for number, array in enumerate(state.arrays)}
    # Orbax does not write empty arrays, so their shapes are stored in the position.
    full = {name: array for name, array in arrays.items() if array.size}
    empty = {
        name: [*array.shape, str(array.dtype)] for name, array in arrays.items() if not array.size
    }
    sums = [_checksum(array) for array in state.arrays]
    position = {"networks": state.networks, "step": state.step, "sums": sums, "empty": empty}
    return ocp.args.Composite(
        arrays=ocp.args.StandardSave(full), position=ocp.args.JsonSave(position)
    )


def _unpacked(restored: Any) -> TrainingState:
    position, saved = restored["position"], dict(restored["arrays"])
    for name, (*shape, dtype) in position["empty"].items():
        saved[name] = np.empty(shape, dtype)
    arrays = [np.asarray(saved[str(number)]) for number in range(len(position["sums"]))]
    if [_checksum(array) for array in arrays] != position["sums"]:
        raise ValueError("its checksums do not match")
    return TrainingState(position["networks"], position["step"], arrays)


def _checksum(array: np.ndarray) -> int:
    return int(google_crc32c.value(np.ascontiguousarray(array).reshape(-1).view(np.uint8)))


@contextmanager
def checkpoints(
    place: Place, fingerprint: str, every: float, report: Callable[[str], None]
) -> Iterator[Checkpoints]:
    """Open the checkpoints of the training whose records become the store at `place`.

    Checkpoints are in a hidden folder next to the store, locked against other runs. Those with
    another `fingerprint`, the digest of everything that the records depend on, are deleted at once.
    All are deleted if the block ends without an error. StoreError if another run is writing the
    same store, or `place` contains something else.
    """
    path = resolve_place(place)
    check_place(path, None)
    folder = checkpoint_folder(path)
    with lock_folder(folder):
        for entry in folder.iterdir():
            if entry.name not in (LOCK_FILE, fingerprint):
                shutil.rmtree(entry, ignore_errors=True)
        with closing(Checkpoints(folder / fingerprint, every, report)) as opened:
            yield opened
        shutil.rmtree(folder / fingerprint, ignore_errors=True)
