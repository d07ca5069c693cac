"""Parts of the points over which a regression with landmarks sums; planning imports this module."""

BLOCK = 2000
"""Number of points whose kernel values are in memory at once."""
PARTS = 64
"""Largest number of parts."""


def cut(points: int) -> list[range]:
    """First points of the blocks of each part."""
    starts = range(0, points, BLOCK)
    length = -(-len(starts) // PARTS)
    return [starts[first : first + length] for first in range(0, len(starts), length)]
