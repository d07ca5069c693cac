"""Jobs of Slurm, with commands that stand for it: `sbatch` starts a script at once."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from dask import delayed
from dask_jobqueue.slurm import SLURMCluster
from distributed import Client, Security, get_worker

from ntkflow.configuration.kernels import KernelsConfig
from ntkflow.scheduling import slurm
from ntkflow.scheduling.clusters import SETTINGS
from ntkflow.scheduling.slurm import slurm_arguments
from ntkflow.scheduling.tasks import compute

COMMANDS = {
    "sbatch": """
number=$(( $(ls *.job 2>/dev/null | wc -l) + 1 ))
cp "$1" "$number.job"
cd "$HOME_OF_JOB"
CUDA_VISIBLE_DEVICES=5,7 setsid bash "{folder}/$number.job" > "{folder}/$number.log" 2>&1 &
echo $! > "{folder}/$number.pid"
echo "Submitted batch job $number"
""",
    "scancel": 'echo "$1" >> cancelled; kill -TERM -- -$(cat "$1.pid")',
    "squeue": "for pid in *.pid; do kill -0 -- -$(cat $pid) && basename $pid .pid; done; exit 0",
}


def plain(**keys):
    """`kernels.scheduler` as the workflow passes it on."""
    config = KernelsConfig.model_validate({"scheduler": {"kind": "slurm", "jobs": 1, **keys}})
    return config.scheduler.model_dump(mode="json", exclude_none=True)


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """Folder of the jobs of a pretended Slurm."""
    folder, commands = tmp_path / "queue", tmp_path / "bin"
    folder.mkdir()
    commands.mkdir()
    for name, text in COMMANDS.items():
        script = f'#!/bin/bash\nHOME_OF_JOB=$PWD\ncd "{folder}"\n{text.format(folder=folder)}'
        (commands / name).write_text(script)
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(slurm, "PATIENCE", 2.0)
    return folder


def replace(queue, name, text):
    (queue.parent / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")


def where(seconds):
    time.sleep(seconds)
    return tuple(
        os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "XLA_PYTHON_CLIENT_PREALLOCATE")
    )


def job_script(scheduler, path="/a folder:/b"):
    with SLURMCluster(**slurm_arguments(scheduler, SETTINGS, path)) as cluster:
        return cluster.job_script().splitlines()


def test_script_of_a_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scheduler = plain(
        cores=8,
        memory="16GiB",
        walltime="02:30:00",
        partition="main",
        account="lab",
        extra=["--constraint=a100", "--qos=long"],
    )
    script = job_script(scheduler)
    assert [line for line in script if line.startswith("#SBATCH") and " results/" not in line] == [
        "#SBATCH -J ntkflow",
        "#SBATCH -p main",
        "#SBATCH -A lab",
        "#SBATCH -n 1",
        "#SBATCH --cpus-per-task=8",
        "#SBATCH --mem=16G",
        "#SBATCH -t 02:30:00",
        "#SBATCH --constraint=a100",
        "#SBATCH --qos=long",
    ]
    assert "export PYTHONPATH='/a folder:/b'" in script
    assert "export DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE=False" in script
    assert not any("PREALLOCATE" in line for line in script)
    assert script[-1].startswith(f"{sys.executable} -m distributed.cli.dask_worker tcp://")
    assert " --nthreads 8 --memory-limit 16.00GiB " in script[-1]


def test_script_of_a_job_with_gpus_starts_a_worker_for_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = job_script(plain(cores=8, memory="64GiB", gpus=4))
    assert {"#SBATCH --gpus=4", "#SBATCH --cpus-per-task=8"} < set(script)
    assert "export XLA_PYTHON_CLIENT_PREALLOCATE=false" in script
    assert " --nthreads 1 --memory-limit 16.00GiB --nworkers 4 " in script[-1]


def test_what_is_not_given_is_left_to_the_site(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = job_script(plain())
    assert not any(line.startswith(("#SBATCH -p", "#SBATCH -A")) for line in script)


def test_jobs_compute_and_are_cancelled(queue):
    assert compute([delayed(where)(0) for _ in range(4)], plain(), 1) == [("5,7", None)] * 4
    assert (queue / "cancelled").read_text().split() == ["1"]


def test_scheduler_of_jobs_is_reached_with_the_keys_of_the_run_alone(queue):
    """Which are gone with the run, and which nobody else could read."""

    def look():
        (folder,) = Path(slurm.LOGS).absolute().glob(".keys-*")
        address = get_worker().scheduler.address
        assert address.startswith("tls://")
        assert folder.stat().st_mode & 0o77 == 0
        for place, security in (
            (address.replace("tls", "tcp"), None),
            (address, Security.temporary()),
        ):
            with pytest.raises(OSError):  # noqa: PT011 - reset, closed or timed out
                Client(place, security=security, timeout=1, set_as_default=False)
        return True

    assert compute([delayed(look)()], plain(), 1) == [True]
    assert not list(Path(slurm.LOGS).glob(".keys-*"))


@pytest.mark.slow
def test_job_that_ended_is_submitted_again(queue, tmp_path):
    """A job with two workers, one a GPU, killed as a whole."""
    ended = tmp_path / "ended"

    def work(index):
        if index == 30 and not ended.exists():
            ended.touch()
            os.killpg(0, signal.SIGKILL)
        return where(0.1)

    found = compute([delayed(work)(i) for i in range(40)], plain(gpus=2, cores=2), 1)
    assert set(found) == {("5", "false"), ("7", "false")}
    assert len(list(queue.glob("*.job"))) == 2


def test_jobs_that_end_without_a_worker_are_an_error(queue, monkeypatch):
    monkeypatch.setattr(slurm, "PATIENCE", 0.1)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(
        RuntimeError, match=r"^kernels.scheduler: found that the jobs 1 of Slurm en"
    ):
        compute([delayed(where)(0)], plain(), 1)


def test_job_that_slurm_refuses_is_an_error(queue):
    replace(queue, "sbatch", "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1")
    with pytest.raises(RuntimeError, match=r"^kernels.scheduler: found .*invalid partition spec"):
        compute([delayed(where)(0)], plain(partition="x"), 1)


def test_machine_without_slurm_is_an_error(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RuntimeError, match=r"^kernels.scheduler.kind: found slurm and no command"):
        compute([delayed(where)(0)], plain(), 1)


def test_missing_dask_jobqueue_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "ntkflow.scheduling.slurm", None)
    with pytest.raises(RuntimeError, match=r"found slurm and no package dask-jobqueue, expected"):
        compute([delayed(where)(0)], plain(), 1)
