"""A real Slurm: the workflow as its jobs, by the profile that is shipped; workers of a kernel."""

import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ntkflow.verification.__main__ import main as verify
from tests.slurm.conftest import PROFILE, UNDER_WAY, Queue, store_files, when
from tests.workflow.conftest import OVERLAYS, Clone

pytestmark = pytest.mark.slow

STUDY = """
run: [many]
datasets:
  many:
    train: {inputs: sphere, samples: 3000, features: 3}
    target: {kind: polynomial, terms: [{coefficient: 2.0, powers: [1, 1, 0]}]}
networks: {deep: {depth: 40, activation: tanh, weight_gain: 1.5}}
experiments: {many: {measure: positive_definiteness, dataset: many, network: deep, sizes: [2, 4]}}
kernels: {block: 200, scheduler: SCHEDULER}
"""
STORE = "results/limiting/many/deep.zarr"
TRAINED = "results/ensembles/along_a_component/width-200.zarr"


@pytest.fixture
def long_training(tmp_path: Path) -> tuple[str, ...]:
    """Arguments for a training that can be met on its way, with checkpoints all the time."""
    overlay = tmp_path / "long.yaml"
    overlay.write_text(
        "checkpoint_minutes: 1.0e-6\n"
        "experiments: {along_a_component: {training: {steps: 20000, learning_rate: 1.0}}}\n"
    )
    return f"{TRAINED}/zarr.json", "--configfile", *OVERLAYS, str(overlay)


def start(clone: Clone, *arguments: str) -> subprocess.Popen[str]:
    """A run in the background."""
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", *PROFILE, *arguments],
        cwd=clone.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_smoke_study_runs_as_jobs(queue: Queue, clone: Clone) -> None:
    printed = clone.snakemake(*PROFILE, "--configfile", "config/smoke.yaml")
    results = clone.folder / "results"
    jobs = queue.jobs()
    assert {job.state for job in jobs} == {"COMPLETED"}
    # All data sets were one array, and each figure part of the job of its measurement.
    arrays = Counter(job.id.partition("_")[0] for job in jobs if "_" in job.id)
    assert len(list(results.glob("datasets/*.zarr"))) in arrays.values()
    steps = int(re.findall(r"of (\d+) steps", printed)[-1])
    assert 0 < len(jobs) <= steps - len(list(results.glob("figures/*.png")))
    assert "Nothing to be done" in clone.snakemake("--configfile", "config/smoke.yaml")
    assert verify([str(results)]) == 0


def test_a_job_that_fails_is_tried_with_more_memory_and_reported_with_its_log(
    queue: Queue, clone: Clone
) -> None:
    """It gets the GPU that it asks for, on which JAX cannot compute."""
    target = "results/ensembles/kernel_on_the_circle/width-50.zarr/zarr.json"
    printed = clone.snakemake(*PROFILE, target, "--config", "device=gpu", ok=False)
    assert "device: found 'gpu' in the configuration, but JAX finds no GPU here" in printed
    assert "results/logs/train_networks/kernel_on_the_circle/width-50.log" in printed
    tried = [job for job in queue.jobs() if "train_networks" in job.about]
    assert [job.state for job in tried] == ["FAILED"] * 3
    assert all("gpu" in job.gpus for job in tried)
    first, second, third = (int(job.memory.removesuffix("M")) for job in tried)
    assert (second, third) == (2 * first, 4 * first)


def test_a_cancelled_job_is_tried_again(
    queue: Queue, clone: Clone, long_training: tuple[str, ...]
) -> None:
    run = start(clone, *long_training)
    (job,) = when(lambda: queue.running("train_networks"))
    queue.cancel(job)
    printed, _ = run.communicate(timeout=900)
    assert run.returncode == 0, printed
    tried = [job.state for job in queue.jobs() if "train_networks" in job.about]
    assert tried == ["CANCELLED", "COMPLETED"]


def test_an_interrupted_run_cancels_its_jobs_and_is_resumed(
    queue: Queue, clone: Clone, long_training: tuple[str, ...], tmp_path: Path
) -> None:
    whole = Clone(tmp_path / "whole")
    shutil.copytree(clone.folder, whole.folder)
    whole.snakemake(*long_training)

    run = start(clone, *long_training)
    place = (clone.folder / TRAINED).with_name(".width-200.zarr.training")
    when(lambda: any(path.name.isdigit() for path in place.glob("*/*")))
    run.send_signal(signal.SIGINT)
    printed, _ = run.communicate(timeout=900)
    assert run.returncode != 0, printed
    when(lambda: not any(job.state in UNDER_WAY for job in queue.jobs()))
    assert [job.state for job in queue.jobs()][-1] == "CANCELLED"
    assert not (clone.folder / TRAINED).exists()

    queue.forget()
    clone.snakemake(*PROFILE, *long_training)
    (job,) = queue.jobs()
    assert "train_networks" in job.about
    log = clone.folder / "results/logs/train_networks/along_a_component/width-200.log"
    assert "resumes after step" in log.read_text()
    assert store_files(clone.folder / TRAINED) == store_files(whole.folder / TRAINED)


def test_cancelled_jobs_cost_no_block_and_no_byte(
    queue: Queue, clone: Clone, tmp_path: Path
) -> None:
    whole = Clone(tmp_path / "whole")
    shutil.copytree(clone.folder, whole.folder)
    schedulers = {whole: "threads", clone: "{kind: slurm, jobs: 2, memory: 1GiB}"}
    for one, scheduler in schedulers.items():
        (one.folder / "study.yaml").write_text(STUDY.replace("SCHEDULER", scheduler))
    arguments = (f"{STORE}/zarr.json", "--configfile", "study.yaml")
    whole.snakemake(*arguments)

    def blocks() -> int:
        return len(list((clone.folder / STORE).parent.glob(".deep.zarr.partial/*/store/ntk/c/*/*")))

    with ThreadPoolExecutor(1) as threads:
        run = threads.submit(clone.snakemake, *arguments)
        for part in (1, 40):  # of 225, at two moments
            when(lambda part=part: run.done() or blocks() >= part)
            for job in queue.jobs():
                subprocess.run(["scancel", job.id], check=False)
        run.result()
    assert len(queue.jobs()) > 2
    one, two = (store_files(place.folder / STORE) for place in schedulers)
    # Its root tells who computed it, in the configuration.
    assert {name for name in one if one[name] != two[name]} == {"zarr.json"}
    assert one.keys() == two.keys()
