"""What the workflow costs beside its computations: planning, and the start of each script.

Planning is `snakemake --dry-run` on studies of about so many jobs, in an empty folder. The start
of a script is a new Python that runs it up to its `main`: mostly imports. Nothing is computed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
SCRIPTS = sorted((REPOSITORY / "workflow" / "scripts").glob("*.py"))
WIDTHS = 18
PER_EXPERIMENT = WIDTHS + 2
"""Jobs: a training for each width, a measurement and a figure."""


def study_of(jobs: int) -> dict[str, Any]:
    """A configuration whose plan has about so many jobs; an overlay over the default study."""
    names = [f"drift_{number}" for number in range(jobs // PER_EXPERIMENT)]
    experiment = {
        "measure": "kernel_drift",
        "dataset": "some_digits",
        "network": "relu_4_ten_he",
        "widths": list(range(8, 8 + WIDTHS)),
        "training": {"learning_rate": 0.1, "steps": 10, "cost": "cross_entropy"},
    }
    return {"run": names, "experiments": dict.fromkeys(names, experiment)}


def seconds_of(command: Sequence[str], folder: Path) -> float:
    """Wall time of a command.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails; what it said is on the terminal.
    """
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def planning(jobs: int, folder: Path) -> float:
    """Seconds to plan a study of about so many jobs."""
    overlay = folder / f"{jobs}.json"
    overlay.write_text(json.dumps(study_of(jobs)), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--directory", str(folder), "--cores", "1", "--dry-run", "--quiet", "all"]
    return seconds_of([*command, "--configfile", str(overlay)], folder)


def start(script: Path, folder: Path) -> float:
    """Seconds for a script to be ready for its work."""
    return seconds_of(
        [sys.executable, "-c", f"import runpy; runpy.run_path({str(script)!r})"], folder
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure and print; the least of so many repeats each."""
    parser = argparse.ArgumentParser(description="Time what the workflow adds to its computations.")
    parser.add_argument("--jobs", type=int, nargs="+", default=[100, 1000], help="sizes of plans")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    repeats = range(options.repeats)
    with tempfile.TemporaryDirectory(prefix="ntkflow-bench-") as temporary:
        folder = Path(temporary)
        for jobs in options.jobs:
            least = min(planning(jobs, folder) for _ in repeats)
            print(f"plan of {jobs:5d} jobs  {least:6.2f} s", flush=True)
        empty = min(seconds_of([sys.executable, "-c", ""], folder) for _ in repeats)
        print(f"start of Python     {empty:6.2f} s")
        for script in SCRIPTS:
            least = min(start(script, folder) for _ in repeats)
            print(f"start of {script.stem:28} {least:6.2f} s", flush=True)


if __name__ == "__main__":
    main()
