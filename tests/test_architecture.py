"""What modules may import, and how long they and their functions may be."""

import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ntkflow.jobs.imports import imported_names
from ntkflow.jobs.log import EXTRAS as EXTRAS_OF_JOBS
from tests.measures.found import FOLDERS

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "ntkflow"
MODULES = sorted(PACKAGE.rglob("*.py"))
CODE = sorted([*MODULES, *REPOSITORY.glob("workflow/**/*.py"), *REPOSITORY.glob("benchmarks/*.py")])


PURE = ("analysis", "kernels", "networks", "plotting.width_axes")  # without files
FILE_MODULES = {"glob", "gzip", "io", "os", "pathlib", "shutil", "subprocess", "tempfile"}
FILE_CALLS = {"open", "savefig", "to_csv", "to_netcdf", "to_zarr", "write_text", "write_bytes"}


def dotted(file: Path) -> str:
    """Name of a module below the package: `kernels.limiting`, `kernels` for its `__init__`."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


NAMES = {dotted(file): file for file in MODULES}


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


def reached(module: str) -> set[str]:
    """Names of the modules that one imports, directly or through others, inside functions too."""
    found: set[str] = set()
    waiting = {module}
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= own_imports(NAMES[name]) | {name.rpartition(".")[0]}
        waiting -= found
    return found


def distributions_of(libraries: set[str]) -> set[str]:
    return {PROVIDERS.get(name, [name])[0].lower() for name in libraries}


def direct_requirements(distribution: str) -> set[str]:
    """Names of what a distribution always requires."""
    entries = map(Requirement, requires(distribution) or ())
    return {entry.name for entry in entries if "extra" not in str(entry.marker)}


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def name_of(call: ast.Call) -> str:
    """What is called: `open` of both `open(...)` and `path.open(...)`."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


NAMED = [file for file in MODULES if dotted(file)]
WITHOUT_FILES = [file for file in NAMED if dotted(file).startswith(PURE)]
OF_MEASURES = [file for place in FOLDERS.values() for file in sorted(place.glob("*.py"))]
each_file = pytest.mark.parametrize("file", CODE, ids=lambda f: str(f.relative_to(REPOSITORY)))

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BASE = {Requirement(entry).name for entry in PROJECT["dependencies"]}
EXTRAS = {
    Requirement(entry).name
    for entries in PROJECT["optional-dependencies"].values()
    for entry in entries
}
PROVIDERS = packages_distributions()
WITH_EXTRAS = ("estimators", "measures", "plotting")

# What benchmarks import besides: one another, a library that Snakemake requires, and the peer that
# one of them measures in an environment of its own.
BESIDES = {"benchmarks", "psutil", "neural_tangents", "torch"}


# import-linter checks all other directions, but sees no folders without `__init__.py`.
@pytest.mark.parametrize("file", OF_MEASURES, ids=dotted)
def test_measures_import_what_is_below_them(file):
    rooms = {name.partition(".")[0] for name in own_imports(file)}
    assert not rooms & {"api", "interface", "pages", "verification"}
    measures = {name.split(".")[1] for name in own_imports(file) if name.startswith("measures.")}
    assert measures <= {"common", file.parent.name}
    below = {
        "settings": {"configuration", "datasets", "keys", "measures"},
        "measure": {"aliases", "analysis", "kernels", "measures", "networks", "stores"},
        "figure": {"analysis", "measures", "plotting"},
    }
    assert rooms <= below.get(file.stem, below["measure"])  # theory of its own, for example


@pytest.mark.parametrize("file", WITHOUT_FILES, ids=dotted)
def test_other_rooms_touch_no_files(file):
    calls = {name_of(n) for n in ast.walk(ast.parse(file.read_bytes())) if isinstance(n, ast.Call)}
    assert not calls & FILE_CALLS
    assert not set(imports(file)) & FILE_MODULES


# `ntkflow.estimators` is a public interface, which nothing of the package imports.
INITS = sorted({*PACKAGE.rglob("__init__.py")} - {PACKAGE / "estimators" / "__init__.py"})


@pytest.mark.parametrize("init", INITS, ids=dotted)
def test_init_imports_nothing_of_the_package_but_checks_of_extras(init):
    assert own_imports(init) <= {"extras"}


def test_libraries_are_direct_dependencies():
    imported = set().union(*(library_imports(file) for file in CODE)) - BESIDES
    assert distributions_of(imported) <= BASE | EXTRAS


def test_api_imports_the_requirements_that_are_no_extra():
    modules = reached("api") - {""}
    libraries = set().union(*(library_imports(NAMES[name]) for name in modules))
    assert distributions_of(libraries) == BASE
    assert not {name.partition(".")[0] for name in modules} & {*WITH_EXTRAS}


def only_from_extras(files: Iterable[Path]) -> set[str]:
    """Libraries that the files import and that the package without extras does not install."""
    installed = BASE.union(*map(direct_requirements, BASE))
    imported = set().union(*map(library_imports, files))
    return {name for name in imported if not distributions_of({name}) & installed}


@pytest.mark.parametrize("subpackage", ["estimators", "plotting"])
def test_subpackage_requires_what_only_an_extra_installs(subpackage):
    init = PACKAGE / subpackage / "__init__.py"
    calls = [node for node in ast.walk(ast.parse(init.read_bytes())) if isinstance(node, ast.Call)]
    (call,) = (call for call in calls if name_of(call) == "require")
    extra, *required = (ast.literal_eval(argument) for argument in call.args)
    assert extra in PROJECT["optional-dependencies"]
    assert {*required} == only_from_extras(init.parent.rglob("*.py"))


def test_jobs_require_all_that_only_an_extra_installs():
    assert sorted(only_from_extras(MODULES)) == [*EXTRAS_OF_JOBS]


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
