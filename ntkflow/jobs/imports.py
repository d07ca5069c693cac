"""Files of the package that a script imports, read from its import statements.

Snakemake reruns a rule when its script changes, but not when a module that the script imports does.
Rules therefore list `package_sources` among their inputs.

Modules of `ntkflow.jobs` are left out: they run, log and schedule jobs, and no result depends on
them. Imports under ``if TYPE_CHECKING`` are left out as well.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

PACKAGE = Path(__file__).parents[1].name
MEASURES = f"{PACKAGE}.measures"
WITHOUT_RESULTS = f"{PACKAGE}.jobs."
DATA_FILES = ("*.mplstyle", "*.jinja", "*.js")


def package_sources(
    script: Path, root: Path, modules: Iterable[str] = (), folders: Sequence[str] = ()
) -> list[Path]:
    """Files of the package that `script` imports, directly or through other modules.

    Import statements are read without executing them, inside functions too; `modules` are further
    modules, which the script imports by name. With a module come the `__init__.py` of each package
    around it, and the style sheets (``*.mplstyle``), templates (``*.jinja``) and scripts of pages
    (``*.js``) in its folder.
    `root` contains the package, and `folders` contain measures outside it. ModuleNotFoundError if a
    file imports a module of the package that does not exist.
    """
    reached = {file for module in modules for file in _required(module, script, root, folders)}
    waiting = [script, *reached]
    while waiting:
        file = waiting.pop()
        state = file.stat()
        found = _imported_files(file, root, tuple(folders), (state.st_mtime_ns, state.st_size))
        waiting += found - reached
        reached |= found
    around = {file.parent for file in reached}
    data = {file for folder in around for kind in DATA_FILES for file in folder.glob(kind)}
    return sorted(reached | data)


def imports_library(files: Iterable[Path], library: str) -> bool:
    """Return True if one of the files imports the library."""
    return any(
        module.partition(".")[0] == library
        for file in files
        if file.suffix == ".py"
        for module, _ in _statements(file.read_bytes(), str(file))
    )


def imported_names(file: Path, root: Path) -> Iterator[tuple[str, str | None]]:
    """Yield the module of each import in `file` and the name imported from it, if any.

    ``import a.b`` gives ``("a.b", None)`` and ``from a import b, c`` gives ``("a", "b")`` and
    ``("a", "c")``. Relative imports are resolved from the place of `file`.
    """
    if file.is_relative_to(root / PACKAGE):
        package = ".".join(file.relative_to(root).parent.parts)
    else:  # a measure outside the package is a subpackage of `ntkflow.measures`
        package = f"{MEASURES}.{file.parent.name}"
    for module, name in _statements(file.read_bytes(), str(file)):
        yield resolve_name(module, package), name


@cache
def _statements(source: bytes, filename: str) -> tuple[tuple[str, str | None], ...]:
    """Module, with its leading dots, and imported name of each import."""
    found: list[tuple[str, str | None]] = []
    waiting: list[ast.AST] = [ast.parse(source, filename)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found += [(module, alias.name) for alias in node.names]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.expr):  # expressions contain no statements
            waiting += ast.iter_child_nodes(node)
    return tuple(found)


@cache  # most modules are imported by many scripts
def _imported_files(
    file: Path, root: Path, folders: tuple[str, ...], state: tuple[int, int]
) -> set[Path]:
    """Files that `file` imports, while it has the same time and size."""
    files: set[Path] = set()
    for module, name in imported_names(file, root):
        if module.partition(".")[0] != PACKAGE or f"{module}.{name}.".startswith(WITHOUT_RESULTS):
            continue
        files.update(_required(module, file, root, folders))
        if name is not None:
            files.update(module_files(f"{module}.{name}", root, folders))
    return files


def _required(module: str, file: Path, root: Path, folders: Sequence[str]) -> list[Path]:
    found = module_files(module, root, folders)
    if not found:
        raise ModuleNotFoundError(
            f"{file} imports {module}; expected a module of that name in {root / PACKAGE}: correct "
            "the import or add the module"
        )
    return found


def module_files(module: str, root: Path, folders: Sequence[str] = ()) -> list[Path]:
    """The file of a module and each `__init__.py` around it; empty if there is no such module."""
    if module.startswith(f"{MEASURES}."):
        for folder in folders:
            parts = module.removeprefix(f"{MEASURES}.").split(".")
            if found := _file(Path(folder).joinpath(*parts)):
                return [*found, *module_files(MEASURES, root)]
    parts = module.split(".")
    found = _file(root.joinpath(*parts))
    around = [root.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts))]
    return found and [*found, *(init for init in around if init.is_file())]


def _file(path: Path) -> list[Path]:
    """The module or package at a path without suffix; a folder without `__init__.py` has none."""
    return [file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()][:1]
