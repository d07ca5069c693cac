"""Time `snakemake --dry-run` on studies of about 100 and 1000 jobs, in an empty folder."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
WIDTHS = 18
PER_EXPERIMENT = WIDTHS + 2
"""Jobs: a training for each width, a measurement and a figure."""


def study_of(jobs: int) -> dict[str, Any]:
    """Overlay over the default study whose plan has about this number of jobs."""
    names = [f"drift_{number}" for number in range(jobs // PER_EXPERIMENT)]
    experiment = {
        "measure": "kernel_drift",
        "dataset": "some_digits",
        "network": "relu_4_ten_he",
        "widths": list(range(8, 8 + WIDTHS)),
        "training": {"learning_rate": 0.1, "steps": 10, "cost": "cross_entropy"},
    }
    return {"run": names, "experiments": dict.fromkeys(names, experiment)}


def planning(jobs: int, folder: Path) -> float:
    """Seconds to plan a study of about this number of jobs; CalledProcessError if that fails."""
    overlay = folder / f"{jobs}.json"
    overlay.write_text(json.dumps(study_of(jobs)), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--directory", str(folder), "--cores", "1", "--dry-run", "--quiet", "all"]
    command += ["--configfile", str(overlay)]
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, then print the least time of each plan."""
    parser = argparse.ArgumentParser(description="Time the planning of studies.")
    parser.add_argument("--jobs", type=int, nargs="+", default=[100, 1000], help="sizes of plans")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    repeats = range(options.repeats)
    with tempfile.TemporaryDirectory(prefix="ntkflow-bench-") as temporary:
        folder = Path(temporary)
        for jobs in options.jobs:
            least = min(planning(jobs, folder) for _ in repeats)
            print(f"plan of {jobs:5d} jobs  {least:6.2f} s", flush=True)


if __name__ == "__main__":
    main()
