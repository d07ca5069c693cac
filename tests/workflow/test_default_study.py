"""The default study agrees with its reference, and each claim detects an error of its theory."""

import json
from pathlib import Path

import pytest
import yaml

from ntkflow.configuration.study import Study, read_study
from ntkflow.verification import mutations
from ntkflow.verification.comparison import compare
from ntkflow.verification.folder import Folder
from ntkflow.verification.reference import read_reference
from tests.measures.found import CLAIMS
from tests.workflow.conftest import CODE, REPOSITORY, Clone, built_once, copy_of_code

DETECTED = yaml.safe_load((REPOSITORY / "references" / "mutations.yaml").read_text("utf-8"))
TEXT = (REPOSITORY / "config" / "config.yaml").read_text("utf-8")
STUDY = read_study(yaml.safe_load(TEXT))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the default study, run once."""

    def run(folder: Path) -> None:
        copy_of_code(folder, *CODE)
        Clone(folder).snakemake("--configfile", "config/config.yaml")

    return built_once(tmp_path_factory, "default", run) / "results"


def test_every_claim_detects_an_error() -> None:
    claims = [name for name, experiment in STUDY.selected.items() if experiment.paper]
    assert list(DETECTED) == claims
    assert [name for name, sizes in DETECTED.items() if not any(sizes.values())] == []


def test_page_has_the_table() -> None:
    page = (REPOSITORY / "docs" / "claims.md").read_text("utf-8")
    assert mutations.table(DETECTED) in page


@pytest.mark.slow
def test_the_default_study_agrees_with_its_published_reference(results: Path) -> None:
    file = REPOSITORY / "references" / "default.json"
    reference = read_reference(file.read_bytes(), file.name)
    folder = Folder(results)
    report = compare(folder.digests(), reference.products, folder.product)
    assert report.agrees, "\n".join(report.lines())


@pytest.mark.slow
@pytest.mark.parametrize("claim", DETECTED)
def test_claim_detects_its_first_error(claim: str, results: Path) -> None:
    study: Study = STUDY
    kind, size = next((kind, size) for kind, size in DETECTED[claim].items() if size)
    sources = mutations.read_sources(study, claim, results)
    measure = f"ntkflow.measures.{study.experiments[claim].measure}"
    every = mutations.mutations_of(measure)
    (error,) = [each for each in every if (each.kind, each.size) == (kind, size)]
    before = mutations.disagreed(claim, results)
    with mutations.mutated(measure, error, sources) as changed:
        assert changed is not None
        assert mutations.disagreeing(study, claim, changed) - before


@pytest.mark.slow
def test_every_claim_is_measured(results: Path) -> None:
    table = json.loads((results / "claims.json").read_text("utf-8"))
    measured = {STUDY.experiments[row["experiment"]].measure for row in table}
    assert measured == {each.measure for each in STUDY.selected.values()} & CLAIMS
