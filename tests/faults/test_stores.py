"""Stores that are damaged behind the back of the workflow: noticed, named, recomputed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.studies import JOBS, Study, said_by, target
from tests.faults.trials import always_and_slow
from tests.stores.test_checked import flip

STORES = [rule for rule, product in JOBS.items() if product.endswith(".zarr")]


def largest_chunk(store: Path) -> Path:
    """Of all arrays."""
    return max(store.glob("*/c/**/*"), key=lambda file: file.stat().st_size * file.is_file())


def truncate_chunk(store: Path) -> None:
    """A chunk loses its last bytes."""
    file = largest_chunk(store)
    file.write_bytes(file.read_bytes()[:-7])


def lose_chunk(store: Path) -> None:
    """A chunk is gone."""
    largest_chunk(store).unlink()


def lose_array(store: Path) -> None:
    """The description of an array is gone."""
    next(store.glob("*/zarr.json")).unlink()


def truncate_root(store: Path) -> None:
    """The root file ends in the middle."""
    file = store / "zarr.json"
    file.write_bytes(file.read_bytes()[:200])


def empty_root(store: Path) -> None:
    """The root file has no bytes."""
    (store / "zarr.json").write_bytes(b"")


def another_root(store: Path) -> None:
    """The root file is other JSON."""
    (store / "zarr.json").write_text(json.dumps(["not", "a", "store"]))


DAMAGES = [truncate_chunk, lose_chunk, lose_array, truncate_root, empty_root, another_root]


def rotations() -> Iterator[list[tuple[str, Callable[[Path], None]]]]:
    """Rules with what is done to their stores: the last alone, then all at once, each store and
    each damage in turn."""
    yield [(STORES[-1], lose_chunk)]
    for shift in range(0, len(DAMAGES), 2):
        yield [*zip(STORES, DAMAGES[shift:] + DAMAGES[:shift], strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("damages", always_and_slow("a store has lost files", [*rotations()]))
def test_what_a_store_has_lost_is_noticed_and_recomputed(
    damages: list[tuple[str, Callable[[Path], None]]], undisturbed: Study, finished_study: Study
) -> None:
    for rule, damage in damages:
        damage(finished_study.product(rule))
    printed = finished_study.snakemake()
    for rule, _ in damages:
        store = f"results/{JOBS[rule]}"
        assert f"{store} has lost some of its files: it will be recomputed" in printed
    assert "Traceback" not in printed
    assert finished_study.results() == undisturbed.results()
    assert "Nothing to be done" in finished_study.snakemake("--dry-run")


# A store, and a rule that reads it.
READERS = [
    ("measure", "plot"),
    ("make_dataset", "train_networks"),
    ("compute_limiting_kernel", "decompose_kernel"),
    ("decompose_kernel", "solve_gaussian"),
    ("train_networks", "measure"),
    ("solve_gaussian", "measure"),
]


@pytest.mark.parametrize(("rule", "reader"), always_and_slow("a chunk has changed", READERS))
def test_changed_chunk_is_named_by_who_reads_it(
    rule: str, reader: str, undisturbed: Study, finished_study: Study
) -> None:
    """Of the same length, it is only noticed when it is read."""
    study = finished_study
    chunk = largest_chunk(study.product(rule))
    flip(chunk)
    study.lose(reader)
    printed = study.snakemake(target(reader), ok=False)
    (line,) = said_by(reader, printed)
    named = Path(line.split(": ")[1])
    assert (study.folder / named).samefile(chunk)
    assert "delete this file and run again" in line
    assert "Traceback" not in printed
    (study.folder / named).unlink()
    study.snakemake()
    assert study.results() == undisturbed.results()
