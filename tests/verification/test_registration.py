"""Runs are compared with the settings and margins registered before them."""

import json
import re

import pytest
import yaml

from ntkflow.verification import registration
from tests.configuration.test_study import DEFAULT

NUMBER = {
    "relation": "equals",
    "expected": 1.0,
    "margin": 0.1,
    "reason": "a tenth",
    "kind": "number",
}


@pytest.fixture
def results(tmp_path):
    row = {"experiment": "inflation", "quantity": "speed", **NUMBER, "value": 1.02}
    (tmp_path / "claims.json").write_text(json.dumps([row]))
    (tmp_path / "configuration.yaml").write_text(yaml.safe_dump(DEFAULT))
    return tmp_path


def test_a_run_agrees_with_its_own_registration(results, capsys, monkeypatch):
    assert registration.main([str(results), "--write", str(results)]) == 0
    monkeypatch.setattr(registration, "latest", lambda: registration_of(results))
    assert registration.main([str(results)]) == 0
    assert "0 differences" in capsys.readouterr().out


def registration_of(folder):
    (file,) = folder.glob("registration-*.yaml")
    return yaml.safe_load(file.read_text())


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"margin": 0.2}, "inflation: speed: found .*0.2.*registered .*0.1"),
        ({"quantity": "pace"}, "inflation: pace: not registered"),
    ],
)
def test_a_later_margin_is_named(results, change, line):
    first = registration.register(results, "2026-01-01")
    row = {"experiment": "inflation", "quantity": "speed", **NUMBER, **change}
    (results / "claims.json").write_text(json.dumps([row]))
    lines = registration.differences(first, registration.register(results, "2026-02-01"))
    assert any(re.match(line, each) for each in lines)


def test_later_settings_are_named(results):
    first = registration.register(results, "2026-01-01")
    changed = json.loads(json.dumps(DEFAULT))
    changed["experiments"]["inflation"]["seeds"] = 11
    (results / "configuration.yaml").write_text(yaml.safe_dump(changed))
    lines = [*registration.differences(first, registration.register(results, "2026-02-01"))]
    assert lines == ["experiments.inflation: found other settings than registered"]


def test_a_folder_without_claims_is_one_error(tmp_path, capsys):
    assert registration.main([str(tmp_path)]) == 2
    assert "found no claims of a run" in capsys.readouterr().err


def test_settings_of_the_default_study_are_those_that_are_registered():
    """A change of data, networks or experiments needs a new registration, with its date."""
    registered = registration.latest()["settings"]
    for kind in registration.SETTINGS:
        now = {name: DEFAULT[kind].get(name) for name in registered[kind]}
        assert registered[kind] == now, "register a run of the changed study"
    assert {*DEFAULT["run"]} <= {*registered["experiments"]}
