"""Compute the blocks of an unfinished store whose chunks are not on disk yet.

A block is one Dask task: it computes all kernels between two strips of inputs and writes them, and
their transposes below the diagonal, as whole chunks. Zarr writes a chunk under a random name and
renames it, so two processes that compute the same block leave the same chunk.
"""

import errno
import shutil
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
import zarr
from dask.delayed import delayed

from ntkflow.stores.grid import Grid
from ntkflow.stores.integrity import is_intact
from ntkflow.stores.staging import Staged, staged_rows

Block = tuple[int, int]  # row, column
# Function that computes Dask tasks.
Compute = Callable[..., Any]


class Shared:
    """A value that travels with many tasks and is unpacked once in a process.

    Programs compiled for the value are then compiled once per process, too.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __reduce__(self) -> tuple[Callable[[bytes], "Shared"], tuple[bytes]]:
        """Pickle the value to bytes, the key under which a process caches the unpacked value."""
        return _unpacked, (cloudpickle.dumps(self.value),)


@lru_cache(maxsize=4)
def _unpacked(packed: bytes) -> Shared:
    return Shared(cloudpickle.loads(packed))


class Task(NamedTuple):
    """The part that all tasks of a store share; `store` is the folder of the unfinished store."""

    kernel: Shared
    inputs: Sequence[Staged]
    store: Path
    grid: Grid
    names: tuple[str, ...]


def compute_missing(
    task: Task, blocks: Sequence[Block], compute: Compute, earlier: Path | None = None
) -> None:
    """Compute the `blocks` that lack a chunk; OSError if the disk has too little space.

    `earlier` is a damaged store of the same computation, whose intact chunks will be reused.
    """
    dtype = zarr.open_array(task.store / task.names[0], mode="r").dtype
    size = task.grid.chunk[0] * task.grid.chunk[1] * dtype.itemsize + 4  # with its checksum

    def is_there(chunk: Path) -> bool:
        file = task.store / chunk
        if file.is_file() and file.stat().st_size == size:
            return True
        return earlier is not None and is_intact(earlier / chunk)

    missing = [block for block in blocks if not all(map(is_there, _chunks(task, block)))]
    needed = size * sum(len(_chunks(task, block)) for block in missing)
    free = shutil.disk_usage(task.store).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"{needed:,} bytes are needed and {free:,} are free")
    steps = (partial(_write_block, task, block) for block in missing)
    compute([delayed(step, pure=False, traverse=False)() for step in steps])


def _write_block(task: Task, block: Block) -> None:
    """Compute the kernels of a block and write each as one or two whole chunks."""
    rows, columns = (task.grid.part(axis, index) for axis, index in enumerate(block))
    one = staged_rows(task.inputs[0], rows)
    same = task.grid.mirrored and rows == columns
    two = None if same else staged_rows(task.inputs[-1], columns)
    for name, gram in zip(task.names, task.kernel.value(one, two), strict=True):
        array = zarr.open_array(task.store / name, mode="r+", config={"write_empty_chunks": True})
        array[rows, columns] = gram
        if len(task.grid.written(*block)) > 1:
            array[columns, rows] = gram.T


def _chunks(task: Task, block: Block) -> list[Path]:
    """Files of the chunks that a block consists of, relative to the store."""
    places = product(task.names, task.grid.written(*block))
    return [Path(name, "c", str(i), str(j)) for name, (i, j) in places]
