"""A real Slurm: the workflow as its jobs, by the profile that is shipped; shares of a kernel."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.slurm.conftest import (
    PROFILE,
    UNDER_WAY,
    Job,
    Queue,
    copied,
    new_clone,
    store_files,
    when,
)
from tests.workflow.conftest import OVERLAYS, Clone

pytestmark = pytest.mark.slow

# A kernel of 105 blocks, each of a few tenths of a second on one core.
KERNEL = """
run: [many]
datasets:
  many:
    train: {inputs: sphere, samples: 1400, features: 3}
    target: {kind: polynomial, terms: [{coefficient: 2.0, powers: [1, 1, 0]}]}
networks: {deep: {depth: 30, activation: tanh, weight_gain: 1.5}}
experiments: {many: {measure: positive_definiteness, dataset: many, network: deep, sizes: [2, 4]}}
kernels: {block: 100, jobs: JOBS}
"""
STORE = "results/limiting/many/deep.zarr"
# Every kind of rule: a claim, other measures, a kernel and a regression in shares. Further
# experiments of the smoke study would submit jobs of the same rules, or of rules that differ in
# their script alone, which Slurm does not see; tests/workflow runs those.
EVERY_RULE = """
run: [functions_on_the_circle, approach_to_the_limit, few_landmarks]
datasets:
  many:
    train: {inputs: sphere, samples: 2100, features: 3}
    test: {inputs: sphere, samples: 10, features: 3}
    target: {kind: polynomial, terms: [{coefficient: 2.0, powers: [1, 1, 0]}]}
experiments:
  few_landmarks:
    measure: kernel_regression
    dataset: many
    network: relu_4
    sizes: [2100]
    landmarks: 10
    ridge: 1.0e-6
  functions_on_the_circle: {widths: [50]}
  approach_to_the_limit:
    dataset: four_points
    widths: [32, 64]
    initial: {widths: [16], draws: 50}
kernels: {block: 60, jobs: 2}
"""
POINTS = "results/datasets/gaussian_product.zarr/zarr.json"
TRAINED = "results/ensembles/kernel_on_the_circle/width-200.zarr"


@pytest.fixture(scope="module")
def with_data(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy of the code with the data set of a training; leave it unchanged."""
    clone = new_clone(tmp_path_factory.mktemp("data") / "clone")
    clone.snakemake(POINTS)
    return clone


@contextmanager
def started(clone: Clone, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A run in the background, which is killed if a failing test leaves it."""
    with subprocess.Popen(
        [sys.executable, clone.program, "--cores", "2", *PROFILE, *arguments],
        cwd=clone.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def scripts(job: Job) -> list[psutil.Process]:
    """Processes of the script of a job."""
    found = []
    for process in psutil.process_iter(["environ", "cmdline"]):
        variables = process.info["environ"] or {}
        number, array, task = (
            variables.get(f"SLURM_{name}") for name in ("JOB_ID", "ARRAY_JOB_ID", "ARRAY_TASK_ID")
        )
        script = any(".snakemake/scripts/" in word for word in process.info["cmdline"] or [])
        if script and job.id in (number, f"{array}_{task}"):
            found.append(process)
    return found


def stop(job: Job) -> None:
    """Stop the script of a job as soon as it runs, so that it cannot end by itself."""
    for process in when(lambda: scripts(job)):
        process.suspend()


def kinds(rules: Iterable[str]) -> set[str]:
    """Names of rules with jobs; one name for all that measure, and one for all that plot."""
    targets = {"all", "claims", "figures", "report"}
    return {re.sub(r"^(measure|plot)_.*", r"\1", rule) for rule in rules} - targets


def test_a_study_runs_as_jobs(queue: Queue, tmp_path: Path) -> None:
    """As on one machine, to the last byte; jobs of every kind of rule."""
    clone = new_clone(tmp_path / "clone")
    (clone.folder / "study.yaml").write_text(EVERY_RULE)
    study = ("all", POINTS, "--configfile", "config/smoke.yaml", "study.yaml")
    here = copied(clone, tmp_path / "here")

    printed = clone.snakemake(*PROFILE, *study)
    results = clone.folder / "results"
    jobs = queue.jobs()
    assert {job.state for job in jobs} == {"COMPLETED"}
    rules = re.findall(r"^\w+$", clone.snakemake("--list-rules", *study), flags=re.MULTILINE)
    assert kinds(log.stem for log in (results / "logs").iterdir()) == kinds(rules)
    # All data sets were one array, and each figure part of the job of its measurement.
    arrays = Counter(job.id.partition("_")[0] for job in jobs if "make_dataset" in job.about)
    assert [*arrays.values()] == [3] == [len(list(results.glob("datasets/*.zarr")))]
    steps = int(re.findall(r"of (\d+) steps", printed)[-1])
    assert 0 < len(jobs) <= steps - len(list(results.glob("figures/*.png")))
    assert "Nothing to be done" in clone.snakemake(*study)

    here.snakemake(*study)
    assert here.results() == clone.results()


def test_a_job_that_fails_is_tried_with_more_memory_and_reported_with_its_log(
    queue: Queue, with_data: Clone, tmp_path: Path
) -> None:
    """It gets the GPU that it asks for, on which JAX cannot compute."""
    clone = copied(with_data, tmp_path / "clone")
    target = "results/ensembles/kernel_on_the_circle/width-50.zarr/zarr.json"
    printed = clone.snakemake(*PROFILE, target, "--config", "device=gpu", ok=False)
    assert "device: found 'gpu' in the configuration, but JAX finds no GPU here" in printed
    assert "results/logs/train_networks/kernel_on_the_circle/width-50.log" in printed
    tried = [job for job in queue.jobs() if "train_networks" in job.about]
    assert [job.state for job in tried] == ["FAILED"] * 3
    assert all("gpu" in job.gpus for job in tried)
    first, second, third = (int(job.memory.removesuffix("M")) for job in tried)
    assert (second, third) == (2 * first, 4 * first)


def test_a_cancelled_job_is_tried_again_and_an_interrupted_run_resumed(
    queue: Queue, with_data: Clone, tmp_path: Path
) -> None:
    """A job of the run is cancelled, then the next with the run that waits for it."""
    # A training that can be met on its way, with checkpoints all the time.
    overlay = tmp_path / "long.yaml"
    overlay.write_text(
        "checkpoint_minutes: 1.0e-6\n"
        "experiments: {kernel_on_the_circle: {training: {steps: 20000}}}\n"
    )
    long_training = (f"{TRAINED}/zarr.json", "--configfile", *OVERLAYS, str(overlay))
    whole, clone = (copied(with_data, tmp_path / name) for name in ("whole", "clone"))
    whole.snakemake(*long_training)

    with started(clone, *long_training) as run:
        (first,) = when(lambda: queue.running("train_networks"))
        queue.cancel(first)
        (second,) = when(lambda: [j for j in queue.running("train_networks") if j.id != first.id])
        place = (clone.folder / TRAINED).with_name(".width-200.zarr.training")
        when(lambda: any(path.name.isdigit() for path in place.glob("*/*")))
        stop(second)
        run.send_signal(signal.SIGINT)
        printed, _ = run.communicate(timeout=900)
    assert run.returncode != 0, printed
    when(lambda: not any(job.state in UNDER_WAY for job in queue.jobs()))
    assert [job.state for job in queue.jobs()] == ["CANCELLED"] * 2
    assert not (clone.folder / TRAINED).exists()

    queue.forget()
    clone.snakemake(*PROFILE, *long_training)
    (job,) = queue.jobs()
    assert "train_networks" in job.about
    log = clone.folder / "results/logs/train_networks/kernel_on_the_circle/width-200.log"
    assert "resumes after step" in log.read_text()
    assert store_files(clone.folder / TRAINED) == store_files(whole.folder / TRAINED)


ONE_KERNEL = (f"{STORE}/zarr.json", "--configfile", "study.yaml")
SHARES = (*ONE_KERNEL, "--set-threads", "compute_kernel_share=1")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy of the code in which a single job has computed a kernel; leave it unchanged."""
    clone = new_clone(tmp_path_factory.mktemp("kernel") / "alone")
    (clone.folder / "study.yaml").write_text(KERNEL.replace("JOBS", "1"))
    clone.snakemake(*ONE_KERNEL)
    return clone


@pytest.fixture
def kernel(alone: Clone, tmp_path: Path) -> tuple[Clone, Clone]:
    """A clone for the kernel in two shares, with its data set, and the one that has the kernel."""
    clone = copied(alone, tmp_path / "clone")
    shutil.rmtree(clone.folder / STORE)
    (clone.folder / "study.yaml").write_text(KERNEL.replace("JOBS", "2"))
    return clone, alone


def blocks(clone: Clone) -> dict[tuple[str, ...], dict[str, tuple[int, int]]]:
    """Inode and time of the chunks of each whole block: of both kernels, in both triangles.

    In the unfinished store or the finished one.
    """
    folder = (clone.folder / STORE).parent
    found: dict[tuple[str, ...], dict[str, tuple[int, int]]] = {}
    for root in (folder / ".deep.zarr.partial", folder / "deep.zarr"):
        # Unlike `Path.rglob`, it passes over a folder that is renamed at that moment.
        files = (Path(place, name) for place, _, names in os.walk(root) for name in names)
        for file in files:
            if file.match("c/*/*") and file.name.isdigit():
                block = tuple(sorted(file.parts[-2:]))
                kept = (file.stat().st_ino, file.stat().st_mtime_ns)
                found.setdefault(block, {})["/".join(file.parts[-4:])] = kept
    return {block: files for block, files in found.items() if len(files) == 2 * len({*block})}


def check_finished(
    kernel: tuple[Clone, Clone], before: dict[tuple[str, ...], dict[str, tuple[int, int]]]
) -> None:
    """The store is that of a single job, and no finished block was written again."""
    one, two = (store_files(place.folder / STORE) for place in kernel)
    # The root contains the configuration, and so the number of jobs.
    assert {name for name in one if one[name] != two[name]} == {"zarr.json"}
    assert one.keys() == two.keys()
    after = blocks(kernel[0])
    assert before == {block: after[block] for block in before}
    log = kernel[0].folder / "results/logs/compute_limiting_kernel/many/deep.log"
    assert "blocks" not in log.read_text()


def test_a_killed_share_is_tried_again_alone_and_an_interrupted_run_resumed(
    queue: Queue, kernel: tuple[Clone, Clone]
) -> None:
    """A share is killed, then the run that tries it again; the next run has another number.

    The run cancels its jobs as in `eager.py`.
    """
    clone, _ = kernel
    with started(clone, *SHARES) as run:
        when(lambda: len(queue.running("compute_kernel_share")) == 2 and len(blocks(clone)) > 2)
        first, second = queue.running("compute_kernel_share")
        stop(second)
        subprocess.run(["scancel", "--full", "--signal=KILL", first.id], check=True)
        tried = {first.id, second.id}
        when(lambda: {job.id for job in queue.running("compute_kernel_share")} - tried)
        run.send_signal(signal.SIGINT)
        printed, _ = run.communicate(timeout=900)
    assert run.returncode != 0, printed
    when(lambda: not any(job.state in UNDER_WAY for job in queue.jobs()))
    # All elements of an array have the comment of its first: their numbers tell them apart.
    states = {job.id: job.state for job in queue.jobs() if "compute_kernel_share" in job.about}
    assert states.pop(first.id) != "COMPLETED"
    assert states.pop(second.id) == "CANCELLED"
    assert len(states) == 1  # the killed share, tried again
    before = blocks(clone)
    assert 0 < len(before) < 105

    (clone.folder / "study.yaml").write_text(KERNEL.replace("JOBS", "3"))
    clone.snakemake(*PROFILE, *SHARES)
    check_finished(kernel, before)
