"""Kernels and regressions that several jobs share, by `kernels.jobs`."""

import re
import shutil
from pathlib import Path

import pytest

from ntkflow.stores.places import sums_folder
from tests.stores.test_grams import identities
from tests.workflow.conftest import CODE, Clone, copy_of_code

STORE = "results/limiting/labelled_digits/relu_4_ten.zarr"
LOGS = "results/logs/compute_{}/labelled_digits/relu_4_ten"
FLAGS = re.DOTALL | re.MULTILINE
MANY = """
datasets:
  many:
    train: {inputs: sphere, samples: 60000, features: 3}
    target: {kind: zero}
experiments:
  many: {measure: positive_definiteness, dataset: many, network: relu_4, sizes: [2, 4]}
"""
RULES = ("compute_kernel_share", "compute_limiting_kernel")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A copy of the code."""
    copy_of_code(tmp_path / "clone", *CODE)
    return Clone(tmp_path / "clone")


def arguments(clone: Clone, *, block: int, jobs: int) -> tuple[str, ...]:
    """Arguments for the kernel of 130 digits."""
    (clone.folder / "shares.yaml").write_text(
        f"run: [classification_of_digits]\nkernels: {{block: {block}, jobs: {jobs}}}\n"
    )
    return f"{STORE}/zarr.json", "--configfile", "config/smoke.yaml", "shares.yaml"


@pytest.mark.parametrize(
    ("block", "jobs", "planned"),
    [(50, 1, [None, 1]), (130, 4, [None, 1]), (50, 4, [4, 1]), (50, 100, [6, 1])],
    ids=["one job", "one block", "shares", "more jobs than blocks"],
)
def test_a_kernel_has_at_most_one_share_per_block(block, jobs, planned, clone):
    found = clone.planned(*arguments(clone, block=block, jobs=jobs))
    assert [found.get(rule) for rule in RULES] == planned


@pytest.mark.slow
def test_shares_request_the_time_of_a_share(clone):
    """All request the same, as elements of an array must: what the largest kernel needs."""
    times = []
    for jobs in (1, 3):
        study = arguments(clone, block=50, jobs=jobs)
        file = clone.folder / "shares.yaml"
        file.write_text(file.read_text().replace("_digits]", "_digits, many]") + MANY)
        printed = clone.snakemake(*study, "--dry-run", "--quiet", "host")
        requests = re.findall(r"^rule compute_.*?runtime=(\d+).*?mem_mb=(\d+)", printed, FLAGS)
        assert len(requests) == jobs + (jobs > 1)
        assert len({*requests}) == 1
        times.append(int(requests[0][0]))
    assert times[1] < times[0] / 2


@pytest.mark.slow
def test_another_number_of_jobs_changes_no_chunk_and_computes_none(clone, tmp_path):
    path = clone.folder / STORE
    clone.snakemake(*arguments(clone, block=50, jobs=1))
    shutil.copytree(path, tmp_path / "alone")
    shutil.rmtree(path)
    clone.snakemake(*arguments(clone, block=50, jobs=2))
    shares = [clone.folder / LOGS.format("kernel_share") / f"{share}.log" for share in (0, 1)]
    assert ["3 of 3 blocks" in log.read_text() for log in shares] == [True, True]
    finished = clone.folder / f"{LOGS.format('limiting_kernel')}.log"
    assert finished.read_text() == ""
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]

    def differing():
        files = {file.relative_to(path) for file in path.rglob("*") if file.is_file()}
        alone = tmp_path / "alone"
        return {str(f) for f in files if (path / f).read_bytes() != (alone / f).read_bytes()}

    assert differing() <= {"zarr.json"}  # which contains the configuration
    assert "Nothing to be done" in clone.snakemake(*arguments(clone, block=50, jobs=2))

    before = identities(path)
    clone.snakemake(*arguments(clone, block=50, jobs=3))
    assert identities(path) == before

    (path / "ntk" / "c" / "0" / "0").unlink()
    clone.snakemake(*arguments(clone, block=50, jobs=3))
    assert differing() <= {"zarr.json"}
    kept = before.items() & identities(path).items()
    assert len(kept) == len(before) - 2 == 16
    assert finished.read_text() == ""


FITS = "results/landmarks/on_the_sphere/count-20.zarr"
REGRESSION = """
run: [on_the_sphere]
datasets:
  sphere:
    train: {inputs: sphere, samples: 5000, features: 3}
    test: {inputs: sphere, samples: 50, features: 3}
    target: {kind: polynomial, terms: [{coefficient: 2.0, powers: [1, 1, 0]}]}
experiments:
  on_the_sphere:
    measure: kernel_regression
    dataset: sphere
    network: relu_4
    sizes: [100, 5000]
    landmarks: 20
    ridge: 1.0e-6
kernels: {jobs: JOBS}
"""


def regression(clone: Clone, jobs: int) -> tuple[str, ...]:
    """Arguments for a regression with landmarks on three blocks of points."""
    written = REGRESSION.replace("JOBS", str(jobs))
    (clone.folder / "regression.yaml").write_text(written)
    return f"{FITS}/zarr.json", "--configfile", "config/smoke.yaml", "regression.yaml"


@pytest.mark.parametrize(("jobs", "planned"), [(1, [None, 1]), (2, [2, 1]), (100, [3, 1])])
def test_a_regression_has_at_most_one_share_per_part(jobs, planned, clone):
    found = clone.planned(*regression(clone, jobs))
    assert [found.get(f"{rule}") for rule in ("compute_landmark_share", "fit_landmarks")] == planned


@pytest.mark.slow
def test_another_number_of_jobs_changes_no_regression(clone, tmp_path):
    path = clone.folder / FITS
    clone.snakemake(*regression(clone, 1))
    shutil.copytree(path, tmp_path / "alone")
    shutil.rmtree(path)
    clone.snakemake(*regression(clone, 2))
    for file in (file for file in path.rglob("c/*") if file.is_file()):
        assert file.read_bytes() == (tmp_path / "alone" / file.relative_to(path)).read_bytes()
    logs = clone.folder / "results/logs/compute_landmark_share/on_the_sphere/count-20"
    assert "2 of 2 parts" in (logs / "0.log").read_text()
    assert "1 of 1 parts" in (logs / "1.log").read_text()
    left = {entry.name for entry in path.parent.iterdir()}
    assert left == {path.name, sums_folder(path).name}


@pytest.mark.slow
def test_another_ridge_takes_no_pass_over_the_points(clone):
    study = regression(clone, 2)
    clone.snakemake(*study)
    sums = sums_folder(clone.folder / FITS)
    before = {file: file.stat().st_mtime_ns for file in sums.rglob("*.npz")}
    file = clone.folder / "regression.yaml"
    file.write_text(file.read_text().replace("ridge: 1.0e-6", "ridge: 1.0e-3"))
    assert "fit_landmarks" in clone.planned(*study)
    clone.snakemake(*study)
    assert {file: file.stat().st_mtime_ns for file in sums.rglob("*.npz")} == before
    file.write_text(
        file.read_text().replace("landmarks: 20", "landmarks: [20]\n    selection: k-means++")
    )
    clone.snakemake(*study)
    assert not any(file.exists() for file in before)  # sums of other landmarks


def test_regressions_without_a_kernel_request_little(clone):
    """A million points: no job asks for the memory or the time of their kernel."""
    study = regression(clone, 2)
    file = clone.folder / "regression.yaml"
    file.write_text(file.read_text().replace("5000", "1000000"))
    printed = clone.snakemake(*study[1:], "--dry-run", "--quiet", "host")
    memory = [int(found) for found in re.findall(r"mem_mb=(\d+)", printed)]
    times = [int(found) for found in re.findall(r"runtime=(\d+)", printed)]
    assert len(memory) == len(times) == 4
    assert max(memory) < 4000
    assert max(times) < 60


@pytest.mark.slow
def test_sums_of_an_unfinished_regression_are_deleted_with_all_output(clone):
    target, *configuration = regression(clone, 2)
    marker = str(Path(FITS).with_name(".count-20.zarr.share-1-of-2"))
    clone.snakemake(marker, *configuration)
    sums = sums_folder(clone.folder / FITS)
    assert len([*sums.rglob("part-1.npz")]) == 2  # of three parts, for each kernel
    clone.snakemake("--delete-all-output", target, *configuration)
    assert not sums.exists()
