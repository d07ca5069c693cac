"""Versions that are not locked, and the pins that follow the lock; no environment is made."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parents[1]


def of_ci(name: str) -> ModuleType:
    """A script of the folder .ci as a module."""
    spec = spec_from_file_location(name, REPOSITORY / ".ci" / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


releases, pins = of_ci("releases"), of_ci("pins")


def python(version: str, implementation: str = "cpython", variant: str = "default"):
    major, minor, patch = version.split("rc")[0].split(".")
    return {
        "version": version,
        "version_parts": {"major": int(major), "minor": int(minor), "patch": int(patch)},
        "path": f"/usr/bin/{implementation}{version}{variant}",
        "implementation": implementation,
        "variant": variant,
    }


@pytest.mark.parametrize(("oldest", "chosen"), [(False, "3.13.11"), (True, "3.11.2")])
def test_python_is_the_newest_or_oldest_that_is_allowed(oldest, chosen):
    found = [python(each) for each in ("3.9.18", "3.13.2", "3.13.11", "3.11.2", "3.12.1")]
    found += [python("3.14.0rc1"), python("3.15.0", "pypy"), python("3.15.0", "cpython", "free")]
    assert releases.interpreter(found, oldest=oldest) == python(chosen)["path"]


def test_requirements_with_an_upper_bound_are_found():
    entries = ["numpy>=2", "jax[cuda13]<0.12,>=0.10", "zarr~=3.1", "dask<3; sys_platform == 'a'"]
    assert releases.bounded(entries) == ["jax", "dask"]


def test_pins_get_the_locked_versions():
    environment = (
        "dependencies:\n  - python >=3.11\n  - pip:\n      - jax==0.1\n      - zarr==3.0\n"
    )
    lock = "jax==0.10.2 \\\n    --hash=sha256:0\nzarr==3.1.6 ; sys_platform == 'a' \\\n"
    expected = environment.replace("0.1\n", "0.10.2\n").replace("3.0\n", "3.1.6\n")
    assert pins.pinned(environment, lock) == expected
