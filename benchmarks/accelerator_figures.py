"""Figures 1 and 3 of the paper on a device, in calls that resume from checkpoints.

Networks are ReLU networks with one output and beta = 0.1, in float32. The arrays of a figure are
saved next to its row, and a checkpoint while it is unfinished.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.linalg

from benchmarks.accelerator_limits import limiting_ntk
from benchmarks.accelerator_records import (
    COMPILED,
    Agreement,
    Machine,
    Paused,
    Result,
    Timing,
    piece_peak,
    relative_norm,
)
from benchmarks.accelerator_rows import (
    DEPTH,
    RATE,
    digits,
    forward_operations,
    layer_widths,
    ntk_operations,
    relu_network,
    step_operations,
)
from ntkflow.networks.mlp import seed_keys
from ntkflow.networks.training import Ensemble, Schedule, TrainingState, train_ensemble

CIRCLE_DEPTH, CIRCLE_TRAINING = 4, 32
COMPONENT, AMPLITUDE = 2, 0.5
EVERY = 300.0
"""Seconds between checkpoints, unless the time of the call is over before."""
TOLERANCE = 1e-2
"""Largest relative difference, in norm, between trainings in float32 and float64. A ReLU unit near
zero is active in one of them, which moves single entries of an NTK by per cents and all by 1e-3."""


class Task(NamedTuple):
    """Networks of a figure: their size, and the arguments of `train_ensemble`."""

    width: int
    networks: int
    depth: int
    x: np.ndarray
    target: np.ndarray
    samples: int
    schedule: Schedule
    relative: bool = False
    recorded: slice = slice(None)

    def train(self, device: jax.Device, dtype: Any, **options: Any) -> Ensemble:
        """Train the networks on a device."""
        with jax.default_device(device):
            return train_ensemble(
                seed_keys(0, self.width, self.networks),
                self.x,
                self.target,
                self.samples,
                relu_network(self.width, self.depth),
                self.schedule,
                relative=self.relative,
                recorded=self.recorded,
                dtype=dtype,
                devices=[device],
                **options,
            )

    @property
    def operations(self) -> float:
        """Products of all networks: steps, evaluations of f, and kernels at recorded points.

        f is evaluated at each record, before training, and once more for goals relative to f_0.
        """
        widths = layer_widths(self.x.shape[1], self.width, self.depth)
        schedule, recorded = self.schedule, len(self.x[self.recorded])
        evaluations = len(schedule.recorded) + (2 if self.relative else 1)
        each = schedule.recorded[-1] * step_operations(self.samples, widths)
        each += evaluations * forward_operations(len(self.x), widths)
        each += len(schedule.kernel_steps) * ntk_operations(recorded, widths)
        return self.networks * each


@dataclass
class Checkpoint:
    """Storage of one checkpoint in a file, due at intervals and at the deadline.

    `before` and `compiled_before` are seconds of work and of compilation in earlier calls.
    """

    file: Path
    deadline: float
    before: float = 0.0
    compiled_before: float = 0.0

    def __post_init__(self) -> None:
        self.began = self.saved = monotonic()
        self.compiled = COMPILED.seconds

    @property
    def seconds(self) -> tuple[float, float]:
        """Seconds of work, compilation left out, and of compilation, in all calls together."""
        compiled = COMPILED.seconds - self.compiled
        work = monotonic() - self.began - compiled
        return self.before + work, self.compiled_before + compiled

    def restore(self) -> TrainingState | None:
        """Read the checkpoint; None if there is none."""
        if not self.file.exists():
            return None
        with np.load(self.file, allow_pickle=False) as saved:
            kept = json.loads(str(saved["kept"]))
            arrays = [saved[f"array_{number}"] for number in range(kept["arrays"])]
        self.before, self.compiled_before = kept["seconds"]
        return TrainingState(kept["networks"], kept["step"], arrays)

    def due(self) -> bool:
        """Return True at the deadline, and some minutes after the last checkpoint."""
        return monotonic() > min(self.deadline, self.saved + EVERY)

    def save(self, state: TrainingState) -> None:
        """Replace the checkpoint; raise Paused if the deadline has passed."""
        kept = {"networks": state.networks, "step": state.step, "arrays": len(state.arrays)}
        arrays = {f"array_{number}": array for number, array in enumerate(state.arrays)}
        save_arrays(self.file, {**arrays, "kept": json.dumps({**kept, "seconds": self.seconds})})
        self.saved = monotonic()
        if self.saved > self.deadline:
            raise Paused(f"paused after step {state.step}; the next call resumes")


def save_arrays(file: Path, arrays: Mapping[str, Any]) -> None:
    """Write an .npz file, complete or not at all."""
    unfinished = file.with_name(f".{file.name}")
    with unfinished.open("wb") as opened:
        np.savez(opened, **arrays)
    os.replace(unfinished, file)


def circle(machine: Machine, width: int, networks: int, steps: int, angles: int) -> Result:
    """Figure 1: NTK on the circle before and after training on x_1 x_2."""
    random = np.random.default_rng(0).standard_normal((CIRCLE_TRAINING, 2))
    angle = np.linspace(-np.pi, np.pi, angles)  # 0 is among them if their number is odd
    x = np.concatenate([random, np.stack([np.cos(angle), np.sin(angle)], axis=1)])
    target, probe = x[:, :1] * x[:, 1:], slice(len(random), None)
    schedule = Schedule(1.0, [0, steps], [0, steps])
    task = Task(width, networks, CIRCLE_DEPTH, x, target, len(random), schedule, recorded=probe)
    ensemble, timing = _trained(machine, task, "figure_1")
    limit, ntk = limiting_ntk(x[probe], CIRCLE_DEPTH), ensemble.ntk[..., 0, 0]
    save_arrays(
        machine.folder / f"figure_1_{width}.npz",
        {"angle": angle, "step": [0, steps], "ntk": ntk, "limiting_ntk": limit},
    )
    start, end = (float(np.mean(ntk[:, time]) / np.mean(limit)) for time in (0, 1))
    note = f"mean NTK over its limit: {start:.4f} at t = 0, {end:.4f} at t = {steps}"
    return _result(machine, task, timing, "ntk", note)


def component(machine: Machine, width: int, networks: int, steps: int, samples: int) -> Result:
    """Figure 3: distance from f_0 + 0.5 f^(2) along the component and across it, in training."""
    x, kind = digits(samples)
    eigenvalues, mode = principal_component(limiting_ntk(x, DEPTH))
    marks = [int(step) for step in np.linspace(0, steps, min(81, steps + 1)).round()]
    target, schedule = AMPLITUDE * mode[:, None], Schedule(RATE, marks, [0])
    task = Task(width, networks, DEPTH, x, target, samples, schedule, relative=True)
    ensemble, timing = _trained(machine, task, "figure_3")
    time, (along, across) = RATE * np.array(marks), distances(ensemble, mode)
    limit = AMPLITUDE * (1 - RATE * eigenvalues[COMPONENT - 1]) ** np.array(marks)
    initial = [principal_component(ntk[0, :, :, 0, 0])[0] for ntk in ensemble.ntk]
    save_arrays(
        machine.folder / f"figure_3_{width}.npz",
        {"time": time, "along": along, "across": across, "limiting_along": limit}
        | {"eigenvalue": eigenvalues, "network_eigenvalue": initial}
        | {"f": ensemble.f, "goal": ensemble.goal},
    )
    values = " and ".join(
        ", ".join(f"{value:.3g}" for value in three) for three in (initial[0], eigenvalues)
    )
    note = f"{kind}; eigenvalues of the first network and of the limit {values}; at t = "
    note += f"{time[-1]:g} ||g_t|| is {np.mean(along[:, -1]):.4f}, {limit[-1]:.4f} in the limit"
    note += f", ||h_t|| {np.mean(across[:, -1]):.4f}"
    return _result(machine, task, timing, "f", note)


def principal_component(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Three largest eigenvalues of K/N, and the eigenfunction of the second, of norm 1 in p_in."""
    samples = len(kernel)
    values, vectors = scipy.linalg.eigh(
        kernel / samples, subset_by_index=[samples - 3, samples - 1]
    )
    mode = np.sqrt(samples) * vectors[:, -COMPONENT]
    return values[::-1], mode * np.sign(mode[np.argmax(np.abs(mode))])


def distances(ensemble: Ensemble, mode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """||g_t|| and ||h_t|| (s, t): distance from the goal along `mode` and across it."""
    residual = (ensemble.f - ensemble.goal[:, None])[..., 0].astype(np.float64)
    along = residual @ mode / len(mode)
    across = residual - along[..., None] * mode
    return np.abs(along), np.sqrt(np.mean(across**2, axis=-1))


def _trained(machine: Machine, task: Task, name: str) -> tuple[Ensemble, Timing]:
    """Records of networks trained on the device, and the time that all calls took together."""
    file = machine.folder / f"{name}_{task.width}.checkpoint.npz"
    checkpoint = Checkpoint(file, machine.deadline)
    ensemble = task.train(
        machine.device, np.float32, checkpointer=checkpoint, progress=machine.progress
    )
    return ensemble, Timing(*checkpoint.seconds, 1, *piece_peak(machine))


def _result(machine: Machine, task: Task, timing: Timing, field: str, note: str) -> Result:
    """Result of a figure whose agreement is that of the records `field`."""
    shape = (task.samples, task.width, task.width)
    return Result(
        timing=timing,
        operations=task.operations,
        product=machine.product("float32"),
        shape=shape,
        shape_product=machine.product_of(shape, "float32"),
        agreement=_agreement(machine, task, field),
        note=note,
    )


def _agreement(machine: Machine, task: Task, field: str) -> Agreement:
    """Records of narrow networks in float32 on the device and in float64 on the CPU."""
    narrow = task._replace(width=16 if machine.quick else 256)
    single = narrow.train(machine.device, np.float32)
    double = narrow.train(machine.cpu, np.float64)
    error = relative_norm(getattr(single, field), getattr(double, field))
    compared = f"{field} in training with n = {narrow.width}, float64, norm"
    return Agreement(compared, error, TOLERANCE)
