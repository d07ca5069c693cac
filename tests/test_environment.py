"""pyproject.toml, requirements.lock and environment.yml state one environment."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
LOCK = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
CONDA = yaml.safe_load((REPOSITORY / "environment.yml").read_text(encoding="utf-8"))

ENTRY = re.compile(
    r"^([\w.-]+)==([^\s;\\]+)(?: ;[^\\]*)?((?: \\\n    --hash=sha256:[0-9a-f]{64})*)$"
)


def locked_versions(lock: str) -> dict[str, str]:
    """Version of each package of the lock file; an error if a line is no pin with a hash."""
    text = re.sub(r"^ *#.*\n", "", lock, flags=re.MULTILINE)
    versions = {}
    for block in re.split(r"\n(?=\S)", text.strip()):
        entry = ENTRY.match(block)
        if entry is None or not entry[3]:
            raise ValueError(f"not a pinned version with hashes: {block.splitlines()[0]!r}")
        versions[canonicalize_name(entry[1])] = entry[2]
    return versions


def direct(group: str) -> list[Requirement]:
    """Requirements of one group of pyproject.toml with those it includes; `` is the runtime."""
    if not group:
        return [*map(Requirement, PROJECT["project"]["dependencies"]), *optional("workflow")]
    found = []
    for entry in PROJECT["dependency-groups"][group]:
        found += [Requirement(entry)] if isinstance(entry, str) else direct(entry["include-group"])
    return found


def optional(extra: str) -> list[Requirement]:
    """Requirements of one extra with those of the extras that it names."""
    entries = map(Requirement, PROJECT["project"]["optional-dependencies"][extra])
    found = []
    for entry in entries:
        own = entry.name == PROJECT["project"]["name"]
        found += [r for name in entry.extras for r in optional(name)] if own else [entry]
    return found


def conda_pins(conda: dict[str, Any]) -> dict[str, str]:
    """Version of each package that environment.yml takes from pip."""
    pip = next(entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict))
    pins = dict(pin.split("==") for pin in pip)
    return {canonicalize_name(name): version for name, version in pins.items()}


def test_lock_satisfies_the_project():
    versions = locked_versions(LOCK)
    wrong = [
        f"{requirement}, locked: {versions.get(canonicalize_name(requirement.name), 'nothing')}"
        for requirement in [*direct(""), *direct("dev")]
        if versions.get(canonicalize_name(requirement.name)) not in requirement.specifier
    ]
    assert not wrong, "run `make lock`"


def test_conda_environment_has_the_locked_versions():
    versions = locked_versions(LOCK)
    names = sorted(canonicalize_name(r.name) for r in [*direct(""), *direct("test")])
    expected = {name: versions[name] for name in names}
    assert conda_pins(CONDA) == expected, "list these packages in environment.yml, run `make lock`"


def test_conda_environment_has_a_python_of_the_project():
    plain = [Requirement(entry) for entry in CONDA["dependencies"] if isinstance(entry, str)]
    python = next(requirement for requirement in plain if requirement.name == "python")
    allowed = Requirement(f"python{PROJECT['project']['requires-python']}").specifier
    assert {"make", "pip"} <= {requirement.name for requirement in plain}
    for minor in range(20):
        assert f"3.{minor}" not in python.specifier or f"3.{minor}" in allowed


def test_lock_names_no_place():
    """Not in a comment either; an option or a reference to a file is no pin, which is an error."""
    assert "://" not in LOCK
    assert locked_versions(LOCK)


@pytest.mark.parametrize(
    "lock",
    [
        "numpy==2.4.6\n",
        "numpy>=2.4 \\\n    --hash=sha256:" + 64 * "0" + "\n",
        "numpy==2.4.6 \\\n    --hash=sha256:0\n",
        "--pre\n" + LOCK,
        LOCK + "numpy @ https://example.org/numpy.whl\n",
    ],
)
def test_line_that_is_no_hashed_pin_is_noticed(lock):
    with pytest.raises(ValueError, match="not a pinned version with hashes"):
        locked_versions(lock)
