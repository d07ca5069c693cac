"""The benchmark's table, from files as Snakemake writes them."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.rule_times import main, overhead, read_jobs, report, summarise

COLUMNS = ["s", "h:m:s", "max_rss", "max_vms", "max_uss", "max_pss", "io_in", "io_out"]
COLUMNS += ["mean_load", "cpu_time"]


def write_benchmark(file: Path, seconds: float, max_rss: str, cpu_time: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    row = [str(seconds), "0:00:00", max_rss, *["0.00"] * 6, cpu_time]
    file.write_text("\t".join(COLUMNS) + "\n" + "\t".join(row) + "\n")


@pytest.fixture
def jobs(tmp_path) -> pd.DataFrame:
    write_benchmark(tmp_path / "train" / "first" / "width-10.tsv", 6.0, "100.0", "5.0")
    write_benchmark(tmp_path / "train" / "first" / "width-20.tsv", 9.0, "300.0", "8.0")
    write_benchmark(tmp_path / "plot.tsv", 5.0, "-", "NA")
    return read_jobs(tmp_path)


def test_rules_are_summed_longest_first(jobs):
    table = summarise(jobs)
    assert list(table.index) == ["train", "plot"]
    assert list(table["jobs"]) == [2, 1]
    assert list(table["seconds"]) == [15.0, 5.0]
    assert list(table["share"]) == [0.75, 0.25]
    assert table.loc["train", "cpu_seconds"] == 13.0
    assert pd.isna(table.loc["plot", "cpu_seconds"])
    assert table.loc["train", "max_rss"] == 300.0


def test_overhead_is_the_time_without_a_job(jobs):
    assert overhead(jobs, wall=20.0, cores=2) == pytest.approx(0.5)


def test_report_names_every_figure(jobs):
    text = report(jobs, wall=20.0, cores=2)
    for part in (
        "train",
        "75.0%",
        "300",
        "wall time  20.0 s on 2 cores",
        "20.0 s in 3 jobs",
        "50.0%",
    ):
        assert part in text


def test_folder_without_benchmarks_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no benchmark file of Snakemake"):
        read_jobs(tmp_path)


def test_run_is_from_scratch(tmp_path, capsys):
    (tmp_path / "results").mkdir()
    with pytest.raises(SystemExit):
        main(["--directory", str(tmp_path)])
    assert "found results in" in capsys.readouterr().err
