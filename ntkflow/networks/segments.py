"""Steps taken a few seconds' worth at a time, so that there is something to see between records."""

import time
from collections.abc import Callable, Iterator, Sequence

import jax

from ntkflow.networks.descent import State

__all__ = ["segments"]

SEGMENT = 5.0
"""Seconds, about."""


def segments(
    advance: Callable[[State, int, int], State], state: State, step: int, marks: Sequence[int]
) -> Iterator[tuple[int, State]]:
    """The networks at each of the marks, ascending steps, and every few seconds between them.

    `advance` makes so many steps from the networks and the number of their next one. As many at
    once as take that long; it does not matter to the result.
    """
    stride = 1
    for mark in marks:
        while True:
            steps, began = min(stride, mark - step), time.monotonic()
            state = jax.block_until_ready(advance(state, step, steps))
            taken, step = time.monotonic() - began, step + steps
            if steps == stride:  # not cut short by a mark
                stride = _stride(stride, taken)
            yield step, state
            if step == mark:
                break


def _stride(stride: int, taken: float) -> int:
    """Steps of the next call, where so many took so many seconds."""
    return 2 * stride if taken < SEGMENT / 2 else max(1, int(stride * SEGMENT / taken))
