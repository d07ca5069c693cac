"""Commands that run no job change nothing, and --delete-all-output leaves no data behind."""

import pytest

from ntkflow.stores.building import LOCK_FILE
from tests.faults.studies import JOBS, Study, snapshot, target
from tests.faults.test_stores import lose_chunk
from tests.faults.trials import always_and_slow

LOST = "train_networks"
LISTINGS = [
    "--dry-run",
    "--unlock",
    "--summary",
    "--list-rules",
    "--dag",
    "--lint",
    "--delete-all-output --dry-run",
    "--detailed-summary",
    "--list-changes input",
    "--list-untracked",
    "--rulegraph",
    "--filegraph",
    "--touch --dry-run",
    "--delete-temp-output",
]


@pytest.fixture
def damaged(finished_study: Study) -> Study:
    """A finished study in which a store has lost a chunk."""
    lose_chunk(finished_study.product(LOST))
    return finished_study


@pytest.mark.parametrize("listing", always_and_slow("a plan with a damaged store", LISTINGS))
def test_a_command_that_runs_no_job_changes_nothing(damaged: Study, listing: str) -> None:
    before = snapshot(damaged.folder)
    damaged.snakemake(*listing.split())
    assert snapshot(damaged.folder) == before


def test_a_plan_names_a_damaged_store_and_what_follows_from_it(damaged: Study) -> None:
    printed = damaged.snakemake("--dry-run")
    assert f"results/{JOBS[LOST]} has lost some of its files: it will be recomputed" in printed
    following = ["measure", "plot", "tabulate_claims", "record_provenance"]
    assert damaged.planned() == dict.fromkeys([LOST, *following, "render_report"], 1)


def test_a_damaged_store_that_a_target_does_not_need_is_left(damaged: Study) -> None:
    assert "Nothing to be done" in damaged.snakemake("--dry-run", target("solve_gaussian"))


def data(study: Study) -> list[str]:
    """List everything below results/ except logs and timings; folders end in a slash."""
    results = study.folder / "results"
    found = [path for path in results.rglob("*") if path.relative_to(results).parts[0] not in KEPT]
    return sorted(f"{path.relative_to(results)}{'/' * path.is_dir()}" for path in found)


KEPT = ("logs", "benchmarks")


def leave_unfinished_work(study: Study) -> None:
    """Create the hidden files that killed jobs leave beside their products."""
    training = study.product("train_networks").with_name(".width-50.zarr.training")
    drawn = study.product("plot")
    training.joinpath("digest").mkdir(parents=True)
    training.joinpath("digest", "checkpoint").write_text("half of it")
    training.joinpath(LOCK_FILE).touch()
    drawn.with_name(f".{drawn.name}.123.partial").write_text("half of it")


@pytest.mark.slow
def test_after_all_output_is_deleted_a_run_leaves_the_same_bytes(
    undisturbed: Study, finished_study: Study
) -> None:
    finished_study.snakemake("--delete-all-output")
    assert data(finished_study) == []
    finished_study.snakemake()
    assert finished_study.results() == undisturbed.results()


def test_all_output_is_deleted_and_no_other_file(finished_study: Study) -> None:
    for rule in ("train_networks", "compute_limiting_kernel"):
        lose_chunk(finished_study.product(rule))
    finished_study.product("decompose_kernel").joinpath("zarr.json").unlink()
    leave_unfinished_work(finished_study)
    mine = finished_study.folder / "results" / "ensembles" / "notes.txt"
    mine.write_text("mine")
    logs = snapshot(finished_study.folder / "results" / "logs")
    finished_study.snakemake("--delete-all-output")
    assert data(finished_study) == ["ensembles/", "ensembles/notes.txt"]
    assert snapshot(finished_study.folder / "results" / "logs") == logs


@pytest.mark.parametrize("command", ["", "--dry-run", "--delete-all-output"])
def test_a_file_of_the_user_in_a_store_is_named_before_anything_happens(
    finished_study: Study, command: str
) -> None:
    finished_study.product("make_dataset").joinpath("notes.txt").write_text("mine")
    before = snapshot(finished_study.folder)
    printed = finished_study.snakemake(*command.split(), ok=False)
    assert "Files that ntkflow did not write are where results belong:" in printed
    assert f"{JOBS['make_dataset']}: found 'notes.txt', which ntkflow did not write" in printed
    assert snapshot(finished_study.folder) == before


def test_unfinished_work_without_a_lock_file_is_kept_and_named(finished_study: Study) -> None:
    mine = finished_study.product("train_networks").with_name(".width-50.zarr.training")
    mine.mkdir()
    mine.joinpath("notes.txt").write_text("mine")
    printed = finished_study.snakemake("--delete-all-output")
    assert "kept: " in printed
    assert mine.joinpath("notes.txt").read_text() == "mine"


def test_only_what_a_target_needs_is_deleted(finished_study: Study) -> None:
    leave_unfinished_work(finished_study)
    before = data(finished_study)
    finished_study.snakemake("--delete-all-output", target("decompose_kernel"))
    deleted = ("datasets/", "limiting/", "spectrum/")
    assert data(finished_study) == [name for name in before if not name.startswith(deleted)]


def test_nothing_is_deleted_while_another_run_is_at_work(finished_study: Study) -> None:
    lock = finished_study.folder / ".snakemake" / "locks" / "0.output.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(target("train_networks"))
    before = snapshot(finished_study.folder)
    printed = finished_study.snakemake("--delete-all-output", ok=False)
    assert "--delete-all-output: found another run at work" in printed
    assert snapshot(finished_study.folder) == before
