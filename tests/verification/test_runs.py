"""The command that compares two runs: what it prints and writes, and what it refuses."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from ntkflow.measures.common.table import records
from ntkflow.stores.zarr import open_store, write_store
from ntkflow.verification.runs import main
from tests.pages import examples
from tests.verification.results import CONFIGURATION, STORES, write_record, write_results


def finish(results: Path, slope: float, configuration=CONFIGURATION) -> None:
    """Add claims and a figure, and write the record of the run."""
    write_record(results, configuration)
    record = json.loads((results / "provenance.json").read_text())
    claims = json.dumps(records(examples.claims("drift", slope)))
    contents = {"claims.json": claims.encode(), "figures/drift.svg": examples.SVG}
    for name, content in {**contents, "figures/drift.png": examples.PNG}.items():
        (results / name).write_bytes(content)
        record["digests"][name] = hashlib.sha256(content).hexdigest()
    (results / "provenance.json").write_text(json.dumps(record))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "first"
    write_results(folder)
    finish(folder, -0.3)
    return folder


@pytest.fixture
def runs(made, tmp_path):
    """Two copies of a run."""
    return [shutil.copytree(made, tmp_path / name) for name in ("first", "second")]


@pytest.fixture
def compare(tmp_path, capsys):
    def run(*folders):
        """Exit status, what is printed, and the page."""
        page = tmp_path / "new" / "compare.html"
        status = main([*map(str, folders), "--output", str(page)])
        printed = capsys.readouterr()
        return status, printed.out + printed.err, page.read_text("utf-8") if page.exists() else ""

    return run


def test_the_same_folder_twice(runs, compare):
    status, printed, page = compare(runs[0], runs[0])
    assert status == 0
    assert re.search("configuration: +same keys and values", printed)
    assert re.search("verdicts: +same; claims in both runs: 1", printed)
    assert re.search("products: +8 with the same bytes\n", printed)
    assert "Figure of drift in the first run" in page
    assert "Figure of drift in the second run" not in page


def test_a_changed_study(runs, compare):
    second = runs[1]
    store = second / "limiting/points/tanh_3.zarr"
    dataset = open_store(store, STORES["limiting/points/tanh_3"]).load()
    changed = dataset.assign(ntk=dataset["ntk"] * 1.5)
    write_store(changed, store, "limiting", {"precision": "float64"})
    shutil.rmtree(second / "ensembles/drift/width-8.zarr")
    finish(second, -0.5, {**CONFIGURATION, "seed": 4, "device": "cpu"})
    status, printed, page = compare(*runs)
    assert status == 0
    assert re.search("configuration: +2 differ: device, seed", printed)
    assert re.search("verdicts: +1 differs: drift disagrees → agrees", printed)
    assert re.search("products: +5 with the same bytes, 2 different, 1 only in the first", printed)
    assert "limiting/points/tanh_3.zarr" in page
    assert "ntk: " in page
    assert printed.rstrip().endswith("compare.html")


def test_a_run_without_claims_is_compared(runs, compare):
    write_record(runs[1], CONFIGURATION)
    status, printed, _ = compare(*runs)
    assert status == 0
    assert re.search("verdicts: +no claim in both runs", printed)


def broken(file, content):
    def change(folder):
        (folder / file).unlink() if content is None else (folder / file).write_text(content)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shutil.rmtree, "second/provenance.json: No such file or directory; expected a folder"),
        (broken("provenance.json", None), "second/provenance.json: No such file"),
        (broken("provenance.json", '{"digests": {}}'), "provenance.json: no key configuration"),
        (broken("provenance.json", '{"digests": []}'), "provenance.json: no key digests"),
        (broken("claims.json", None), "second/claims.json: found no table of claims"),
        (broken("claims.json", "[]"), "second/claims.json: changed since provenance.json was"),
        (
            broken("limiting/points/tanh_3.zarr/zarr.json", "{"),
            "second/limiting/points/tanh_3.zarr",
        ),
    ],
)
def test_folders_that_are_no_finished_run(runs, compare, change, message):
    change(runs[1])
    status, printed, page = compare(*runs)
    assert status == 2
    assert message in printed
    assert "Traceback" not in printed
    assert not page


def test_a_table_that_is_no_table_of_claims(runs, compare):
    content = b'[{"paper": "x"}]'
    (runs[1] / "claims.json").write_bytes(content)
    record = json.loads((runs[1] / "provenance.json").read_text())
    record["digests"]["claims.json"] = hashlib.sha256(content).hexdigest()
    (runs[1] / "provenance.json").write_text(json.dumps(record))
    status, printed, _ = compare(*runs)
    assert status == 2
    assert "claims.json: found no experiment, quantity" in printed


def test_paths_outside_of_the_folder_are_refused(runs, compare):
    record = json.loads((runs[1] / "provenance.json").read_text())
    record["digests"]["../first/claims.json"] = "0"
    (runs[1] / "provenance.json").write_text(json.dumps(record))
    status, printed, _ = compare(*runs)
    assert status == 2
    assert "found '../first/claims.json' in digests, expected paths in the folder" in printed


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("second/compare.html", "expected a place elsewhere"),
        ("notes.txt", "expected a name that ends in .html"),
    ],
)
def test_files_of_a_run_and_other_files_are_not_overwritten(
    runs, tmp_path, capsys, output, expected
):
    place = tmp_path / output
    place.write_text("mine")
    assert main([*map(str, runs), "--output", str(place)]) == 2
    assert expected in capsys.readouterr().err
    assert place.read_text() == "mine"
