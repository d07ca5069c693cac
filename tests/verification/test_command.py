"""The command on a folder of results: what it says, and the status it exits with."""

import json
import shutil
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from ntkflow.stores.zarr import open_store, write_store
from ntkflow.verification.__main__ import main
from tests.verification.results import CONFIGURATION, STORES, TABLE, write_record, write_results


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of results, and the reference that they are; to be copied."""
    folder = tmp_path_factory.mktemp("made")
    write_results(folder / "results")
    assert main([str(folder / "results"), "--write", str(folder / "reference.json")]) == 0
    return folder


@pytest.fixture
def results(made, tmp_path):
    return shutil.copytree(made / "results", tmp_path / "results")


@pytest.fixture
def published(made, tmp_path):
    return Path(shutil.copy(made / "reference.json", tmp_path))


@pytest.fixture
def verify(results, published, capsys):
    def run(reference=published):
        """Exit status, and the lines that are printed."""
        status = main([str(results), "--reference", str(reference)])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return status, printed.out.splitlines() + printed.err.splitlines()

    return run


def changed(results, place, change):
    """The store with one array changed as by another computation, and a record that says so."""
    path, kind = results / f"{place}.zarr", STORES[place]
    dataset = open_store(path, kind).load()
    attributes = {"precision": "float64"}
    write_store(change(dataset), path, kind, attributes)
    write_record(results, CONFIGURATION)


def test_untouched_results_agree(verify):
    status, (head, *lines) = verify()
    assert status == 0
    assert "system Linux, machine x86_64" in head
    assert lines == [
        "5 products: 5 with the same bytes, 0 within tolerance, 0 drawn with other bytes, "
        "0 different, 0 missing, 0 not in the reference"
    ]


def test_last_digits_are_within_tolerance(results, verify):
    changed(results, "limiting/points/tanh_3", lambda it: it.assign(ntk=it["ntk"] * (1 + 1e-15)))
    status, lines = verify()
    assert status == 0
    assert "4 with the same bytes, 1 within tolerance" in lines[-1]


def test_a_changed_number_is_named(results, verify):
    def change(dataset):
        f = dataset["f"].copy(deep=True)
        f[0, 0, 0, 0] += 1.0
        return dataset.assign(f=f)

    changed(results, "ensembles/drift/width-8", change)
    status, lines = verify()
    assert status == 1
    (line,) = [line for line in lines if line.startswith("ensembles/")]
    assert line.startswith("ensembles/drift/width-8.zarr: f: entry 0 found ")
    assert "1 different" in lines[-1]


@pytest.mark.parametrize(
    ("number", "verdict", "said"),
    [
        (-0.5, "holds", "value: entry 0 found -0.5"),
        (-1.03, "does not hold", "verdict: entry 0 found"),
    ],
)
def test_a_changed_table_is_named(results, verify, number, verdict, said):
    (results / "tables" / "drift.csv").write_text(TABLE.format(number, verdict))
    write_record(results, CONFIGURATION)
    status, lines = verify()
    assert status == 1
    assert any(line.startswith(f"tables/drift.csv: {said}") for line in lines)


def test_a_missing_store_is_named(results, verify):
    shutil.rmtree(results / "statistics" / "drift.zarr")
    status, lines = verify()
    assert status == 1
    assert "statistics/drift.zarr: missing" in lines


def test_figures_drawn_otherwise_are_counted_and_no_failure(results, verify):
    (results / "figures" / "drift.pdf").write_text("%PDF by another version")
    write_record(results, CONFIGURATION)
    status, lines = verify()
    assert status == 0
    assert "1 drawn with other bytes" in lines[-1]


def test_a_flipped_byte_of_a_chunk_is_named(results, verify):
    chunk = results / "limiting/points/tanh_3.zarr/ntk/c/0/0"
    content = bytearray(chunk.read_bytes())
    content[3] ^= 1
    chunk.write_bytes(content)
    status, lines = verify()
    assert status == 1
    assert "limiting/points/tanh_3.zarr: ntk/c/0/0: damaged" in lines
    assert "4 with the same bytes" in lines[-2]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("limiting/points/tanh_3.zarr/ntk/zarr.json", "its files are not those that were written"),
        ("limiting/points/tanh_3.zarr/zarr.json", "changed since provenance.json was written"),
        ("tables/drift.csv", "changed since provenance.json was written"),
        ("figures/drift.pdf", "changed since provenance.json was written"),
    ],
)
def test_a_file_that_was_edited_is_named(results, verify, file, said):
    path = results / file
    path.write_bytes(path.read_bytes() + b"\n")
    status, lines = verify()
    assert status == 1
    assert any(line.startswith(file.split(".zarr")[0]) and said in line for line in lines)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]"])
def test_a_store_without_its_root_is_named_and_the_others_compared(results, verify, content):
    (results / "limiting/points/tanh_3.zarr/zarr.json").write_bytes(content)
    status, lines = verify()
    assert status == 1
    assert lines[0].startswith("limiting/points/tanh_3.zarr: not readable as a store")
    assert "4 with the same bytes" in lines[-2]


def test_a_damaged_folder_is_not_published(results, tmp_path, capsys):
    (results / "figures" / "drift.pdf").unlink()
    assert main([str(results), "--write", str(tmp_path / "new.json")]) == 2
    assert "figures/drift.pdf: missing" in capsys.readouterr().err
    assert not (tmp_path / "new.json").exists()


def test_results_of_another_configuration_are_refused_with_the_keys(results, verify, published):
    other = deepcopy(CONFIGURATION)
    other["seed"] = 4
    other["experiments"]["drift"]["widths"] = [8]
    write_record(results, other)
    status, (line,) = verify(published.parent)
    assert status == 2
    assert "no reference has this configuration" in line
    assert line.endswith("differs in experiments.drift.widths, seed")


def test_a_part_of_the_experiments_is_compared_with_its_part(results, verify, published):
    reference = json.loads(published.read_text())
    configuration = yaml.safe_load(reference["configuration"])
    experiments = configuration["experiments"]
    experiments["another"] = {**experiments["drift"], "widths": [64, 128]}
    configuration["run"] = ["another", "drift"]
    reference["configuration"] = yaml.safe_dump(configuration)
    products = reference["products"]
    products["tables/another.csv"] = products["claims.csv"] = products["tables/drift.csv"]
    published.write_text(json.dumps(reference))
    status, (_, part, *_, counts) = verify(published.parent)
    assert status == 0
    assert part == "The results contain some of its experiments: drift"
    assert ", 0 missing, 0 not in the reference" in counts
    record = json.loads((results / "provenance.json").read_text())
    del record["digests"]["figures/drift.pdf"]
    (results / "provenance.json").write_text(json.dumps(record))
    (results / "figures/drift.pdf").unlink()
    status, lines = verify(published.parent)
    assert status == 1
    assert "figures/drift.pdf: missing" in lines


def test_what_no_result_depends_on_may_differ(results, verify):
    unused = {"relu_9": {"depth": 9, "activation": "relu"}}
    networks = {**CONFIGURATION["networks"], **unused}
    other = {**CONFIGURATION, "checkpoint_minutes": 7.0, "device": "cpu", "networks": networks}
    write_record(results, other)
    assert verify()[0] == 0


def test_the_reference_of_the_same_configuration_is_found_among_many(results, verify, published):
    text = json.loads(published.read_text())
    text["configuration"] = text["configuration"].replace("seed: 3", "seed: 9")
    (published.parent / "another.json").write_text(json.dumps(text))
    status, lines = verify(published.parent)
    assert status == 0
    assert "reference.json" in lines[0]


HOSTILE = {
    "nothing": b"",
    "no JSON": b"{",
    "not text": b"\xff\xfe\x00",
    "a list": b"[1, 2]",
    "another format": b'{"format": 2, "made_with": {}, "configuration": {}, "products": {}}',
    "no configuration": b'{"format": 1, "made_with": {}, "configuration": "", "products": {}}',
    "no YAML": b'{"format": 1, "made_with": {}, "configuration": "a: [", "products": {}}',
    "no platform": b'{"format": 1, "made_with": {"a": 3}, "configuration": "", "products": {}}',
    "deep": b"[" * 100_000,
    "a path outside": json.dumps(
        {
            "format": 1,
            "made_with": {},
            "configuration": yaml.safe_dump(CONFIGURATION),
            "products": {"../../secret": {"kind": "table", "sha256": ""}},
        }
    ).encode(),
    "infinite numbers": json.dumps(
        {
            "format": 1,
            "made_with": {},
            "configuration": yaml.safe_dump(CONFIGURATION),
            "products": {
                "a.csv": {
                    "kind": "table",
                    "sha256": "",
                    "arrays": {"f": {"dtype": "float64", "shape": [], "mean": 1e999}},
                }
            },
        }
    ).encode(),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_no_reference_is_one_clear_line(verify, tmp_path, content):
    file = tmp_path / "hostile.json"
    file.write_bytes(content)
    status, (line,) = verify(file)
    assert status == 2
    assert line.startswith(f"verify: {file}: ")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("provenance.json", None),
        ("provenance.json", "{"),
        ("provenance.json", "[]"),
        ("provenance.json", "{}"),
        ("configuration.yaml", None),
        ("configuration.yaml", "a: [1"),
        ("configuration.yaml", "seed: -1"),
    ],
)
def test_a_folder_without_a_record_is_one_clear_line(results, verify, file, content):
    if content is None:
        (results / file).unlink()
    else:
        (results / file).write_text(content)
    status, lines = verify()
    assert status == 2
    assert file in lines[0] or "seed" in lines[0]


@pytest.mark.parametrize("place", ["empty", "absent"])
def test_no_reference_in_a_place_is_said(verify, tmp_path, place):
    (tmp_path / "empty").mkdir()
    status, (line,) = verify(tmp_path / place)
    assert status == 2
    assert "no reference here" in line
