"""Run a study from scratch and print where the time goes, rule by rule.

The numbers are Snakemake's own (`benchmark:` of each rule). Nothing is written but the results of
the run, into a temporary folder or into `--directory`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[1]


def run_study(directory: Path, configfiles: Sequence[Path], cores: int) -> float:
    """Wall time in seconds of the workflow, run in `directory` with overlays over the study.

    Raises
    ------
    subprocess.CalledProcessError
        If the workflow fails; what it said is on the terminal.
    """
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--directory", str(directory), "--cores", str(cores)]
    if configfiles:
        command += ["--configfile", *(str(path.resolve()) for path in configfiles)]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=sys.stderr)
    return time.perf_counter() - start


def read_jobs(folder: Path) -> pd.DataFrame:
    """One row a job, from the files ``{rule}/{wildcards}.tsv`` of `folder`.

    Columns: rule, seconds, cpu_seconds, max_rss (MiB); NaN where a job was too short to measure.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    files = sorted(folder.rglob("*.tsv"))
    if not files:
        raise FileNotFoundError(
            f"no benchmark file of Snakemake (*.tsv) in {folder}; expected one for each job: give "
            "each rule `benchmark:`"
        )
    rows = [pd.read_csv(file, sep="\t", na_values=["-", "NA"]).iloc[0] for file in files]
    return pd.DataFrame(
        {
            "rule": [file.relative_to(folder).parts[0].removesuffix(".tsv") for file in files],
            "seconds": [float(row["s"]) for row in rows],
            "cpu_seconds": [float(row["cpu_time"]) for row in rows],
            "max_rss": [float(row["max_rss"]) for row in rows],
        }
    )


def summarise(jobs: pd.DataFrame) -> pd.DataFrame:
    """One row a rule, the longest first: jobs, total seconds, their share, and the peak memory."""
    table = jobs.groupby("rule").agg(
        jobs=("seconds", "size"),
        seconds=("seconds", "sum"),
        cpu_seconds=("cpu_seconds", lambda seconds: seconds.sum(min_count=1)),
        max_rss=("max_rss", "max"),
    )
    table.insert(2, "share", table["seconds"] / table["seconds"].sum())
    return table.sort_values("seconds", ascending=False)


def overhead(jobs: pd.DataFrame, wall: float, cores: int) -> float:
    """Share of the cores' time in which no job ran: start of Snakemake, its DAG, idle cores.

    A job on several cores counts as one, so that this is an upper bound if there is one.
    """
    return float(1 - jobs["seconds"].sum() / (cores * wall))


def report(jobs: pd.DataFrame, wall: float, cores: int) -> str:
    """Lay out the table and the totals as text."""
    table = summarise(jobs).rename(columns={"max_rss": "max RSS, MiB", "cpu_seconds": "CPU, s"})
    table = table.rename_axis(index=None, columns="rule")
    plain = "{:.1f}".format
    columns = {"seconds": plain, "CPU, s": plain, "share": "{:.1%}".format}
    body = table.to_string(formatters={**columns, "max RSS, MiB": "{:.0f}".format}, na_rep="-")
    return (
        f"{body}\n\n"
        f"wall time  {wall:.1f} s on {cores} cores\n"
        f"jobs       {jobs['seconds'].sum():.1f} s in {len(jobs)} jobs, "
        f"{jobs['cpu_seconds'].sum():.1f} s of CPU time\n"
        f"overhead   {overhead(jobs, wall, cores):.1%} of cores x wall time without a job"
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
        directory = options.directory or Path(temporary)
        wall = run_study(directory, options.configfile, options.cores)
        print(report(read_jobs(directory / "results" / "benchmarks"), wall, options.cores))


if __name__ == "__main__":
    main()
