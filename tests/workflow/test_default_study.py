"""The default study agrees with its reference, and its claims detect errors of their theory.

At its own size run only experiments that train no networks, and those whose claims alone detect a
kind of error. The others run at the size of the smoke study, here or in `finished`.
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


def networks_trained(name: str) -> int:
    """0 if an experiment trains no networks, 1 if its measure does, 2 if it has ensembles."""
    experiment = STUDY.experiments[name]
    return 2 if "ensembles" in experiment.needs else int("seeds" in experiment.settings)


def errors_of_each_kind() -> Iterator[tuple[str, str]]:
    """A claim that detects an error of each kind, each time another claim.

    Kinds that few claims detect choose first, and claims that train networks are chosen last.
    """
    left = sorted(DETECTED, key=networks_trained)
    kinds = dict.fromkeys(kind for name in left for kind in DETECTED[name])
    found = {kind: [name for name in left if DETECTED[name].get(kind)] for kind in kinds}
    untrained = {name for name in left if not networks_trained(name)}
    for kind in sorted(kinds, key=lambda kind: len(untrained & {*found[kind]})):
        claim = next((name for name in found[kind] if name in left), None)
        if claim:
            left.remove(claim)
            yield claim, kind


ERRORS = [*errors_of_each_kind()]
PART = [name for name in STUDY.selected if name in dict(ERRORS) or not networks_trained(name)]
SMALL = [name for name in STUDY.selected if name not in PART and networks_trained(name) == 1]


def run_parts(folder: Path) -> None:
    """Run both parts in a copy of the code, each in a folder of its study."""
    copy_of_code(folder, *CODE)
    for study, part, overlays in (("default", PART, ()), ("smoke", SMALL, ["config/smoke.yaml"])):
        (folder / f"{study}.yaml").write_text(yaml.safe_dump({"run": part}))
        files = ("config/config.yaml", *overlays, f"{study}.yaml")
        # Snakemake would take a folder `default` here for the profile of that name.
        Clone(folder).snakemake("--directory", f"studies/{study}", "--configfile", *files)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of both parts, run once."""
    return built_once(tmp_path_factory, "parts", run_parts)


@pytest.fixture
def results(parts: Path) -> Path:
    """Results of the part of the default study at its own size."""
    return parts / "studies" / "default" / "results"


def test_every_claim_detects_an_error() -> None:
    claims = [name for name, experiment in STUDY.selected.items() if experiment.paper]
    assert list(DETECTED) == claims
    assert [name for name, sizes in DETECTED.items() if not any(sizes.values())] == []


def test_page_has_the_table() -> None:
    page = (REPOSITORY / "docs" / "claims.md").read_text("utf-8")
    assert mutations.table(DETECTED) in page


def test_the_others_run_in_the_smoke_study() -> None:
    variants = (REPOSITORY / OVERLAYS[-1]).read_text("utf-8")
    assert {*STUDY.selected} <= {*PART, *SMALL, *yaml.safe_load(variants)["run"]}


@pytest.mark.slow
@pytest.mark.parametrize(("study", "part"), [("default", PART), ("smoke", SMALL)])
def test_results_agree_with_the_published_reference(
    study: str, part: list[str], parts: Path
) -> None:
    file = REPOSITORY / "references" / f"{study}.json"
    reference = read_reference(file.read_bytes(), file.name)
    folder = Folder(parts / "studies" / study / "results")
    expected = reference.products_of_part(part, folder.recorded)
    assert len(expected) > 5 * len(part)
    report = compare(folder.digests(), expected, folder.product)
    assert report.agrees, "\n".join(report.lines())


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
