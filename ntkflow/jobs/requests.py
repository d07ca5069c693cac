"""Memory and time that jobs request from a cluster, from numbers of points and widths.

The estimates are upper bounds, compared with measured peaks in the tests: a job that gets less is
killed, and one that requests more waits longer. A retry requests more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MIB = 2**20
# Bytes of a process with JAX and a compiled program: 700 MiB at most in the default study.
START = 900 * MIB
# Operations per second of one core in narrow matrix products; wide ones are five times as fast.
RATE = 1e10
# Pairs of inputs per second and core, for one layer of both limiting kernels.
PAIRS = 1e6
MINUTES = 10  # for any job to start on a busy node and to compile
COPIES = 6  # of the parameters in memory when a network is drawn, or trained by Adam


@dataclass(frozen=True)
class Request:
    """Memory and time requested for a job."""

    mem_mb: int  # MiB, which Snakemake and Slurm call MB
    minutes: int

    def again(self, attempt: int) -> "Request":
        """Request of a retry: memory doubles with each attempt, time grows linearly."""
        return Request(self.mem_mb * 2 ** (attempt - 1), self.minutes * attempt)


@dataclass(frozen=True)
class Size:
    """Numbers of points, parameters and units of a network with its data."""

    points: int
    outputs: int
    parameters: int  # of connection weights and biases
    units: int  # per input
    fan_in: int | None = None  # summed over the layers of a fully-connected network
    itemsize: int = 8  # the larger of the two precisions

    @classmethod
    def fully_connected(
        cls, points: int, features: int, hidden_widths: Sequence[int], outputs: int
    ) -> "Size":
        """Size of a fully-connected network, whose kernel needs no gradients."""
        layers = [features, *hidden_widths, outputs]
        parameters = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(layers))
        return cls(points, outputs, parameters, sum(layers[1:]), sum(layers[:-1]))

    @property
    def network(self) -> int:
        """Bytes of one network in training: parameters, activations and their gradients."""
        return (COPIES * self.parameters + 2 * self.units * self.points) * self.itemsize

    @property
    def ntk(self) -> int:
        """Bytes of one empirical NTK."""
        return self.points**2 * self.outputs**2 * self.itemsize

    @property
    def ntk_operations(self) -> float:
        """Operations of one empirical NTK: Gram matrices and both passes.

        Fully-connected networks need two Gram matrices per layer, others that of all gradients.
        """
        terms = 4.0 * self.fan_in if self.fan_in is not None else 2.0 * self.parameters
        gram = terms * self.points**2 * self.outputs**2
        return gram + 4.0 * self.parameters * self.points * self.outputs


def training(
    size: Size, seeds: int, steps: int, functions: int, kernels: int, memory: float, cores: int
) -> Request:
    """Request to train `seeds` networks and record f at `functions` steps, the NTK at `kernels`.

    `memory` is in bytes, for the networks that train at the same time.
    """
    recorded = seeds * (functions * size.points * size.outputs * size.itemsize + kernels * size.ntk)
    working = min(seeds * size.network, max(memory, size.network))
    operations = 6.0 * size.parameters * size.points * steps + kernels * size.ntk_operations
    return _request(working + 2 * recorded, seeds * operations, cores)


def untrained(size: Size, draws: int, cores: int) -> Request:
    """Request to compute the kernels of `draws` untrained networks."""
    return _request(size.network + 2 * draws * size.ntk, draws * size.ntk_operations, cores)


def kernel(points: int, layers: int, memory: float, cores: int, jobs: int = 1) -> Request:
    """Request of one of `jobs` jobs that compute both limiting kernels within `memory` bytes.

    `layers` counts those of a fully-connected network, and else pairs of positions of all layers.
    """
    whole = 8.0 * 8 * points**2
    return _request(min(memory, whole), layers * points**2 / PAIRS * RATE / jobs, cores)


def landmarks(
    count: int, points: int, layers: int, memory: float, cores: int, jobs: int = 1
) -> Request:
    """Request of one of `jobs` jobs that visit points once for each kernel, within `memory` bytes.

    `points` are those of all training sets together. `layers` is that of `kernel`.
    """
    each = layers * count / PAIRS * RATE + 2.0 * count**2
    return _request(memory, 2 * points * each / jobs, cores)


def spectrum(points: int) -> Request:
    """Request to compute all eigenpairs of a kernel, or to solve with them, in float64."""
    return _request(6.0 * 8 * points**2, 20.0 * points**3, 1)


def statistics(size: Size, kernels: int = 0, steps: int = 0) -> Request:
    """Request of a measure that holds `kernels` kernels in memory or trains for `steps` steps."""
    solved = 6.0 * 8 * size.points**2  # a limiting kernel with its eigenpairs
    operations = 6.0 * size.parameters * size.points * steps
    return _request(solved + 4 * size.network + 3 * kernels * size.ntk, operations, 1)


def scores(points: int, outputs: int) -> Request:
    """Request of a measure that compares functions with targets, and holds no kernel."""
    return _request(4.0 * 8 * points * outputs, 0.0, 1)


def _request(size: float, operations: float, cores: int) -> Request:
    minutes = MINUTES + operations / RATE / 60 / cores
    return Request(round((START + size) / MIB), round(minutes))
