"""SIGKILL at random moments: of single jobs, and of Snakemake with all its jobs."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.faults.studies import (
    JOBS,
    Study,
    copied,
    jobs_at_work,
    jobs_of,
    jobs_run,
    new_study,
    target,
    wait_for,
)
from tests.faults.trials import TRIALS, always_and_slow

SLOW = pytest.mark.slow
THREE_RULES = "results/spectrum/four_points/relu_4.zarr/zarr.json"
ALL = len(JOBS) + 1  # with the report, of which no two are alike
ROUNDS = TRIALS["a job is killed"].slow // (3 * ALL)


def lasting(study: Study) -> dict[str, float]:
    """Seconds that the one job of each rule took."""
    folder = study.folder / "results" / "benchmarks"
    files = {file.relative_to(folder).parts[0]: file for file in folder.rglob("*.tsv")}
    return {
        name.removesuffix(".tsv"): float(file.read_text().splitlines()[1].split("\t")[0])
        for name, file in files.items()
    }


def killing_jobs(
    study: Study, times: int, target: str, chance: random.Random, usual: dict[str, float]
) -> list[str]:
    """Run the study, each job killed so many times within half of its usual time, and retried;
    the rules of the jobs killed."""
    killed: list[str] = []
    moments: dict[int, float] = {}
    with study.start(target, "--retries", str(times)) as run:
        while run.poll() is None:
            for process, rule in jobs_at_work(run):
                wait = chance.uniform(0, usual[rule] / 2)
                moment = moments.setdefault(process.pid, time.monotonic() + wait)
                if killed.count(rule) < times and time.monotonic() >= moment:
                    process.kill()
                    process.wait(10)
                    killed.append(rule)
            time.sleep(0.005)
        printed, _ = run.communicate()
    assert run.returncode == 0, printed
    assert "Traceback" not in printed
    # Only what was killed is done twice.
    assert len(jobs_run(printed)) == len({*jobs_run(printed)})
    return killed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "rules", "times", "seed"),
    [
        (THREE_RULES, 3, 1, 0),
        *[pytest.param("all", ALL, 3, seed, marks=SLOW) for seed in range(ROUNDS)],
    ],
)
def test_killed_jobs_are_run_again_and_end_with_the_same_bytes(
    target: str, rules: int, times: int, seed: int, undisturbed: Study, tmp_path: Path
) -> None:
    study = new_study(tmp_path / "killed")
    killed = killing_jobs(study, times, target, random.Random(seed), lasting(undisturbed))
    print(f"{len(killed)} jobs killed: {killed}")
    # A job may be done before its moment comes, on a machine that has less to do now.
    assert 0 < len(killed) <= rules * times
    whole, results = undisturbed.results(), study.results()
    assert results == {name: whole[name] for name in whole if target == "all" or name in results}
    assert study.product("decompose_kernel").is_dir()


def killed_at_work(study: Study, rule: str, moment: float) -> bool:
    """Kill a run and its jobs `moment` seconds after the job of a rule has started. Return True if
    the run was still alive, so that its lock is left."""
    study.lose(rule)
    with study.start(target(rule)) as run:
        wait_for(run, lambda: jobs_of(rule, run))
        time.sleep(moment)
        os.killpg(run.pid, signal.SIGKILL)
    return any((study.folder / ".snakemake").glob("locks/*"))


@pytest.mark.parametrize(
    "seed", always_and_slow("a whole run is killed", range(sum(TRIALS["a whole run is killed"])))
)
def test_a_run_killed_with_all_its_jobs_goes_on_where_it_was(
    seed: int, undisturbed: Study, tmp_path: Path
) -> None:
    """At any moment of any job; the folder is locked until the user unlocks it."""
    chance = random.Random(seed)
    rule = chance.choice([*JOBS])
    study = copied(undisturbed, tmp_path / "killed")
    moment = chance.uniform(0, 2)
    while not killed_at_work(study, rule, moment):
        moment /= 2  # Snakemake had ended, with nothing left to kill
    refusal = study.snakemake(target(rule), ok=False)
    assert "--unlock" in refusal
    assert "Traceback" not in refusal
    study.snakemake("--unlock")
    # Nothing to do, if the job was done before its moment came.
    assert jobs_run(study.snakemake(target(rule))) in ([rule], [])
    assert study.results() == undisturbed.results()


def server_is_killed(run: subprocess.Popen[str]) -> bool:
    """Kill the server of a run if one of its jobs runs, the first if possible."""
    try:
        for server in psutil.Process(run.pid).children():
            if any("server.py" in word for word in server.cmdline()) and server.children():
                server.suspend()  # or it could report the end of its job before it is killed
                if server.status() == psutil.STATUS_STOPPED and server.children():
                    server.kill()
                    return True
                server.resume()
    except psutil.NoSuchProcess:
        pass
    return False


@pytest.mark.slow
def test_without_the_server_that_forks_them_jobs_are_ordinary_processes(
    undisturbed: Study, tmp_path: Path
) -> None:
    study = new_study(tmp_path / "killed")
    with study.start(THREE_RULES, "--retries", "1") as run:
        wait_for(run, lambda: server_is_killed(run))
        printed, _ = run.communicate()
    assert run.returncode == 0, printed
    assert "died with <Signals.SIGKILL: 9>" in printed
    whole, results = undisturbed.results(), study.results()
    assert results == {name: whole[name] for name in results}
    assert study.product("decompose_kernel").is_dir()
