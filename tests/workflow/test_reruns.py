"""A changed file reruns the rules whose results it can change, and no others."""

import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml
from _pytest.mark import ParameterSet

from tests.workflow.conftest import Clone

RECORD = {"record_provenance", "render_report"}
PLOT = {"plot", "tabulate_widths", "tabulate_claims", *RECORD}  # the table of claims names figures
MEASURE = {"measure", *PLOT}
SOLVE = {"solve_dynamics", *MEASURE}
TRAIN = {"train_networks", *SOLVE}
LANDMARKS = {"fit_landmarks", "measure", "plot", *RECORD}
LIMIT = {"compute_limiting_kernel", "decompose_kernel", "solve_gaussian", *TRAIN, *LANDMARKS}
ALL = {"make_dataset", "compute_initial_kernels", *LIMIT}

# One file of each folder: first those of settings, wording, scheduling and what runs a job.
WITHOUT_RESULTS = (
    "ntkflow/api.py",
    "ntkflow/estimators/regressors.py",
    "ntkflow/configuration/study.py",
    "ntkflow/measures/kernel_profile/settings.py",
    "ntkflow/jobs/forks/server.py",
    "ntkflow/jobs/log.py",
    "ntkflow/jobs/provenance.py",
    "ntkflow/jobs/requests.py",
    "ntkflow/jobs/tasks.py",
    "ntkflow/verification/comparison.py",
    "ntkflow/stores/planning.py",
    "ntkflow/pages/captions.py",
    "ntkflow/measures/common/experiment.py",
    "ntkflow/pages/settings.py",
    "workflow/rules/measures.smk",
    "profiles/default/config.v9+.yaml",
    "config/smoke.yaml",
)
# Others, and the rules that are planned after a change to one.
CHANGED: dict[str, set[str]] = {
    # Pages and figures.
    "ntkflow/pages/report.html.jinja": {"tabulate_claims", *RECORD},
    "ntkflow/pages/report.js": {"tabulate_claims", *RECORD},
    "ntkflow/plotting/paper.mplstyle": PLOT,
    "ntkflow/plotting/style.py": PLOT,
    "workflow/scripts/plot.py": PLOT - {"tabulate_widths"},
    "ntkflow/measures/kernel_profile/figure.py": {"plot", "tabulate_claims", *RECORD},
    # Measures, from one to all.
    "ntkflow/measures/__init__.py": MEASURE,
    "ntkflow/measures/kernel_profile/measure.py": MEASURE - {"tabulate_widths"},
    "ntkflow/measures/random_functions/measure.py": MEASURE - {"tabulate_widths"},
    "ntkflow/analysis/nystroem.py": {"measure", "plot", *RECORD},
    "ntkflow/analysis/jackknife.py": MEASURE,
    "workflow/scripts/measure.py": MEASURE,
    # Computations, with all that follows.
    "workflow/scripts/solve_dynamics.py": SOLVE,
    "ntkflow/kernels/dynamics.py": {"solve_gaussian", *SOLVE},
    "workflow/scripts/train_networks.py": TRAIN,
    "ntkflow/interface/landmark_sums.py": LANDMARKS,
    "ntkflow/interface/limiting.py": LIMIT,
    "ntkflow/stores/grams.py": LIMIT,
    "ntkflow/device.py": ALL - {"make_dataset"},
    "ntkflow/networks/mlp.py": {"compute_initial_kernels", *TRAIN},
    "ntkflow/kernels/hermite.py": ALL - {"make_dataset"},
    "ntkflow/datasets/inputs/circle.py": {
        *("make_dataset", "compute_limiting_kernel", "decompose_kernel", "train_networks"),
        *("solve_gaussian", "measure", "plot", "tabulate_claims", *RECORD),
    },
    "ntkflow/stores/zarr.py": ALL,
}


ALWAYS = (
    *(f"ntkflow/measures/kernel_profile/{name}.py" for name in ("measure", "figure")),
    *("ntkflow/interface/limiting.py", "ntkflow/networks/mlp.py"),
    "ntkflow/datasets/inputs/circle.py",
)


def slow_unless(always: Collection[str], cases: Iterable[str]) -> list[ParameterSet]:
    """Cases of which some are always tried, and the others by slow tests."""
    marks = {case: () if case in always else pytest.mark.slow for case in cases}
    return [pytest.param(case, marks=mark) for case, mark in marks.items()]


@contextmanager
def changed(file: Path) -> Iterator[None]:
    """A file with one line more that has no effect."""
    original = file.read_bytes()
    comments = {".jinja": b"{# changed #}", ".js": b"// changed"}
    file.write_bytes(original + b"\n%s\n" % comments.get(file.suffix, b"# changed"))
    try:
        yield
    finally:
        file.write_bytes(original)


def test_changed_files_without_results_rerun_nothing(finished: Clone) -> None:
    with ExitStack() as stack:
        for file in WITHOUT_RESULTS:
            stack.enter_context(changed(finished.folder / file))
        assert finished.planned() == {}


@pytest.mark.parametrize("file", slow_unless(ALWAYS, CHANGED))
def test_a_changed_file_reruns_what_it_can_change(finished: Clone, file: str) -> None:
    with changed(finished.folder / file):
        planned = finished.planned()
    assert planned.keys() == CHANGED[file]


def test_every_folder_is_in_the_table(finished: Clone) -> None:
    folders = {path.parent for path in (finished.folder / "ntkflow").rglob("*.py")}
    tried = {(finished.folder / file).parent for file in (*CHANGED, *WITHOUT_RESULTS)}
    inside = {
        folder for folder in folders - tried if folder.parent.name not in ("measures", "datasets")
    }
    assert {folder.name for folder in inside} <= {"ntkflow", "datasets"}


def test_a_line_more_in_each_file_of_a_measure_repeats_that_measure_alone(finished: Clone) -> None:
    folder = finished.folder / "ntkflow" / "measures" / "principal_component"
    files = [folder / f"{name}.py" for name in ("settings", "measure", "figure")]
    with changed(files[0]), changed(files[1]), changed(files[2]):
        planned = finished.planned()
    rules = ("measure", "plot", "tabulate_claims", *RECORD)
    assert planned == dict.fromkeys(rules, 1)


@pytest.mark.parametrize(
    ("file", "old", "new", "rules"),
    [
        ("kernel_profile/settings.py", "The limit n → ∞ is dashed.", "Dashed.", {"plot"}),
        ("random_functions/settings.py", "tends to their", "tends to the", {"plot"}),
        ("common/regression.py", "        0.0,", "        0.1,", {"measure", "plot"}),
    ],
    ids=["caption", "statement", "default"],
)
def test_words_redraw_and_values_repeat(
    finished: Clone, file: str, old: str, new: str, rules: set[str]
) -> None:
    path = finished.folder / "ntkflow" / "measures" / file
    original = path.read_text(encoding="utf-8")
    assert original.count(old) == 1
    path.write_text(original.replace(old, new), encoding="utf-8")
    try:
        planned = finished.planned()
    finally:
        path.write_text(original, encoding="utf-8")
    assert rules <= planned.keys() <= {*rules, "tabulate_claims", *RECORD}


@pytest.mark.slow
@pytest.mark.parametrize("target", slow_unless(["figures"], ["figures", "claims", "report", "all"]))
def test_no_target_takes_a_figure_of_failed_data_for_current(
    finished: Clone, tmp_path: Path, target: str
) -> None:
    """Snakemake records a failed job as run: its figure would be up to date."""
    clone = Clone(tmp_path / "clone")
    shutil.copytree(finished.folder, clone.folder, symlinks=True)
    module = clone.folder / "ntkflow" / "measures" / "random_functions" / "measure.py"
    original = module.read_text(encoding="utf-8")
    module.write_text(original + "\nraise ValueError('not today')\n", encoding="utf-8")
    printed = clone.snakemake(target, ok=False)
    assert "not today" in printed
    again = clone.snakemake(target, ok=False)
    assert "not today" in again
    module.write_text(original, encoding="utf-8")
    assert clone.planned(target)["measure"] == 1


def test_products_of_a_run_are_those_that_the_target_lists(finished: Clone) -> None:
    """`all` lists every store and table: what is deleted is computed again."""
    results = finished.folder / "results"
    recorded = yaml.safe_load((results / "provenance.json").read_text(encoding="utf-8"))["digests"]
    stores = {path.relative_to(results).as_posix() for path in results.rglob("*.zarr")}
    tables = {path.relative_to(results).as_posix() for path in (results / "tables").iterdir()}
    assert stores | tables <= recorded.keys()
