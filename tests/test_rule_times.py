"""The benchmark's table, from a job run under its clock and from files as Snakemake writes them."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from benchmarks.rule_times import INSTRUMENT, main, peak_memory, read_phases, report

JOB = """
import time
from types import SimpleNamespace
import jax
import ntkflow.stores.zarr as zarr

snakemake = SimpleNamespace(rule="a_rule")
jax.jit(lambda x: x + 1)(1.0)
time.sleep(0.2)
"""


@pytest.fixture(scope="module")
def timed_job(tmp_path_factory) -> dict[str, float]:
    """Record of a process that imports, compiles and then sleeps for 0.2 s."""
    folder = tmp_path_factory.mktemp("phases")
    path = os.pathsep.join([str(INSTRUMENT), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "NTKFLOW_PHASES": str(folder)}
    subprocess.run([sys.executable, "-c", JOB], env=environment, check=True)
    (file,) = folder.iterdir()
    return json.loads(file.read_text())


def test_clock_finds_imports_compilation_and_work(timed_job):
    assert timed_job.pop("rule") == "a_rule"
    assert {"import jax", "import zarr", "trace", "compile", "interpreter"} <= {*timed_job}
    assert min(timed_job.values()) >= 0
    assert timed_job["work"] > 0.2


def test_programs_start_as_modules_under_the_clock(tmp_path):
    path = {"PYTHONPATH": str(INSTRUMENT), "NTKFLOW_PHASES": str(tmp_path)}
    command = [sys.executable, "-m", "snakemake", "--version"]
    subprocess.run(command, env={**os.environ, **path}, check=True)


def write(folder, name, **record):
    (folder / f"{name}.json").write_text(json.dumps(record))


def test_phases_are_grouped_and_no_second_is_lost(tmp_path):
    phases = {"interpreter": 0.1, "import snakemake": 0.2, "import jax": 1.0, "import optax": 0.5}
    phases |= {"import pandas": 0.25, "import yaml": 0.05, "trace": 0.3, "compile": 2.0}
    phases |= {"write": 0.4, "work": 5.0}
    write(tmp_path, "one", rule="train", **phases)
    jobs = read_phases(tmp_path)
    row = jobs.iloc[0]
    assert row["start"] == pytest.approx(0.3)
    assert row["JAX"] == 1.5
    assert row["other imports"] == 0.05
    assert row.drop("rule").sum() == pytest.approx(sum(phases.values()))


def test_overhead_counts_all_but_work_and_writing(tmp_path):
    write(tmp_path, "one", rule="train", work=6.0, compile=3.0)
    write(tmp_path, "two", rule="train", work=1.0, write=2.0)
    write(tmp_path, "three", rule="plot", draw=4.0)
    text = report(read_phases(tmp_path), pd.Series({"train": 300.0}), wall=10.0, cores=2)
    lines = text.splitlines()
    assert lines[1].split()[:3] == ["train", "2", "12.0"]
    assert lines[1].split()[-1] == "300"
    assert lines[2].split()[-1] == "-"
    assert "16.0 s in 3 jobs" in text
    assert "overhead   55%" in text


def test_memory_is_that_of_the_largest_job(tmp_path):
    for width, peak in (("10", "100.0"), ("20", "300.0"), ("30", "-")):
        file = tmp_path / "train" / f"width-{width}.tsv"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"s\tmax_rss\n1.0\t{peak}\n")
    (tmp_path / "plot.tsv").write_text("s\tmax_rss\n0.1\tNA\n")
    peaks = peak_memory(tmp_path)
    assert peaks["train"] == 300
    assert pd.isna(peaks["plot"])


def test_folder_without_records_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no record of a job"):
        read_phases(tmp_path)


def test_run_is_from_scratch(tmp_path, capsys):
    (tmp_path / "results").mkdir()
    with pytest.raises(SystemExit):
        main(["--directory", str(tmp_path)])
    assert "found results in" in capsys.readouterr().err
