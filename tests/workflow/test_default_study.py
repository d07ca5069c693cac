"""The default study agrees with its reference, and its claims detect errors of their theory.

Here its experiments run that train no ensembles; the others run in the smoke study (`finished`).
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ntkflow.configuration.study import read_study
from ntkflow.verification import mutations
from ntkflow.verification.comparison import compare
from ntkflow.verification.folder import Folder
from ntkflow.verification.reference import read_reference
from tests.measures.found import CLAIMS
from tests.workflow.conftest import (
    CODE,
    OVERLAYS,
    REPOSITORY,
    Clone,
    built_once,
    copy_of_code,
)

DETECTED = yaml.safe_load((REPOSITORY / "references" / "mutations.yaml").read_text("utf-8"))
TEXT = (REPOSITORY / "config" / "config.yaml").read_text("utf-8")
STUDY = read_study(yaml.safe_load(TEXT))
TRAINED = {name for name, each in STUDY.selected.items() if "ensembles" in each.needs}
PART = [name for name in STUDY.selected if name not in TRAINED]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of this part of the default study, run once."""

    def run(folder: Path) -> None:
        copy_of_code(folder, *CODE)
        (folder / "part.yaml").write_text(yaml.safe_dump({"run": PART}))
        Clone(folder).snakemake("--configfile", "config/config.yaml", "part.yaml")

    return built_once(tmp_path_factory, "default", run) / "results"


def test_every_claim_detects_an_error() -> None:
    claims = [name for name, experiment in STUDY.selected.items() if experiment.paper]
    assert list(DETECTED) == claims
    assert [name for name, sizes in DETECTED.items() if not any(sizes.values())] == []


def test_page_has_the_table() -> None:
    page = (REPOSITORY / "docs" / "claims.md").read_text("utf-8")
    assert mutations.table(DETECTED) in page


def test_the_others_run_in_the_smoke_study() -> None:
    variants = (REPOSITORY / OVERLAYS[-1]).read_text("utf-8")
    assert TRAINED <= {*yaml.safe_load(variants)["run"]}


@pytest.mark.slow
def test_the_default_study_agrees_with_its_published_reference(results: Path) -> None:
    file = REPOSITORY / "references" / "default.json"
    reference = read_reference(file.read_bytes(), file.name)
    folder = Folder(results)
    expected = reference.products_of_part(PART, folder.recorded)
    assert len(expected) > 5 * len(PART)
    report = compare(folder.digests(), expected, folder.product)
    assert report.agrees, "\n".join(report.lines())


def errors_of_each_kind() -> Iterator[tuple[str, str]]:
    """A claim that detects an error of each kind, each time another claim."""
    left = [name for name in PART if name in DETECTED]
    for kind in dict.fromkeys(kind for name in left for kind in DETECTED[name]):
        claim = next((name for name in left if DETECTED[name].get(kind)), None)
        if claim:
            left.remove(claim)
            yield claim, kind


ERRORS = [*errors_of_each_kind()]


def test_all_kinds_of_errors_are_tried() -> None:
    every = {kind for sizes in DETECTED.values() for kind, size in sizes.items() if size}
    assert {kind for _, kind in ERRORS} == every


@pytest.mark.slow
@pytest.mark.parametrize(("claim", "kind"), ERRORS)
def test_claim_detects_an_error(claim: str, kind: str, results: Path) -> None:
    size = DETECTED[claim][kind]
    sources = mutations.read_sources(STUDY, claim, results)
    measure = f"ntkflow.measures.{STUDY.experiments[claim].measure}"
    every = mutations.mutations_of(measure)
    (error,) = [each for each in every if (each.kind, each.size) == (kind, size)]
    before = mutations.disagreed(claim, results)
    with mutations.mutated(measure, error, sources) as changed:
        assert changed is not None
        assert mutations.disagreeing(STUDY, claim, changed) - before


@pytest.mark.slow
def test_every_claim_is_measured(results: Path) -> None:
    table = json.loads((results / "claims.json").read_text("utf-8"))
    measured = {STUDY.experiments[row["experiment"]].measure for row in table}
    assert measured == {STUDY.experiments[name].measure for name in PART} & CLAIMS
