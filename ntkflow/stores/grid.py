"""A Gram matrix cut into blocks."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from ntkflow.stores.staging import Inputs, check_shapes


@dataclass(frozen=True)
class Grid:
    """Blocks of an (n, m) matrix, equal in shape except the last of a row or column.

    If `mirrored`, only blocks on and above the diagonal are computed; the others are transposes.
    """

    shape: tuple[int, int]
    block: int
    mirrored: bool

    @property
    def chunk(self) -> tuple[int, int]:
        """Rows and columns of a block: as even as `block` allows."""
        rows, columns = (-(-n // -(-n // self.block)) for n in self.shape)
        return rows, columns

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Indices of the blocks that are computed."""
        counts = (-(-n // c) for n, c in zip(self.shape, self.chunk, strict=True))
        return [(i, j) for i, j in product(*map(range, counts)) if i <= j or not self.mirrored]

    def written(self, i: int, j: int) -> list[tuple[int, int]]:
        """Indices of the chunks that the task of a block writes."""
        return [(i, j), (j, i)] if self.mirrored and i != j else [(i, j)]

    def part(self, axis: int, index: int) -> slice:
        """Rows (axis 0) or columns (axis 1) of a block."""
        length = self.chunk[axis]
        return slice(index * length, min((index + 1) * length, self.shape[axis]))


def block_bytes(grid: Grid, dtype: np.dtype) -> int:
    """Approximate bytes of one task: result, transpose, encoded chunk and tiles of two kernels."""
    return 4 * 2 * grid.chunk[0] * grid.chunk[1] * np.dtype(dtype).itemsize


def grid_between(inputs: Inputs, others: Inputs | None, block: int) -> Grid:
    """Blocks between all inputs, or between them and others; ValueError if features differ."""
    lists = [inputs] if others is None else [inputs, others]
    check_shapes(*lists)
    return Grid((lists[0].shape[0], lists[-1].shape[0]), block, mirrored=others is None)
