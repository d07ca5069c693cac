"""Dask workers in jobs of Slurm, submitted by dask-jobqueue."""

import logging
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dask_jobqueue.slurm import SLURMCluster, SLURMJob
from distributed import Security, Status

from ntkflow.scheduling.gpus import ENVIRONMENT

__all__ = ["Jobs", "slurm_arguments", "slurm_jobs"]

LOG = logging.getLogger("ntkflow")
LOGS = "results/logs/slurm"
ROLES, KEY = ("scheduler", "worker", "client"), ("cert", "key")
PATIENCE = 15.0  # seconds that a job may be without workers, and between two looks at the queue


@contextmanager
def slurm_jobs(scheduler: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator["Jobs"]:
    """Jobs that Slurm has taken, whether they run yet or not; cancelled in the end.

    Parameters
    ----------
    scheduler
        The key `kernels.scheduler` of the configuration.
    settings
        Settings of Dask for the workers.
    """
    if shutil.which("sbatch") is None:
        raise RuntimeError(
            "kernels.scheduler.kind: found slurm and no command `sbatch` here, expected a machine "
            "that submits jobs to Slurm: run there, or choose another kind"
        )
    with (
        _own_keys() as security,
        SLURMCluster(**slurm_arguments(scheduler, settings, _path()), security=security) as cluster,
    ):
        jobs = Jobs(cluster, scheduler["jobs"])
        jobs.submit()
        LOG.info("submitted %d jobs to Slurm; their logs: %s", scheduler["jobs"], LOGS)
        yield jobs


@contextmanager
def _own_keys() -> Iterator[Security]:
    """Keys of this run alone, in files that its user alone can read, where jobs find them.

    Jobs reach the scheduler from other machines, so its port is open to them; without these keys
    nobody can connect to it.
    """
    keys = Security.temporary()
    Path(LOGS).mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".keys-", dir=Path(LOGS).absolute()) as folder:
        files = {}
        for name in ("tls_ca_file", *(f"tls_{role}_{kind}" for role in ROLES for kind in KEY)):
            file = Path(folder, name)
            file.write_text(getattr(keys, name), encoding="ascii")
            files[name] = str(file)
        yield Security(require_encryption=True, **files)


class _Job(SLURMJob):
    async def close(self) -> None:
        await super().close()  # type: ignore[no-untyped-call]
        self.status = Status.closed  # or closing the cluster fails where something holds the job


class Jobs:
    """So many jobs: one that ended, at its time limit say, is submitted again."""

    def __init__(self, cluster: Any, count: int) -> None:
        self.cluster = cluster
        self.count = count
        self.seen: dict[str, float] = {}  # when each job that has had workers had any
        self.checked = time.monotonic()

    def submit(self) -> None:
        """Submit what is missing; return when Slurm has taken it, not when it runs."""

        async def settled() -> None:
            while len(self.cluster.worker_spec) < self.count:
                self.cluster.worker_spec.update(self.cluster.new_worker_spec())
            await self.cluster

        try:
            self.cluster.sync(settled)
        except (RuntimeError, ValueError) as error:
            answer = [line for line in str(error).splitlines() if line.strip()][-1]
            raise RuntimeError(
                f"kernels.scheduler: found a job that Slurm did not take ({answer}), expected one "
                "it takes: correct the key that it names"
            ) from error

    def refill(self) -> None:
        """Submit again the jobs that have ended; an error if none has ever had a worker."""
        jobs = dict(self.cluster.workers)
        names = [str(worker.name) for worker in list(self.cluster.scheduler.workers.values())]
        now = time.monotonic()
        for job in jobs:  # its workers are `job`, or `job-0`, `job-1`, ...
            if any(f"{name}-".startswith(f"{job}-") for name in names):
                self.seen[job] = now
        ended = set(self.cluster.worker_spec) - set(jobs)  # as Dask has noticed itself
        ended |= {name for name, job in jobs.items() if job.job_id is None}
        ended |= {name for name, time_ in self.seen.items() if now > time_ + PATIENCE}
        if ended:
            self.cluster.sync(self._forget, ended)
            try:
                self.submit()
            except RuntimeError as error:
                LOG.warning("%s", error)
        elif not self.seen and now > self.checked + PATIENCE:
            self.checked = now
            self._check_queue([job.job_id for job in jobs.values()])

    async def _forget(self, ended: set[str]) -> None:
        for name in ended:
            self.seen.pop(name, None)
            if name in self.cluster.workers:
                await self.cluster.workers.pop(name).close()

    def _check_queue(self, ids: list[str]) -> None:
        """Jobs that wait may wait; an error if all have ended before they had a worker."""
        command = ["squeue", "--noheader", "--format=%A", f"--jobs={','.join(ids)}"]
        answer = subprocess.run(command, capture_output=True, text=True)
        unknown = "Invalid job id" in answer.stderr
        if unknown or (answer.returncode == 0 and not answer.stdout.strip()):
            raise RuntimeError(
                f"kernels.scheduler: found that the jobs {', '.join(ids)} of Slurm ended without a "
                "worker, expected workers that reach this machine: the reason is in their logs, "
                f"{LOGS}"
            )


def _path() -> str:
    """PYTHONPATH of the workers: the folder of this package, then that of this process."""
    folder = str(Path(__file__).parents[2])
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([folder, *filter(None, inherited)]))


def slurm_arguments(
    scheduler: Mapping[str, Any], settings: Mapping[str, Any], path: str
) -> dict[str, Any]:
    """Arguments of dask_jobqueue.SLURMCluster; what is None is taken from Dask's own settings.

    A job is one worker with a thread for each core, or one worker for each GPU.
    """
    gpus = scheduler["gpus"]
    environment = {"PYTHONPATH": path, **(ENVIRONMENT if gpus else {})}
    environment |= {
        f"DASK_{key.upper().replace('.', '__').replace('-', '_')}": str(value)
        for key, value in settings.items()
    }
    return {
        "job_cls": _Job,
        "queue": scheduler.get("partition"),
        "account": scheduler.get("account"),
        "walltime": scheduler["walltime"],
        "memory": scheduler["memory"],
        "cores": gpus or scheduler["cores"],
        "processes": gpus or 1,
        "job_cpu": scheduler["cores"],
        "job_name": "ntkflow",
        "job_extra_directives": [*([f"--gpus={gpus}"] if gpus else []), *scheduler["extra"]],
        "job_script_prologue": [
            f"export {name}={shlex.quote(value)}" for name, value in environment.items()
        ],
        "log_directory": LOGS,
        "python": shlex.quote(sys.executable),
        "scheduler_options": {"dashboard": False, "dashboard_address": "127.0.0.1:0"},
    }
