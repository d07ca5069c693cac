"""Who may import whom, and how long a module or a function may be."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest

from ntkflow.jobs.imports import imported_names

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "ntkflow"
MODULES = sorted(PACKAGE.rglob("*.py"))
CODE = sorted([*MODULES, *REPOSITORY.glob("workflow/**/*.py"), *REPOSITORY.glob("benchmarks/*.py")])


class Room(NamedTuple):
    """What a room may import besides its own modules and the standard library."""

    modules: frozenset[str] = frozenset()
    libraries: frozenset[str] = frozenset()
    files: bool = False  # whether it may touch the file system


SCHEMA = frozenset({"stores.schema"})
CLAIMS_USE = frozenset(
    {"aliases", "analysis", "kernels", "networks"}
    | {"analysis.bootstrap", "analysis.convergence", "analysis.eigenpairs", "analysis.ensembles"}
    | {"analysis.power_law", "analysis.regression", "analysis.spectrum"}
    | {"kernels.activations", "kernels.dual", "kernels.dynamics", "kernels.function_space"}
    | {"kernels.limiting", "kernels.tiles"}
    | {"networks.costs", "networks.empirical", "networks.method", "networks.mlp"}
    | {"networks.standard_parametrization", "networks.training"}
)
ROOMS = {
    "kernels": Room(frozenset({"aliases"}), frozenset({"jax", "numpy"})),
    "networks": Room(
        frozenset({"aliases", "kernels.activations", "kernels.dual", "kernels.empirical"}),
        frozenset({"jax", "numpy", "optax"}),
    ),
    "stores": Room(
        libraries=frozenset({"cloudpickle", "dask", "google_crc32c", "numpy", "xarray", "zarr"}),
        files=True,
    ),
    "datasets": Room(
        SCHEMA | {"keys", "words"},
        frozenset({"numpy", "pooch", "pydantic", "sklearn", "xarray"}),
        files=True,
    ),
    "analysis": Room(SCHEMA, frozenset({"numpy", "pandas", "scipy", "xarray"})),
    "claims": Room(
        SCHEMA | CLAIMS_USE,
        frozenset({"jax", "numpy", "optax", "scipy", "sklearn", "xarray"}),
    ),
    "claims.table": Room(libraries=frozenset({"pandas", "xarray"})),
    "pages": Room(
        frozenset({"claims.evidence", "words"}), frozenset({"jinja2", "numpy", "pandas"})
    ),
    "figures": Room(SCHEMA, frozenset({"matplotlib", "numpy", "xarray"})),
    "figures.style": Room(SCHEMA, frozenset({"matplotlib", "numpy", "xarray"}), files=True),
    "configuration": Room(
        frozenset({"datasets.config", "keys", "kernels.activations", "networks", "networks.costs"}),
        frozenset({"pydantic", "yaml"}),
    ),
    "configuration.__main__": Room(files=True),
    "scheduling": Room(libraries=frozenset({"dask", "dask_jobqueue", "distributed"}), files=True),
    "interface": Room(
        frozenset(
            {"", "aliases", "imports", "runtime"}
            | {"analysis", "analysis.blocks", "analysis.eigenpairs", "analysis.regression"}
            | {"configuration.kernels", "configuration.messages"}
            | {"kernels", "kernels.activations", "kernels.correlation", "kernels.dual"}
            | {"kernels.tiles"}
            | {"networks", "networks.blockwise", "networks.costs", "networks.descent"}
            | {"networks.empirical", "networks.method", "networks.mlp"}
            | {"scheduling.tasks", "stores.grams", "stores.grid", "stores.places", "stores.staging"}
            | {"stores.zarr"}
        ),
        frozenset({"cloudpickle", "jax", "numpy", "pydantic", "xarray"}),
        files=True,
    ),
    "api": Room(
        frozenset(
            {"analysis.eigenpairs", "analysis.regression"}
            | {"interface.empirical", "interface.limiting", "interface.solvers"}
            | {"interface.training"}
        )
    ),
    "jobs": Room(
        frozenset({"networks.training", "stores.building", "stores.places"}),
        frozenset({"google_crc32c", "numpy", "orbax"}),
        files=True,
    ),
    "keys": Room(libraries=frozenset({"pydantic"})),
    "words": Room(),
    "aliases": Room(libraries=frozenset({"jaxtyping", "numpy"})),
    "imports": Room(files=True),
    "provenance": Room(),
    "verification": Room(
        frozenset({"configuration.study"}), frozenset({"numpy", "pydantic", "yaml"})
    ),
    "verification.folder": Room(
        frozenset({"stores.soundness", "stores.zarr"}), frozenset({"pandas", "yaml"}), files=True
    ),
    "verification.__main__": Room(frozenset({"configuration.study", "stores.zarr"}), files=True),
    "runtime": Room(frozenset({""}), frozenset({"jax"}), files=True),
}
FILE_MODULES = {"glob", "gzip", "io", "os", "pathlib", "shutil", "subprocess", "tempfile"}
FILE_CALLS = {"open", "savefig", "to_csv", "to_netcdf", "to_zarr", "write_text", "write_bytes"}


def dotted(file: Path) -> str:
    """Name of a module below the package: `kernels.limiting`, `kernels` for its `__init__`."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


NAMES = {dotted(file) for file in MODULES}


def room_of(name: str) -> Room:
    return ROOMS[name] if name in ROOMS else ROOMS[name.partition(".")[0]]


def imports(file: Path) -> Iterator[str]:
    """Absolute names of the modules imported; `from room import name` gives the module it is in."""
    for module, name in imported_names(file, REPOSITORY):
        inner = f"{module}.{name}"
        own = inner.partition(".")[2] in NAMES and module.partition(".")[0] == "ntkflow"
        yield inner if own else module


def own_imports(file: Path) -> set[str]:
    names = {name.partition(".") for name in imports(file)}
    return {rest for top, _, rest in names if top == "ntkflow"}


def library_imports(file: Path) -> set[str]:
    tops = {name.partition(".")[0] for name in imports(file)}
    return tops - sys.stdlib_module_names - {"ntkflow"}


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def name_of(call: ast.Call) -> str:
    """What is called: `open` of both `open(...)` and `path.open(...)`."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


NAMED = [file for file in MODULES if dotted(file)]
WITHOUT_FILES = [file for file in NAMED if not room_of(dotted(file)).files]
each_module = pytest.mark.parametrize("file", NAMED, ids=dotted)
each_file = pytest.mark.parametrize("file", CODE, ids=lambda f: str(f.relative_to(REPOSITORY)))

# What benchmarks import besides: one another, a library that Snakemake requires, and the peer that
# one of them measures in an environment of its own.
BESIDES = {"benchmarks", "psutil", "neural_tangents", "torch"}


@each_module
def test_module_imports_only_rooms_it_may(file):
    name = dotted(file)
    beside = {other for other in NAMES if other.partition(".")[0] == name.partition(".")[0]}
    assert own_imports(file) <= room_of(name).modules | beside


@each_module
def test_module_imports_only_libraries_of_its_room(file):
    assert library_imports(file) <= room_of(dotted(file)).libraries


@pytest.mark.parametrize("file", WITHOUT_FILES, ids=dotted)
def test_other_rooms_touch_no_files(file):
    calls = {name_of(n) for n in ast.walk(ast.parse(file.read_bytes())) if isinstance(n, ast.Call)}
    assert not calls & FILE_CALLS
    assert not set(imports(file)) & FILE_MODULES


@pytest.mark.parametrize("init", sorted(PACKAGE.rglob("__init__.py")), ids=dotted)
def test_init_imports_nothing(init):
    assert not list(imported_names(init, REPOSITORY))


@pytest.mark.parametrize(("room", "modules"), [(r, e.modules) for r, e in ROOMS.items()])
def test_table_names_what_exists(room, modules):
    assert {room, *modules} <= NAMES


def test_libraries_are_direct_dependencies():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {entry.partition(">=")[0] for entry in project["dependencies"]}
    providers = packages_distributions()
    imported = set().union(*(library_imports(file) for file in CODE)) - BESIDES
    assert {providers.get(name, [name])[0].lower() for name in imported} <= declared


@each_file
def test_module_has_at_most_400_lines(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 400


@each_file
def test_functions_have_40_lines_at_most(file):
    """The docstring does not count."""
    for function in functions(file):
        first = function.body[0]
        documented = ast.get_docstring(function) is not None
        docstring = first.end_lineno - first.lineno + 1 if documented else 0
        length = function.end_lineno - function.lineno + 1 - docstring
        assert length <= 40, f"{function.name} has {length} lines"
