"""Overlays: `make` lays them over the study of its verb; no --configfile is dropped silently."""

import itertools
import os
import shlex
import subprocess

import pytest

from tests.faults.trials import always_and_slow
from tests.workflow.conftest import CODE, REPOSITORY, Clone, copy_of_code

SMOKE = "config/smoke.yaml"


def command(*arguments: str) -> list[str]:
    """The command line of snakemake behind a verb of make."""
    run = subprocess.run(
        ["make", "--dry-run", "--assume-old=.venv/.ready", *arguments],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]},  # and not what another make hands on
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = [line for line in run.stdout.splitlines() if "/snakemake " in line]
    return shlex.split(line)


def separated(words: list[str]) -> tuple[list[str], list[str]]:
    """The files after the one --configfile of a command line, and its other words."""
    assert words.count("--configfile") == 1
    place = words.index("--configfile")
    files = [*itertools.takewhile(lambda word: not word.startswith("-"), words[place + 1 :])]
    return files, words[:place] + words[place + 1 + len(files) :]


@pytest.mark.parametrize(
    ("arguments", "files", "others"),
    [
        ([], [], []),
        (["ARGS=claims -n"], [], ["claims", "-n"]),
        (["CONFIG=a.yaml"], ["a.yaml"], []),
        (["CONFIG=a.yaml b.yaml"], ["a.yaml", "b.yaml"], []),
        (["CONFIG='a file.yaml'"], ["a file.yaml"], []),
        (["ARGS=--configfile a.yaml"], ["a.yaml"], []),
        (["ARGS=-n --configfile a.yaml b.yaml --quiet"], ["a.yaml", "b.yaml"], ["-n", "--quiet"]),
        (["ARGS=--configfile=a.yaml claims"], ["a.yaml"], ["claims"]),
        (["ARGS=--configfiles a.yaml"], ["a.yaml"], []),
        (["ARGS=--configfiles=b.yaml", "CONFIG=a.yaml"], ["a.yaml", "b.yaml"], []),
        (["ARGS=--configfile b.yaml", "CONFIG=a.yaml"], ["a.yaml", "b.yaml"], []),
    ],
)
def test_make_lays_overlays_over_the_study_of_its_verb(
    arguments: list[str], files: list[str], others: list[str]
) -> None:
    program = [".venv/bin/snakemake", "--cores", "all"]
    smoke = separated(command("smoke", *arguments))
    assert smoke == ([SMOKE, *files], [*program, "--directory", "results/smoke", *others])
    if files:
        assert separated(command("figures", *arguments)) == (files, [*program, *others])
        assert separated(command("claims", *arguments)) == (files, [*program, "claims", *others])
    else:
        assert command("figures", *arguments) == [*program, *others]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy of the code with two overlays."""
    folder = tmp_path_factory.mktemp("overlays") / "clone"
    copy_of_code(folder, *CODE)
    (folder / "a.yaml").write_text("seed: 3\n", encoding="utf-8")
    (folder / "b.yaml").write_text("run: [kernel_on_the_circle]\n", encoding="utf-8")
    return Clone(folder)


FLAGS = [
    ["--configfile", "a.yaml", "--configfile", "b.yaml"],
    ["--configfile=a.yaml", "--quiet", "--configfile", "b.yaml"],
    ["--configfile", "a.yaml", "--configfiles=b.yaml"],
]


@pytest.mark.parametrize("flags", always_and_slow("two configuration files", [(f,) for f in FLAGS]))
def test_two_flags_are_refused(clone: Clone, flags: list[str]) -> None:
    printed = clone.snakemake("--dry-run", *flags, ok=False)
    assert "found --configfile a.yaml --configfile b.yaml, of which Snakemake reads" in printed
    assert "write --configfile a.yaml b.yaml" in printed
    assert "Traceback" not in printed


def test_one_flag_takes_all_files(clone: Clone) -> None:
    planned = clone.planned("--configfile", "config/smoke.yaml", "a.yaml", "b.yaml")
    assert planned["train_networks"] > 0
    assert planned["plot"] == 1
