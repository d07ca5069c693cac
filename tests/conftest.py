"""What all tests share: strict JAX, slow tests on request, reference kernels and MNIST files."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import scipy.linalg  # noqa: F401 (loads the BLAS of SciPy, to be limited)
from hypothesis import settings
from threadpoolctl import threadpool_limits

REPOSITORY = Path(__file__).parents[1]
REFERENCE = Path(__file__).parent / "reference"

# No test is about time: the first example of many compiles, and machines are busy.
usual = settings.get_profile(settings.get_current_profile_name())  # in CI the same examples always
settings.register_profile("ntkflow", usual, deadline=None)
settings.load_profile("ntkflow")
threadpool_limits(1, "blas")  # with several workers, more threads of BLAS mostly wait
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", 3)  # ensembles are spread over all there are
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Compiled programs are shared by all tests, and by the processes that tests start.
for option, value in {
    "jax_compilation_cache_dir": str(REPOSITORY / ".cache" / "tests"),
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
    "jax_persistent_cache_enable_xla_caches": "none",
}.items():
    jax.config.update(option, value)
    os.environ[option.upper()] = str(value)

NO_CONTROLLER = f"{Path(__file__).with_name('no_controller')}{os.pathsep}"
os.environ["PATH"] = NO_CONTROLLER + os.environ["PATH"]  # tests/slurm removes it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tests too, as CI=true does")


# Longest first when slow tests run. Those of Slurm mostly wait, so they start while others compute.
LONGEST = (
    *("slurm", "workflow", "test_wheel", "test_faults", "faults", "docs", "stores", "test_api"),
    "jobs",
)


def place(item: pytest.Item) -> int:
    """Rank of a test: the longest run first, so that none keeps one process busy at the end."""
    starts = (item.nodeid.startswith(f"tests/{name}") for name in LONGEST)
    return next((number for number, found in enumerate(starts) if found), len(LONGEST))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=place)
    if config.getoption("--slow") or os.environ.get("CI", "").lower() == "true":
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: runs with --slow or CI=true"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have recorded, such as the versions that a wheel brings."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="module", autouse=True)
def forget_programs() -> Iterator[None]:
    """A compiled program takes some 20 of the 65,530 areas of memory that Linux lets a process map,
    and those of the whole suite are more than that."""
    yield
    jax.clear_caches()


@pytest.fixture
def key() -> jax.Array:
    """Key of a test's random numbers."""
    return jax.random.key(0)


@pytest.fixture(scope="session")
def reference() -> Callable[[str], dict[str, Any]]:
    """Loader of a case of `tests/reference` by name, with its conventions as the dict `meta`."""

    def load(case: str) -> dict[str, Any]:
        with np.load(REFERENCE / f"{case}.npz") as arrays:
            return {**arrays, "meta": json.loads(str(arrays["meta"]))}

    return load


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """Folder with the original files of the MNIST test split, where there is one."""
    named = os.environ.get("NTKFLOW_MNIST_DIR")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data" / "mnist"
    for file in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        if not (folder / file).is_file():
            pytest.skip(f"no {file} in {folder}: name its folder in NTKFLOW_MNIST_DIR")
    return folder
