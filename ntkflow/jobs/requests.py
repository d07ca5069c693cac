"""Memory and time that a job asks of a cluster, from the widths and numbers of points it is about.

Estimates from above: a job that gets less is killed, one that asks for more waits longer. They are
held against measured peaks in the tests. A job that was killed asks for more when it is run again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MIB = 2**20
# Bytes of a process with JAX and a compiled program: 700 MiB at most in the default study.
START = 900 * MIB
# Operations a second of one core. Matrix products reach five times as many, narrow ones this.
RATE = 1e10
# Pairs of inputs a second and core, of which one layer of both limiting kernels is computed.
PAIRS = 1e6
MINUTES = 10  # of any job: to start on a busy node and to compile, with room
COPIES = 6  # of the parameters of a network: to draw it, or to train it by Adam


@dataclass(frozen=True)
class Request:
    """Memory and time requested for a job."""

    mem_mb: int  # MiB, as Snakemake and Slurm mean it
    minutes: int  # to the end

    def again(self, attempt: int) -> "Request":
        """Of a job's so many-th attempt: twice the memory each time, and as much more time."""
        return Request(self.mem_mb * 2 ** (attempt - 1), self.minutes * attempt)


@dataclass(frozen=True)
class Size:
    """A network with its data: `points` inputs of `features`, layers of so many units."""

    points: int
    features: int
    hidden_widths: Sequence[int]
    outputs: int
    itemsize: int = 8  # the larger of the two precisions

    @property
    def parameters(self) -> int:
        """Number of connection weights and biases."""
        layers = [self.features, *self.hidden_widths, self.outputs]
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(layers))

    @property
    def network(self) -> int:
        """Bytes of one network at work: its parameters, activities and sensitivities."""
        units = sum(self.hidden_widths) + self.outputs
        return (COPIES * self.parameters + 2 * units * self.points) * self.itemsize

    @property
    def ntk(self) -> int:
        """Bytes of one empirical NTK."""
        return self.points**2 * self.outputs**2 * self.itemsize

    @property
    def ntk_operations(self) -> float:
        """Of one empirical NTK: two Gram matrices a layer, and the two sweeps."""
        gram = 4.0 * self.points**2 * self.outputs**2 * sum([self.features, *self.hidden_widths])
        return gram + 4.0 * self.parameters * self.points * self.outputs


def training(
    size: Size, seeds: int, steps: int, functions: int, kernels: int, memory: float, cores: int
) -> Request:
    """Train `seeds` networks, with records of f and of the NTK at so many steps.

    `memory`: bytes that networks which train at the same time may take.
    """
    recorded = seeds * (functions * size.points * size.outputs * size.itemsize + kernels * size.ntk)
    working = min(seeds * size.network, max(memory, size.network))
    operations = 6.0 * size.parameters * size.points * steps + kernels * size.ntk_operations
    return _request(working + 2 * recorded, seeds * operations, cores)


def untrained(size: Size, draws: int, cores: int) -> Request:
    """Kernels of `draws` untrained networks."""
    return _request(size.network + 2 * draws * size.ntk, draws * size.ntk_operations, cores)


def kernel(points: int, depth: int, memory: float, cores: int, jobs: int = 1) -> Request:
    """One of `jobs` jobs that share both limiting kernels, block by block within `memory` bytes."""
    whole = 8.0 * 8 * points**2
    return _request(min(memory, whole), depth * points**2 / PAIRS * RATE / jobs, cores)


def spectrum(points: int) -> Request:
    """All eigenpairs of a kernel, and what is solved with them, in float64."""
    return _request(6.0 * 8 * points**2, 20.0 * points**3, 1)


def statistics(size: Size, kernels: int = 0, steps: int = 0) -> Request:
    """A measure with so many kernels of a width in memory, or that trains for so many steps."""
    solved = 6.0 * 8 * size.points**2  # a limiting kernel with its eigenpairs
    operations = 6.0 * size.parameters * size.points * steps
    return _request(solved + 4 * size.network + 3 * kernels * size.ntk, operations, 1)


def _request(size: float, operations: float, cores: int) -> Request:
    minutes = MINUTES + operations / RATE / 60 / cores
    return Request(round((START + size) / MIB), round(minutes))
