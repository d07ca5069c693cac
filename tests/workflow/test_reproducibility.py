"""Two runs of one configuration on one machine leave the same bytes, whatever is around them."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from ntkflow.jobs import forks
from ntkflow.verification.__main__ import main
from ntkflow.verification.comparison import compare
from ntkflow.verification.folder import Folder
from ntkflow.verification.reference import read_reference
from tests.workflow.conftest import CODE, REPOSITORY, Clone, copy_of_code


def surroundings(home: Path) -> dict[str, str]:
    """What differs from one user or day to another: nothing of it may show in results."""
    places = {"HOME": home, "XDG_CACHE_HOME": home / "cache", "MPLCONFIGDIR": home / "fonts"}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    return {
        **{name: str(place) for name, place in places.items()},  # no cache of fonts yet
        "PYTHONHASHSEED": "7",
        "TZ": "Asia/Kathmandu",
        "LANG": "C",
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": "86400",
        "OMP_NUM_THREADS": "3",
        "OPENBLAS_NUM_THREADS": "3",
    }


REPEATED = ("functions_on_the_circle", "few_landmarks", "ten_outputs", "ten_outputs.widths")

OF_ALL_EXPERIMENTS = {
    *("claims.csv", "claims.json", "claims.html"),
    *("configuration.yaml", "provenance.json"),
}


def kinds(products: Iterable[str]) -> set[str]:
    """Folders and files of the top level."""
    return {Path(product).parts[0] for product in products}


@pytest.mark.slow
def test_a_run_repeated_from_its_record_elsewhere_leaves_the_same_bytes(
    finished: Clone, tmp_path: Path
) -> None:
    """From `configuration.yaml` alone, on one core, with other variables, in ordinary processes.

    Experiments enough for products of all kinds.
    """
    again = Clone(tmp_path / "a longer name with spaces" / "clone")
    copy_of_code(again.folder, *CODE)
    shutil.copy(finished.folder / "results" / "configuration.yaml", again.folder)
    again.snakemake(
        *(f"results/tables/{name}.csv" for name in REPEATED),
        *("--configfile", "configuration.yaml", "--cores", "1"),
        environment={**surroundings(tmp_path / "home"), forks.PLACE: "off"},
    )
    one, two = finished.results(), again.results()
    assert kinds(one) - kinds(two) == OF_ALL_EXPERIMENTS
    assert len(two) > 50
    assert [path for path in two if one[path] != two[path]] == []


@pytest.mark.slow  # here, as another worker would run the study for it
def test_the_smoke_study_agrees_with_its_published_reference(finished: Clone) -> None:
    """Its experiments that are run here; test_default_study.py has the others."""
    file = REPOSITORY / "references" / "smoke.json"
    reference = read_reference(file.read_bytes(), file.name)
    folder = Folder(finished.folder / "results")
    chosen = {*yaml.safe_load(reference.configuration)["run"]} & {*folder.configuration["run"]}
    assert len(chosen) > 6
    expected = reference.products_of_part(chosen, folder.recorded)
    report = compare(folder.digests(), expected, folder.product)
    assert report.agrees, "\n".join(report.lines())


@pytest.mark.slow
def test_results_agree_with_themselves_as_a_reference(
    finished: Clone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, reference = finished.folder / "results", tmp_path / "reference.json"
    assert main([str(results), "--write", str(reference)]) == 0
    assert main([str(results), "--reference", str(reference)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(
        "0 within tolerance, 0 drawn with other bytes, 0 different, 0 missing, "
        "0 not in the reference"
    )
