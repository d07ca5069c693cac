"""Which networks train at the same time, and where."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

__all__ = ["Placement", "device_memory", "placement"]

CACHE = 2**23
"""Bytes of networks that share each step on a CPU. What a step touches of them, three parts in
five, then fits in a core's second-level cache, give or take."""

CPU_MEMORY = 4 * 2**30


class Placement(NamedTuple):
    """Where networks train, and in which order.

    Attributes
    ----------
    mesh
        Devices along the axis `seed`.
    rounds
        Indices of the networks that train at the same time, as many on each device. The last round
        repeats the last network where there are fewer than devices.
    """

    mesh: Mesh
    rounds: list[np.ndarray]


def device_memory(device: jax.Device) -> float:
    """Bytes for networks: nine tenths of what a GPU has for this process, on the CPU 4 GiB."""
    stats = None if device.platform == "cpu" else device.memory_stats()
    return 0.9 * stats["bytes_limit"] if stats else CPU_MEMORY


def placement(
    seeds: int, footprint: float, devices: Sequence[jax.Device], memory: float | None = None
) -> Placement:
    """Spread networks of so many bytes each over devices.

    `memory` in bytes is of each device, by default `device_memory`; of all together where the
    devices are cores of a CPU.

    As many networks as fit take their steps as one batch. On a CPU, though, no more than keep
    parameters and gradients in a core's cache from step to step: one at a time, networks of width
    1000 train 1.8 times as fast as ten in step. Narrow ones share each step there too, so that its
    products are worth the name.
    """
    memory = device_memory(devices[0]) if memory is None else memory
    fit = max(1, int(memory // footprint))
    used = min(len(devices), seeds)
    if devices[0].platform == "cpu":
        used = min(used, fit)
        fit = min(fit // used, max(1, int(CACHE // footprint)))
    each = math.ceil(seeds / used)
    parts = np.array_split(np.arange(each), math.ceil(each / fit))
    rounds = [
        np.minimum(np.arange(used * part[0], used * (part[-1] + 1)), seeds - 1) for part in parts
    ]
    return Placement(Mesh(np.array(devices[:used]), ("seed",)), rounds)
