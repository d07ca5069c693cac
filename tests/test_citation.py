"""CITATION.cff has what version 1.2.0 of its format requires, and this package's version."""

import tomllib
from pathlib import Path

import yaml

import ntkflow

REPOSITORY = Path(__file__).parents[1]
CITATION = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_required_keys_are_there():
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["title"] == PROJECT["name"]
    assert CITATION["message"]
    assert all("name" in author or "family-names" in author for author in CITATION["authors"])


def test_version_and_licence_are_those_of_the_package():
    assert CITATION["version"] == PROJECT["version"] == ntkflow.__version__
    assert CITATION["license"] == PROJECT["license"]


def test_paper_is_among_the_references():
    (paper,) = CITATION["references"]
    assert [author["family-names"] for author in paper["authors"]] == [
        "Jacot",
        "Gabriel",
        "Hongler",
    ]
    assert paper["year"] == 2018
