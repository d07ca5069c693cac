"""Time and memory of limiting kernels written to a Zarr store, in a process of their own.

Run with one argument of JSON (inputs, a path; store, a path; and the network's keywords), it writes
the store and prints a line of JSON: the seconds after which the call `returned`, and after which
its files were `synced` to disk.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # which Snakemake requires

from benchmarks.floors import (
    flush,
    half_product,
    inputs,
    interleave,
    products,
    seconds,
    write_files,
)
from benchmarks.limiting_tables import Case, StoreRow, Timing

INTERVAL = 0.05  # seconds between two looks at the memory
BAND = 2048  # rows of the floor's product at a time: the whole would not fit


def store(settings: Mapping[str, Any], write: Callable[..., object]) -> dict[str, float]:
    """Seconds until `write`, called as `store_limiting_kernels`, returned and was on disk."""
    keywords = dict(settings)
    x, folder = np.load(keywords.pop("inputs")), Path(keywords["store"])
    start = time.perf_counter()
    write(x, **keywords)
    returned = time.perf_counter() - start
    flush(files(folder))
    return {"returned": returned, "synced": time.perf_counter() - start}


def files(folder: Path) -> list[Path]:
    """All files below `folder`, in a fixed order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def resident(process: psutil.Process) -> int:
    """Resident bytes of a process and its descendants, summed: shared pages count for each."""
    total = 0
    try:
        for member in (process, *process.children(recursive=True)):
            total += member.memory_info().rss
    except psutil.NoSuchProcess:
        pass  # one has just ended; the next look sees the rest
    return total


def watched(command: Sequence[str]) -> tuple[dict[str, float], int]:
    """What the command printed as JSON, and the peak memory in bytes of its processes.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails; what it said is on the terminal.
    """
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        tree = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, resident(tree))
            time.sleep(INTERVAL)
        printed = process.stdout.read() if process.stdout is not None else b""
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return dict(json.loads(printed)), peak


def measure_store(case: Case, command: Sequence[str], directory: Path, repeats: int) -> StoreRow:
    """Store the kernels of `case` below `directory`, which has room for them, and measure it.

    The floors, half the product and a plain writing of as many bytes, are measured in between.
    `command` is this module with its Python. Nothing is left in `directory`.
    """
    x = inputs(case.inputs, case.samples, case.features, case.precision)
    runs, disk, peaks = [], [], []
    with tempfile.TemporaryDirectory(prefix="ntkflow-bench-", dir=directory) as temporary:
        target, plain, given = (Path(temporary) / n for n in ("kernels.zarr", "plain", "x.npy"))
        np.save(given, x)
        network = {"depth": case.depth, "activation": case.activation, "precision": case.precision}
        settings = {**network, "beta": 0.1, "inputs": str(given), "store": str(target)}
        for _ in range(repeats):
            answer, peak = watched([*command, json.dumps(settings)])
            runs.append(answer)
            peaks.append(peak)
            sizes = tuple(file.stat().st_size for file in files(target))
            shutil.rmtree(target)
            disk.append(seconds(partial(write_files, plain, sizes)))
            shutil.rmtree(plain)
    return StoreRow(
        case=case,
        synced=Timing.of([run["synced"] for run in runs]),
        returned=Timing.of([run["returned"] for run in runs]),
        sizes=sizes,
        half_product=half_product(interleave(products(x, BAND), repeats)),
        disk=Timing.of(disk).median,
        peak=max(peaks),
    )


def main() -> None:
    """Write one store."""
    from ntkflow.api import store_limiting_kernels

    print(json.dumps(store(json.loads(sys.argv[1]), store_limiting_kernels)))


if __name__ == "__main__":
    main()
