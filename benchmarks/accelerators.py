"""Time the package on an accelerator relative to matrix products, and compare with the CPU.

    python benchmarks/accelerators.py FOLDER

It needs a checkout, JAX, NumPy, SciPy and optax, but no installation of the package. Each row of
the tables is written to FOLDER when it is measured. A second call measures what is missing.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))  # the package need not be installed

from benchmarks import accelerator_tables as tables  # noqa: E402 (needs the path)

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.accelerator_records import Machine, Result

DRIVER = Path("/proc/driver/nvidia/version")
SAMPLES = (8000, 16000, 30000, 60000)
STEPS = {1000: 100, 2000: 50, 5000: 20, 10000: 10}
"""Steps of a timed call, by width."""
POINTS = 512
SETTINGS = ("jax_default_matmul_precision", "jax_enable_x64", "jax_threefry_partitionable")


@dataclass(frozen=True)
class Piece:
    """One row of the tables, and the name of its file."""

    name: str
    group: str
    size: str
    precision: str
    compute: "Callable[[Machine], Result]"


class _Shaped:
    """Stand-in for the types of jaxtyping, whose shapes only a reader needs."""

    def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
        return item[0]


def provide_stand_ins() -> None:
    """Replace two packages that this benchmark can do without, if they are not installed.

    jaxtyping annotates arrays with shapes. pooch downloads MNIST, which is read from a folder here.
    """
    import jax

    if find_spec("jaxtyping") is None:
        module = ModuleType("jaxtyping")
        module.__dict__.update(Array=jax.Array, Float=_Shaped, Key=_Shaped)
        sys.modules["jaxtyping"] = module
    if find_spec("pooch") is None:
        sys.modules["pooch"] = ModuleType("pooch")


def plan(quick: bool) -> list[Piece]:
    """All rows, in the order in which they are measured."""
    from benchmarks import accelerator_figures as figures
    from benchmarks import accelerator_limits as limits
    from benchmarks import accelerator_rows as rows

    samples, steps, points = ((256,), {64: 3}, 64) if quick else (SAMPLES, STEPS, POINTS)
    size = 256 if quick else 2048
    single = partial(rows.single_products, size=size)
    pieces = [Piece("product", "product, TF32 off", f"{size}^3", "float32", single)]
    for precision in ("float32", "float64"):
        for count in samples:
            for place, function in (
                ("device", limits.limiting_on_device),
                ("host", limits.limiting_on_host),
            ):
                name = f"limiting_{precision}_{count}_{place}"
                group = f"limiting kernels, {place}"
                call = partial(function, samples=count, precision=precision)
                pieces.append(Piece(name, group, f"N = {count}", precision, call))
    for width, number in steps.items():
        call = partial(rows.training, width=width, samples=points, steps=number)
        name, text = f"training_{width}", f"n = {width}, N = {points}"
        pieces.append(Piece(name, "training step", text, "float32", call))
    for width in steps:
        for count in (points // 4, points):
            call = partial(rows.empirical, width=width, samples=count)
            name, text = f"empirical_{width}_{count}", f"n = {width}, N = {count}"
            pieces.append(Piece(name, "empirical NTK", text, "float32", call))
    return pieces + _figures(figures, quick)


def _figures(figures: ModuleType, quick: bool) -> list[Piece]:
    """Rows of Figures 1 and 3."""
    width, seeds, steps, angles = (16, 2, 10, 9) if quick else (10000, 10, 200, 121)
    circle = partial(figures.circle, width=width, networks=seeds, steps=steps, angles=angles)
    first = f"n = {width}, {seeds} networks, {steps} steps"
    width, seeds, steps, samples = (16, 2, 40, 32) if quick else (10000, 2, 400, POINTS)
    component = partial(
        figures.component, width=width, networks=seeds, steps=steps, samples=samples
    )
    third = f"n = {width}, N = {samples}, {seeds} networks, {steps} steps"
    return [
        Piece(f"figure_1_{width}", "Figure 1", first, "float32", circle),
        Piece(f"figure_3_{width}", "Figure 3", third, "float32", component),
    ]


def head(device: Any, quick: bool) -> dict[str, Any]:
    """Circumstances of a row: device, versions, settings, date and commit."""
    import jax

    driver = ""
    with suppress(OSError):
        driver = DRIVER.read_text(encoding="utf-8").splitlines()[0]
    return {
        "device_kind": device.device_kind,
        "platform": device.platform,
        "backend": " ".join(device.client.platform_version.split()),
        "driver": driver,
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in ("jax", "jaxlib", "numpy", "scipy", "optax")},
        "settings": {
            **{name: jax.config.values[name] for name in SETTINGS},
            **{name: os.environ.get(name) for name in ("XLA_FLAGS", "NVIDIA_TF32_OVERRIDE")},
        },
        "date": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        "commit": commit(),
        "quick": quick,
    }


def commit() -> str:
    """Commit of the checkout, with a mark if files differ from it; nothing if there is none."""
    if not (REPOSITORY / ".git").exists():
        return ""
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def run(pieces: Sequence[Piece], machine: "Machine", wanted: Sequence[str]) -> int:
    """Measure the pieces that are missing until the deadline; number of those that remain.

    At least one piece is measured, or a step of its training, however early the deadline.
    """
    from benchmarks.accelerator_records import Paused

    missing = [
        (order, piece)
        for order, piece in enumerate(pieces)
        if piece.name.startswith(tuple(wanted)) and not _is_measured(machine.folder, piece)
    ]
    for done, (order, piece) in enumerate(missing):
        if done and time.monotonic() > machine.deadline:
            return len(missing) - done
        machine.progress(f"row {order + 1} of {len(pieces)}: {piece.group}, {piece.size}")
        try:
            row = measure(piece, machine)
        except Paused as pause:
            machine.progress(str(pause))
            return len(missing) - done
        row = {"piece": piece.name, "order": order, "group": piece.group} | row
        row |= {"size": piece.size, "precision": piece.precision}
        row |= {"head": head(machine.device, machine.quick)}
        tables.write_json(machine.folder / f"{piece.name}.json", row)
        (machine.folder / f"{piece.name}.checkpoint.npz").unlink(missing_ok=True)
    return 0


def _is_measured(folder: Path, piece: Piece) -> bool:
    row = tables.read_row(folder / f"{piece.name}.json")
    return row is not None and tables.measured(row)


def measure(piece: Piece, machine: "Machine") -> dict[str, Any]:
    """Numbers of a piece, or why there are none; Paused if its time is over."""
    from benchmarks.accelerator_records import LeftOut, Paused, peak_bytes

    try:
        return piece.compute(replace(machine, peak=peak_bytes(machine.device))).as_json()
    except Paused:
        raise
    except LeftOut as reason:
        return {"left_out": str(reason)}
    except Exception as error:  # out of memory, for example; the other rows go on
        text = " ".join(f"{type(error).__name__}: {error}".split())
        machine.progress(f"failed: {text}")
        return {"error": text[:500]}


def connect(options: argparse.Namespace) -> "Machine":
    """Configure JAX and find the first device and the CPU.

    Raises ValueError if the CPU is hidden, or the folder has rows of another device.
    """
    provide_stand_ins()
    import jax

    from benchmarks.accelerator_records import Machine
    from ntkflow.device import configure_jax

    configure_jax(os.cpu_count() or 1, deterministic=True)
    device = jax.devices()[0]
    try:
        (cpu, *_) = jax.devices("cpu")
    except RuntimeError:
        found = os.environ.get("JAX_PLATFORMS")
        raise ValueError(
            f"JAX_PLATFORMS: found {found!r}, expected the CPU in the list; append ',cpu'"
        ) from None
    present = _kind(device.device_kind, options.quick)
    for row in tables.read_rows(options.folder):
        found = _kind(row["head"]["device_kind"], row["head"]["quick"])
        if found != present:
            raise ValueError(
                f"{options.folder}: found rows of {found}, expected those of {present}; name "
                "another folder"
            )
    deadline = time.monotonic() + 60 * options.minutes
    return Machine(
        device, cpu, options.folder, options.quick, options.repeats, deadline, progress=report
    )


def _kind(device: str, quick: bool) -> str:
    return f"{device} with --quick" if quick else device


def report(text: str) -> None:
    """Print a line of progress with the time."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """Parser of the command line."""
    command = argparse.ArgumentParser(description="Measure ntkflow on an accelerator.")
    command.add_argument("folder", type=Path, help="folder of the rows and tables")
    command.add_argument("--quick", action="store_true", help="toy sizes, seconds on a CPU")
    command.add_argument("--table", action="store_true", help="print the tables, measure nothing")
    command.add_argument(
        "--only", nargs="+", default=[""], metavar="NAME", help="rows whose file begins with a NAME"
    )
    command.add_argument("--repeats", type=int, default=3, help="of each time; default: 3")
    command.add_argument(
        "--minutes", type=float, default=float("inf"), help="pause after this time; default: never"
    )
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if a row failed or disagrees with the CPU, else 0."""
    command = parser()
    options = command.parse_args(arguments)
    remaining = 0
    try:
        if options.repeats < 1:
            raise ValueError(f"--repeats: found {options.repeats}, expected at least 1")
        if not options.minutes > 0:
            raise ValueError(f"--minutes: found {options.minutes:g}, expected a positive number")
        if (options.table or options.folder.exists()) and not options.folder.is_dir():
            raise ValueError(f"{options.folder}: expected a folder with rows of this benchmark")
        if not options.table:
            options.folder.mkdir(parents=True, exist_ok=True)
            machine = connect(options)
            pieces = plan(options.quick)
            unknown = [n for n in options.only if not any(p.name.startswith(n) for p in pieces)]
            if unknown:
                names = ", ".join(piece.name for piece in pieces)
                raise ValueError(f"--only: found {unknown[0]!r}, expected the beginning of {names}")
            remaining = run(pieces, machine, options.only)
        print(tables.write_report(options.folder), end="")
    except (OSError, ValueError) as error:
        command.error(str(error))
    if remaining:
        report(f"rows remaining: {remaining}; the same command resumes with them")
    return int(any(map(tables.failed, tables.read_rows(options.folder))))


if __name__ == "__main__":
    sys.exit(main())
