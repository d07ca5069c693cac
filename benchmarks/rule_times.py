"""Run a study from scratch and print where the time of its jobs goes, rule by rule.

Every process of the run is timed by `instrument/sitecustomize.py`; peak memory is Snakemake's
(`benchmark:` of each rule). Results go to a temporary folder or to `--directory`. Linux only.
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

import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[1]
INSTRUMENT = Path(__file__).parent / "instrument"

# Phases in the order of the table; all other imports are `other imports`.
START = ["interpreter", "import snakemake"]
LIBRARIES = {
    "JAX": ["jax", "jaxlib", "optax", "orbax", "etils", "ml_dtypes"],
    "arrays": ["numpy", "pandas", "xarray", "zarr", "numcodecs", "dask", "donfig", "fsspec"],
    "SciPy": ["scipy", "sklearn", "joblib", "threadpoolctl"],
    "Matplotlib": ["matplotlib", "mpl_toolkits", "fontTools", "pyparsing", "PIL"],
}
USEFUL = ["work", "write"]


def run_study(directory: Path, configfiles: Sequence[Path], cores: int, phases: Path) -> float:
    """Run the workflow in `directory` and return its wall time in seconds.

    Each job writes its phases to the folder `phases`. CalledProcessError if the workflow fails,
    after its output on the terminal.
    """
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--directory", str(directory), "--cores", str(cores)]
    if configfiles:
        command += ["--configfile", *(str(path.resolve()) for path in configfiles)]
    path = [str(INSTRUMENT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"NTKFLOW_PHASES": str(phases), "PYTHONPATH": os.pathsep.join(path)}
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=sys.stderr, env={**os.environ, **environment})
    return time.perf_counter() - start


def read_phases(folder: Path) -> pd.DataFrame:
    """One row per job: its rule, and the seconds of each column of the table.

    FileNotFoundError if the folder has no record of a job.
    """
    records = [json.loads(file.read_text(encoding="utf-8")) for file in folder.glob("*.json")]
    if not records:
        raise FileNotFoundError(f"no record of a job (*.json) in {folder}; expected one for each")
    jobs = pd.DataFrame(records).fillna(0.0)
    grouped = {"start": START}
    grouped |= {name: [f"import {p}" for p in packages] for name, packages in LIBRARIES.items()}
    named = [phase for phases in grouped.values() for phase in phases]
    rest = [name for name in jobs if name.startswith("import ") and name not in named]
    grouped |= {"other imports": rest}
    grouped |= {phase: [phase] for phase in ("trace", "compile", "draw", "write", "work")}
    table = {name: jobs.reindex(columns=phases).sum(axis=1) for name, phases in grouped.items()}
    return pd.DataFrame({"rule": jobs["rule"], **table})


def peak_memory(folder: Path) -> pd.Series:
    """Largest resident memory of a job by rule, in MiB, from ``{rule}/{wildcards}.tsv``."""
    files = list(folder.rglob("*.tsv"))
    rules = [file.relative_to(folder).parts[0].removesuffix(".tsv") for file in files]
    read = [pd.read_csv(file, sep="\t", na_values=["-", "NA"])["max_rss"].iloc[0] for file in files]
    return pd.Series(read, index=rules, dtype=float).groupby(level=0).max()


def report(jobs: pd.DataFrame, memory: pd.Series, wall: float, cores: int) -> str:
    """Lay out seconds by rule and phase, summed over jobs, and the totals as text."""
    phases = [name for name in jobs if name != "rule"]
    table = jobs.groupby("rule")[phases].sum()
    table.insert(0, "seconds", table.sum(axis=1))
    table.insert(0, "jobs", jobs.groupby("rule").size())
    table = table.sort_values("seconds", ascending=False)
    table.loc["all"] = table.sum()
    table["max RSS, MiB"] = memory
    formats = dict.fromkeys(["seconds", *phases], "{:.1f}".format)
    whole = dict.fromkeys(["jobs", "max RSS, MiB"], "{:.0f}".format)
    body = table.rename_axis(index=None).to_string(formatters={**formats, **whole}, na_rep="-")
    total, useful = table.loc["all", "seconds"], table.loc["all", USEFUL].sum()
    return (
        f"{body}\n\n"
        f"wall time  {wall:.1f} s on {cores} cores, {total:.1f} s in {len(jobs)} jobs\n"
        f"overhead   {1 - useful / (cores * wall):.0%} of cores x wall time are neither work nor "
        "writing"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, run the study and print the table."""
    parser = argparse.ArgumentParser(description="Time the rules of a study, run from scratch.")
    parser.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        action="extend",  # several flags add up
        default=[],
        help="overlays over the default study",
    )
    parser.add_argument("--directory", type=Path, help="empty folder to run in and keep")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="default: all")
    options = parser.parse_args(arguments)
    if options.directory is not None and (options.directory / "results").exists():
        parser.error(
            f"found results in {options.directory}, which would not be made again: name another "
            "folder or remove them"
        )
    with tempfile.TemporaryDirectory(prefix="ntkflow-bench-") as temporary:
        directory, phases = options.directory or Path(temporary), Path(temporary) / "phases"
        phases.mkdir()
        wall = run_study(directory, options.configfile, options.cores, phases)
        memory = peak_memory(directory / "results" / "benchmarks")
        print(report(read_phases(phases), memory, wall, options.cores))


if __name__ == "__main__":
    main()
