"""Placement of an ensemble's networks on devices, and the memory that each network takes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from ntkflow.aliases import Inputs
from ntkflow.networks.descent import ROWS
from ntkflow.networks.method import Method
from ntkflow.networks.model import Model

CACHE = 2**23
"""Bytes of the networks that a CPU core trains as one batch. A step uses about three fifths of
them, which fit in the core's second-level cache."""

CPU_MEMORY = 4 * 2**30
"""Bytes for networks on a CPU."""


class Placement(NamedTuple):
    """Devices on which networks train, along the axis `seed`, and the order in which they train."""

    mesh: Mesh
    rounds: list[np.ndarray]
    """Indices of the networks that train at the same time, equally many on each device. The last
    round repeats the last network if it has fewer networks than devices."""


def device_memory(device: jax.Device) -> float:
    """Bytes for networks: nine tenths of a GPU's memory for this process, or `CPU_MEMORY`."""
    stats = None if device.platform == "cpu" else device.memory_stats()
    return 0.9 * stats["bytes_limit"] if stats else CPU_MEMORY


def placement(
    seeds: int, size: float, devices: Sequence[jax.Device], memory: float | None = None
) -> Placement:
    """Place `seeds` networks, each of `size` bytes, on devices.

    As many networks as fit in memory take their steps as one batch. On a CPU a batch is also
    limited by the core's cache, which keeps parameters and gradients from step to step: networks
    of width 1000 train 1.8 times as fast one at a time as ten in a batch. Narrow networks are
    batched on a CPU too, because single products of their matrices would be too small to be fast.
    `memory` is the bytes of each device, or of all cores of a CPU together, `device_memory` by
    default.
    """
    memory = device_memory(devices[0]) if memory is None else memory
    fit = max(1, int(memory // size))
    used = min(len(devices), seeds)
    if devices[0].platform == "cpu":
        used = min(used, fit)
        fit = min(fit // used, max(1, int(CACHE // size)))
    each = math.ceil(seeds / used)
    parts = np.array_split(np.arange(each), math.ceil(each / fit))
    rounds = [
        np.minimum(np.arange(used * part[0], used * (part[-1] + 1)), seeds - 1) for part in parts
    ]
    return Placement(Mesh(np.array(devices[:used]), ("seed",)), rounds)


def footprint(x: Inputs, samples: int, model: Model, method: Method) -> int:
    """Upper bound on the bytes of a network in training.

    A network takes its parameters, their gradient, their update and the optimiser's state (or five
    copies of the parameters while they are drawn), and the activations and sensitivities of a step
    on its batch or of an evaluation on all points.
    """
    parameters = model.parameter_count(x.shape[1])
    moments = jax.eval_shape(method.optimizer(1.0).init, jnp.zeros(1, x.dtype))
    copies = max(5, 3 + sum(leaf.size for leaf in jax.tree.leaves(moments)))
    units = model.unit_count(x.shape[1])
    activations = 2 * units * max(method.batch or samples, min(len(x), ROWS))
    return int((copies * parameters + activations) * x.dtype.itemsize)
