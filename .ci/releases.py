"""Run fast tests with versions that are not locked, and print these versions.

By default the newest releases on the newest Python of this machine, also beyond the upper bounds in
pyproject.toml; with `--oldest` the oldest versions and the oldest Python within the bounds. Other
arguments are pytest's, in place of TESTS. The exit status is that of pytest.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENVIRONMENTS = ROOT / ".cache" / "releases"
TESTS = [f"tests/{name}" for name in ("analysis", "interface", "kernels", "networks")]


def uv(*arguments: str) -> str:
    """Run uv and return what it prints."""
    # The commands of pyenv on the PATH are scripts, which fail for all versions but one.
    folders = [each for each in os.environ["PATH"].split(os.pathsep) if "pyenv/shims" not in each]
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob("versions/3.*/bin")
    path = os.pathsep.join([*folders, *map(str, pyenv)])
    return subprocess.check_output(
        [sys.executable, "-m", "uv", "--no-python-downloads", *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        text=True,
    )


def interpreter(installed: Iterable[dict[str, Any]], *, oldest: bool) -> str:
    """Path of the newest or oldest Python that the project allows, of those that uv has listed."""
    allowed = SpecifierSet(PROJECT["requires-python"])  # contains no pre-releases
    suitable = {
        tuple(python["version_parts"].values()): python["path"]
        for python in installed
        if (python["implementation"], python["variant"]) == ("cpython", "default")
        and python["version"] in allowed
    }
    return suitable[min(suitable) if oldest else max(suitable)]


def bounded(requirements: Iterable[str]) -> list[str]:
    """Names of the requirements with an upper bound."""
    return [entry.name for entry in map(Requirement, requirements) if "<" in str(entry.specifier)]


def environment(*, oldest: bool) -> str:
    """Make an environment and return the path of its Python."""
    place = ENVIRONMENTS / ("oldest" if oldest else "newest")
    installed = json.loads(uv("python", "list", "--only-installed", "--output-format", "json"))
    uv("venv", "--quiet", "--clear", "--python", interpreter(installed, oldest=oldest), str(place))
    python = str(place / "bin" / "python")
    choice = ["--resolution", "lowest-direct"]
    if not oldest:
        overrides = place / "without_bounds.txt"
        entries = chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
        overrides.write_text("\n".join(bounded(entries)), encoding="utf-8")
        choice = ["--overrides", str(overrides)]
    what = ("--requirements", "pyproject.toml", "--extra", "workflow", "--group", "test")
    uv("pip", "install", "--quiet", "--python", python, *what, *choice)
    return python


def versions(python: str, lock: str) -> Iterator[str]:
    """Version of Python, then those of packages, each line with the locked version if another."""
    yield subprocess.check_output([python, "--version"], text=True).strip()
    locked = dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock, flags=re.MULTILINE))
    for package in json.loads(uv("pip", "list", "--python", python, "--format", "json")):
        name, version = package["name"], package["version"]
        known = locked.get(name, "not locked")
        yield f"{name} {version}" + ("" if version == known else f" (lock: {known})")


def main(arguments: Sequence[str]) -> int:
    """Run the tests in a new environment; the exit status of pytest."""
    oldest = "--oldest" in arguments
    python = environment(oldest=oldest)
    print(*versions(python, LOCK), sep="\n", flush=True)
    chosen = [argument for argument in arguments if argument != "--oldest"] or TESTS
    pytest = [python, "-m", "pytest", "--numprocesses=auto", "--dist=loadfile", *chosen]
    slow = {"CI", "PYTHONPATH"}  # CI would add the slow tests
    kept = {name: value for name, value in os.environ.items() if name not in slow}
    return subprocess.run(pytest, cwd=ROOT, env=kept, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
