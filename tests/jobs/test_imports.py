"""The files that a script reaches, against packages written for the purpose and against Python."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ntkflow.jobs.imports import imported_names, package_sources

REPOSITORY = Path(__file__).parents[2]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def package(tmp_path):
    """Write a small package with two rooms; `a.one` reaches `b.two` and `b.two` the top module."""
    write(
        tmp_path,
        {
            "ntkflow/__init__.py": "",
            "ntkflow/top.py": "",
            "ntkflow/unused.py": "",
            "ntkflow/a/__init__.py": "",
            "ntkflow/a/one.py": "import ntkflow.b.two\n",
            "ntkflow/b/__init__.py": "",
            "ntkflow/b/two.py": "def late():\n    from ntkflow import top\n    return top\n",
            "ntkflow/b/three.py": "value = 1\n",
            "ntkflow/b/look.mplstyle": "",
            "ntkflow/b/page.jinja": "",
            "ntkflow/b/page.js": "",
        },
    )
    return tmp_path / "ntkflow"


def reached(package: Path, text: str, modules: Sequence[str] = ()) -> list[str]:
    script = package.parent / "script.py"
    script.write_text(text)
    found = package_sources(script, package.parent, modules)
    return [path.relative_to(package.parent).as_posix() for path in found]


ROOM_B = [
    "ntkflow/__init__.py",
    "ntkflow/b/__init__.py",
    "ntkflow/b/look.mplstyle",
    "ntkflow/b/page.jinja",
    "ntkflow/b/page.js",
]
CHAIN = [*ROOM_B, "ntkflow/a/__init__.py", "ntkflow/a/one.py", "ntkflow/b/two.py", "ntkflow/top.py"]


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("import numpy\nfrom os import path\n", []),
        ("import ntkflow_other\n", []),
        ("import ntkflow\n", ["ntkflow/__init__.py"]),
        ("import ntkflow.b.three as three, sys\n", [*ROOM_B, "ntkflow/b/three.py"]),
        ("from ntkflow.b import three\n", [*ROOM_B, "ntkflow/b/three.py"]),
        ("from ntkflow.b.three import value\n", [*ROOM_B, "ntkflow/b/three.py"]),
        ("def f():\n    if True:\n        import ntkflow.b\n", ROOM_B),
        ("from ntkflow.a import one\n", CHAIN),
    ],
)
def test_imports_are_followed(package, text, files):
    assert reached(package, text) == sorted(files)


@pytest.mark.parametrize(
    "statement", ["from . import three", "from .three import value", "from ..b import three"]
)
def test_relative_imports_are_followed(package, statement):
    (package / "b" / "two.py").write_text(statement)
    assert reached(package, "import ntkflow.b.two") == sorted(
        [*ROOM_B, "ntkflow/b/two.py", "ntkflow/b/three.py"]
    )


def test_init_of_a_package_is_followed(package):
    (package / "b" / "__init__.py").write_text("from .three import value\n")
    assert reached(package, "import ntkflow.b") == sorted([*ROOM_B, "ntkflow/b/three.py"])


def test_a_module_imported_by_name_is_followed(package):
    assert reached(package, "", ["ntkflow.a.one"]) == sorted(CHAIN)


@pytest.mark.parametrize(
    "text",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ntkflow.b.two\n",
        "import typing\nif typing.TYPE_CHECKING:\n    from ntkflow.b import two\n",
        "from ntkflow.jobs import log\n",
        "from ntkflow import jobs\nimport ntkflow.jobs.log\n",
    ],
)
def test_what_changes_no_result_is_left_out(package, text):
    write(package, {"jobs/__init__.py": "", "jobs/log.py": "import ntkflow.top\n"})
    assert set(reached(package, text)) <= {"ntkflow/__init__.py"}


def test_measures_in_other_folders_are_found_there(package, tmp_path):
    write(package, {"measures/__init__.py": "", "measures/spread/measure.py": "import ntkflow.top"})
    folder = tmp_path / "mine"
    write(
        folder,
        {
            "tails/measure.py": "from .shared import x\nfrom ntkflow.b import three\n",
            "tails/shared.py": "x = 1\n",
        },
    )
    script = tmp_path / "script.py"
    script.write_text("")
    name = "ntkflow.measures.{}.measure".format
    root, folders = package.parent, [str(folder)]
    assert package / "top.py" in package_sources(script, root, [name("spread")], folders)
    found = package_sources(script, root, [name("tails")], folders)
    assert {folder / "tails/measure.py", folder / "tails/shared.py"} < set(found)
    assert {package / "b/three.py", package / "measures/__init__.py"} < set(found)
    assert package / "top.py" not in found
    with pytest.raises(ModuleNotFoundError, match="tails"):
        package_sources(script, root, [name("tails")])


def test_circular_imports_end(package):
    write(
        package, {"a/one.py": "from ntkflow.b import three", "b/three.py": "import ntkflow.a.one"}
    )
    assert "ntkflow/b/three.py" in reached(package, "import ntkflow.a.one")


@pytest.mark.parametrize("statement", ["import ntkflow.tpo", "from ntkflow.tpo import value"])
def test_module_that_does_not_exist_is_named(package, statement):
    with pytest.raises(ModuleNotFoundError, match=r"script\.py.* imports ntkflow\.tpo; expected"):
        reached(package, statement)


def test_imported_names(package):
    (package / "a" / "one.py").write_text("import os.path\nfrom ..b import two, three\n")
    names = set(imported_names(package / "a" / "one.py", package.parent))
    assert names == {("os.path", None), ("ntkflow.b", "two"), ("ntkflow.b", "three")}


@pytest.mark.parametrize("module", ["ntkflow.kernels.limiting", "ntkflow.networks.training"])
def test_everything_that_python_loads_is_found(module, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(f"import {module}\n")
    listing = "import sys\nfor m in list(sys.modules.values()): print(getattr(m, '__file__', ''))"
    command = [sys.executable, "-c", f"{script.read_text()}{listing}"]
    printed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    files = map(Path, printed.stdout.split())
    loaded = {file for file in files if file.is_relative_to(REPOSITORY / "ntkflow")}
    found = set(package_sources(script, REPOSITORY))
    assert loaded
    assert loaded <= found
