"""Files of the code are compared by content: what is only rewritten, as by git, re-runs nothing."""

import os
from pathlib import Path

import pytest
import yaml

from tests.faults.studies import Study

RECORDS = {"tabulate_claims": 1, "record_provenance": 1, "render_report": 1}
PLOTTED = {"plot": 1, **RECORDS}
EDITED = {
    "plot": PLOTTED,
    "train_networks": {"train_networks": 1, "measure": 1, **PLOTTED},
}


def code(study: Study) -> list[Path]:
    """All files that git writes when it switches branches."""
    folders = [study.folder / name for name in ("ntkflow", "workflow", "config", "profiles")]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return [*files, study.folder / "Snakefile", study.folder / "environment.yml"]


@pytest.mark.slow
def test_rewritten_files_rerun_nothing_and_an_edited_script_its_jobs(finished_study: Study) -> None:
    study = finished_study
    for file in code(study):
        os.utime(file)
    assert "Nothing to be done" in study.snakemake("--dry-run")
    for rule, jobs in EDITED.items():
        script = study.folder / "workflow" / "scripts" / f"{rule}.py"
        former = script.read_bytes()
        script.write_bytes(former + b"\nEDITED = True\n")
        assert study.planned() == jobs
        script.write_bytes(former)
    assert "Nothing to be done" in study.snakemake("--dry-run")


@pytest.mark.slow
def test_an_edited_script_has_run_and_then_counts_as_it_is(finished_study: Study) -> None:
    script = finished_study.folder / "workflow" / "scripts" / "plot.py"
    script.write_bytes(script.read_bytes() + b"\nEDITED = True\n")
    finished_study.snakemake()
    os.utime(script)
    assert "Nothing to be done" in finished_study.snakemake("--dry-run")


def test_every_profile_compares_by_content() -> None:
    profiles = [*Path(__file__).parents[2].glob("profiles/*/*.yaml")]
    assert len(profiles) == 3
    for profile in profiles:
        triggers = yaml.safe_load(profile.read_text(encoding="utf-8"))["rerun-triggers"]
        assert triggers == ["mtime", "params", "input", "software-env"], profile
