"""Functions of the user's, named in a configuration."""

import sys

from ntkflow.functions import own_file


def test_the_file_of_a_function_is_found_without_importing_it(tmp_path, monkeypatch):
    """Planning looks for it, and must not wait for what the module imports."""
    (tmp_path / "slow_to_import.py").write_text("raise RuntimeError\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert own_file("slow_to_import:function") == ["slow_to_import.py"]
    assert "slow_to_import" not in sys.modules


def test_what_is_built_in_has_no_file():
    assert own_file("relu") == own_file("time:sleep") == own_file("no_such_module:f") == []
