"""Too little memory, no GPU, and two runs at once."""

import pytest

from tests.faults.studies import (
    OVERLAYS,
    Study,
    jobs_of,
    jobs_run,
    said_by,
    target,
    wait_for,
)


@pytest.mark.slow
def test_out_of_memory(undisturbed: Study, finished_study: Study) -> None:
    """A data set of 16 GB, where a process may have 4."""
    overlay = finished_study.folder / "large.yaml"
    overlay.write_text(
        "datasets: {large: {train: {inputs: gaussian, samples: 2000000, features: 1000}, "
        "target: {kind: zero}}}"
    )
    limited = Study(finished_study.folder, before=("prlimit", f"--as={4 * 2**30}"))
    arguments = ("results/datasets/large.zarr/zarr.json", "--configfile", *OVERLAYS, str(overlay))
    printed = limited.snakemake(*arguments, ok=False)
    (line,) = said_by("make_dataset", printed)
    assert "out of memory (Unable to allocate 14.9 GiB" in line
    assert "lower the samples" in line
    assert "Traceback" not in printed
    assert finished_study.results() == undisturbed.results()


@pytest.mark.slow
def test_no_gpu_where_one_is_asked_for(undisturbed: Study, finished_study: Study) -> None:
    study, rule = finished_study, "compute_limiting_kernel"
    without = Study(study.folder, environment={"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": ""})
    study.lose(rule)
    overlay = study.folder / "gpu.yaml"
    overlay.write_text("device: gpu")
    arguments = (target(rule), "--configfile", *OVERLAYS, str(overlay))
    printed = without.snakemake(*arguments, ok=False)
    (line,) = said_by(rule, printed)
    assert "device: found 'gpu' in the configuration, but JAX finds no GPU here" in line
    assert "set device to 'auto' or 'cpu'" in line
    assert "Traceback" not in printed
    assert jobs_run(study.snakemake(target(rule))) == [rule]
    assert study.results() == undisturbed.results()


@pytest.mark.slow
def test_second_run_in_a_folder_leaves_all_to_the_first(
    undisturbed: Study, finished_study: Study
) -> None:
    study, rule = finished_study, "train_networks"
    study.lose(rule)
    with study.start(target(rule)) as first:
        jobs = wait_for(first, lambda: jobs_of(rule, first))
        for job in jobs:  # it must not end before the second run has looked
            job.suspend()
        refusal = study.snakemake(target(rule), ok=False)
        for job in jobs:
            job.resume()
        printed, _ = first.communicate()
    assert first.returncode == 0, printed
    assert jobs_run(printed) == [rule]
    assert "Directory cannot be locked" in refusal
    assert "--unlock" in refusal
    assert "Traceback" not in refusal
    assert jobs_run(refusal) == []
    assert study.results() == undisturbed.results()
