"""Errors that name the extra to install."""

import sys
from importlib import import_module

import pytest

from ntkflow.extras import require


def test_what_is_installed_is_no_error():
    require("workflow", "numpy", "xarray")


def test_missing_module_is_named_with_the_extra():
    expected = r"^found no package 'no_such'.*`pip install 'ntkflow\[workflow\]'`$"
    with pytest.raises(ModuleNotFoundError, match=expected) as error:
        require("workflow", "numpy", "no_such")
    assert error.value.name == "no_such"


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [
        ("ntkflow.plotting.style", "matplotlib", "workflow"),
        ("ntkflow.configuration.study", "pydantic", "workflow"),
        ("ntkflow.estimators", "sklearn", "sklearn"),
    ],
)
def test_module_names_its_extra(module, library, extra, monkeypatch):
    package = ".".join(module.split(".")[:2])
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModuleNotFoundError, match=rf"'{library}'.*ntkflow\[{extra}\]"):
        import_module(module)
