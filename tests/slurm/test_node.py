"""The script that starts a Slurm recognises what a killed run has left; no Slurm is needed."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.slurm.conftest import DAEMONS, NODE

Result = subprocess.CompletedProcess[str]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Environment with programs in place of Slurm's, and another folder than /etc/slurm."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in (*DAEMONS, "scancel", "sinfo"):
        (programs / name).write_text("#!/bin/sh\necho idle\n")
        (programs / name).chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    return {"PATH": path, "NODE_CONFIGURATION": str(tmp_path / "etc")}


def node(verb: str, folder: Path, environment: dict[str, str], *, killed: bool = False) -> Result:
    """Call the script from this process, or from one that ends before its node is stopped."""
    command = ["bash", str(NODE), verb, str(folder)]
    if killed:
        command = ["bash", "-c", '"$@"; exit', "caller", *command]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_what_a_killed_run_has_left_is_removed(tmp_path: Path, environment: dict[str, str]) -> None:
    assert node("start", tmp_path / "one", environment, killed=True).returncode == 0
    assert node("start", tmp_path / "a b", environment).returncode == 0
    files = [*(tmp_path / "etc").iterdir()]
    assert len(files) == 3
    assert {file.read_text().splitlines()[0] for file in files} == {
        f"# Written by tests/slurm/node.sh for process {os.getpid()} in {tmp_path / 'a b'}"
    }
    assert node("stop", tmp_path / "one", environment).returncode == 0
    assert [*(tmp_path / "etc").iterdir()] == files
    assert node("stop", tmp_path / "a b", environment).returncode == 0
    assert not [*(tmp_path / "etc").iterdir()]


def test_no_other_slurm_is_touched(tmp_path: Path, environment: dict[str, str]) -> None:
    """Neither that of a run that goes on, nor one of the machine."""
    assert node("start", tmp_path / "one", environment).returncode == 0
    assert "this machine has a Slurm already" in node("start", tmp_path, environment).stderr
    assert node("stop", tmp_path / "one", environment).returncode == 0
    (tmp_path / "etc/slurm.conf").write_text("ClusterName=ours\n")
    assert "this machine has a Slurm already" in node("start", tmp_path, environment).stderr
    assert (tmp_path / "etc/slurm.conf").read_text() == "ClusterName=ours\n"


def test_a_process_with_the_number_of_a_daemon_is_not_ended(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "slurmd.pid").write_text(str(os.getpid()))
    assert node("stop", tmp_path, environment).returncode == 0
