"""Blocks of a kernel computed by workers in jobs of a real Slurm, which are cancelled meanwhile."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.slurm.conftest import Queue, store_files, when
from tests.workflow.conftest import Clone

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


@pytest.mark.slow
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
    assert store_files(clone.folder / STORE) == store_files(whole.folder / STORE)
