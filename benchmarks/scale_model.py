"""Cost of kernel regression for any number of points, landmarks and workers; pure functions.

A worker is a process with one core. The model follows `ntkflow.interface.landmark_sums` on a
cluster: one process reads the inputs twice (for the name of the sums, and for norms and landmarks)
and sends the tasks; workers add up their parts; that process adds the sums of the parts in order
and solves. All workers read one disk. Nothing is assumed to overlap but the work of the workers,
their reading and the sending of tasks, of which the slowest counts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from ntkflow.analysis.landmarks import COPIES
from ntkflow.interface.landmark_choice import ENTRY
from ntkflow.interface.landmark_parts import BLOCK, PARTS
from ntkflow.interface.landmark_sums import EVERY, SAVING

SINGLE, DOUBLE = 4, 8  # bytes of a number
DENSE_BLOCK = 2048  # rows of a block of a store
KERNELS = 2  # a store has the NNGP and the NTK
ANCHOR = 1_000_000, 3000  # points and landmarks of the largest benchmark of landmarks


@dataclass(frozen=True)
class Rates:
    """Measured rates of one core, one disk and one scheduler, per second."""

    entries: float
    """Kernel values, in float32."""
    operations: float
    """Operations of the symmetric product in float64: n m^2 for n points."""
    disk: float
    """Bytes read from the disk."""
    written: float
    """Bytes written to the disk."""
    digest: float
    """Bytes of inputs in memory whose digest is computed."""
    survey: float
    """Bytes of inputs in memory whose norms are computed."""
    saved: float
    """Bytes of sums saved."""
    added: float
    """Bytes of sums loaded and added to others."""
    solved: float
    """m^3 of the final solution."""
    tasks: float
    """Tasks that the scheduler hands out."""
    start: float
    """Seconds, not a rate: the first fit in a process, beyond the second."""


@dataclass(frozen=True)
class Costs:
    """Seconds of each step, and bytes."""

    entries: float
    """Kernel values, by all workers together."""
    products: float
    """Products of kernel values, by all workers together."""
    saving: float
    """Unfinished sums of parts saved, by all workers together."""
    reading: float
    """Reading of the inputs by workers from one disk."""
    survey: float
    """Both readings of the inputs by one process."""
    tasks: float
    """Tasks handed out and sent, by one process."""
    sums: float
    """Addition of the sums of parts in order, by one process."""
    solution: float
    """Final solution, by one process."""
    workers: float
    """Entries, products and saving on those workers that have a part."""
    wall: float
    """From start to end."""
    memory: float
    """Bytes of memory of one worker."""
    memory_of_solution: float
    """Bytes of memory of the process that solves."""
    stored: float
    """Bytes on disk besides the inputs."""
    inputs: float
    """Bytes of the inputs."""

    @property
    def core_seconds(self) -> float:
        """Seconds of computation, over all processes."""
        return self.entries + self.products + self.saving + self.survey + self.sums + self.solution

    @property
    def bottleneck(self) -> str:
        """The step with the largest part of the wall time."""
        return max(self.steps(), key=self.steps().__getitem__)

    def steps(self) -> Mapping[str, float]:
        """Wall time of steps that can bound it; that of workers is divided among its three."""
        shared = self.entries + self.products + self.saving
        ratio = self.workers / shared if shared else 0.0
        own = {name: ratio * getattr(self, name) for name in ("entries", "products", "saving")}
        others = ("reading", "survey", "tasks", "sums", "solution")
        return own | {name: getattr(self, name) for name in others}


def landmarks_for(points: int) -> int:
    """Rule for m: proportional to sqrt(N) log N, and 3000 at N = 10^6."""
    size = math.sqrt(points) * math.log(points)
    return math.ceil(ANCHOR[1] * size / (math.sqrt(ANCHOR[0]) * math.log(ANCHOR[0])))


def landmark_costs(
    rates: Rates,
    points: int,
    landmarks: int,
    workers: int,
    *,
    features: int = 784,
    outputs: int = 1,
    parts: int = PARTS,
    cluster: bool = True,
) -> Costs:
    """Costs with landmarks; without a `cluster` no task is sent and no sum is saved."""
    m, blocks = landmarks, -(-points // BLOCK)
    parts = min(parts, blocks)
    rounds = -(-parts // workers)
    gram, inputs = DOUBLE * m**2, SINGLE * points * features
    entries, products = points * m / rates.entries, points * m**2 / rates.operations
    save, work = gram / rates.saved, entries + products
    saving = max(parts * save, min(work / EVERY * save, SAVING * work)) * cluster
    own = SINGLE * m * features + gram  # landmarks and their Cholesky factor
    sums = parts * (gram / rates.added + gram / rates.saved) * cluster
    survey = inputs * (1 / rates.disk + 1 / rates.survey)
    survey += inputs * (1 / rates.disk + 1 / rates.digest) * cluster
    tasks = parts / rates.tasks * cluster
    reading, solution = inputs / rates.disk, m**3 / rates.solved + m**2 / rates.entries
    busy = rounds * (entries + products + saving) / parts
    return Costs(
        *(entries, products, saving, reading, survey, tasks, sums, solution, busy),
        wall=rates.start + survey + max(busy, reading, tasks) + sums + solution,
        memory=gram + ENTRY * BLOCK * m + own,
        memory_of_solution=(2 + COPIES) * gram + own + DOUBLE * points * outputs,
        stored=(parts + 1) * gram * cluster,
        inputs=inputs,
    )


@dataclass(frozen=True)
class DenseCosts:
    """Seconds and bytes of the kernel of all pairs, in blocks in a store."""

    entries: float
    """Kernel values above the diagonal, by all workers together."""
    tasks: float
    """Tasks handed out, one per block."""
    writing: float
    """Both kernels written to one disk."""
    iteration: float
    """One iteration of conjugate gradients: half of one kernel read from one disk."""
    wall: float
    """From start to the finished store, without its solution."""
    stored: float
    """Bytes on disk."""
    blocks: int
    """Number of tasks."""


def dense_costs(rates: Rates, points: int, workers: int) -> DenseCosts:
    """Costs of the dense kernel in float32, in blocks of `DENSE_BLOCK` points."""
    side = -(-points // DENSE_BLOCK)
    blocks = side * (side + 1) // 2
    entries = points**2 / 2 / rates.entries
    stored = KERNELS * SINGLE * points**2
    tasks, writing = blocks / rates.tasks, stored / rates.written
    wall = rates.start + max(entries / min(workers, blocks), tasks, writing)
    iteration = SINGLE * points**2 / 2 / rates.disk
    return DenseCosts(entries, tasks, writing, iteration, wall, stored, blocks)


def rates_of(found: Mapping[str, float]) -> Rates:
    """Rates by name; others are ignored."""
    return Rates(**{field.name: found[field.name] for field in fields(Rates)})
