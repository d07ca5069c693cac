"""Which files of the package a script reaches, read from its import statements.

Snakemake runs a rule again when its script changes, but not when a module that the script imports
does. A rule that lists `package_sources` among its inputs is run again in both cases.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["imported_names", "package_sources"]

PACKAGE = Path(__file__).parent.name
BESIDE = ("*.mplstyle", "*.jinja")


def package_sources(script: Path, package_root: Path) -> list[Path]:
    """Files of the package that `script` imports, directly or through other modules of it.

    Found in the text, by `ast`, without running anything: imports inside functions count, modules
    named in strings do not. A module brings the `__init__.py` of each package around it, and the
    style files (``*.mplstyle``) and templates (``*.jinja``) beside it.

    Parameters
    ----------
    script
        Python file to start from.
    package_root
        Folder that the package is imported from, here the root of the repository.

    Returns
    -------
    list of Path
        Relative to `package_root`, sorted.

    Raises
    ------
    ModuleNotFoundError
        If a file imports from a module of the package that does not exist.
    """
    reached: set[Path] = set()
    waiting = [script]
    while waiting:
        found = _imported_files(waiting.pop(), package_root) - reached
        reached |= found
        waiting += found
    folders = {file.parent for file in reached}
    beside = {file for folder in folders for kind in BESIDE for file in folder.glob(kind)}
    return sorted(file.relative_to(package_root) for file in reached | beside)


def imported_names(file: Path, package_root: Path) -> Iterator[tuple[str, str | None]]:
    """Yield each import of `file` as an absolute module name and the name taken from it, if any.

    ``import a.b`` gives ``("a.b", None)`` and ``from a import b, c`` gives ``("a", "b")`` and
    ``("a", "c")``; relative imports are resolved by the place of `file` under `package_root`.
    """
    for level, module, name in _statements(file.read_bytes(), str(file)):
        yield _absolute(level, module, file, package_root), name


@cache  # every rule reaches most of the package
def _statements(source: bytes, filename: str) -> tuple[tuple[int, str, str | None], ...]:
    """Of each import its level, 0 if absolute, the module, and the name taken from it."""
    found: list[tuple[int, str, str | None]] = []
    for node in ast.walk(ast.parse(source, filename)):
        if isinstance(node, ast.Import):
            found += [(0, alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.level, node.module or "", alias.name) for alias in node.names]
    return tuple(found)


def _absolute(level: int, module: str, file: Path, package_root: Path) -> str:
    if not level:
        return module
    folders = file.relative_to(package_root).parent.parts
    around = folders[: len(folders) - level + 1]
    return ".".join([*around, *filter(None, [module])])


def _imported_files(file: Path, package_root: Path) -> set[Path]:
    files: set[Path] = set()
    for module, name in imported_names(file, package_root):
        if module.partition(".")[0] != PACKAGE:
            continue
        own = _module_files(module, package_root)
        if not own:
            raise ModuleNotFoundError(
                f"{file} imports {module}; expected a module of that name in "
                f"{package_root / PACKAGE}: correct the import or add the module"
            )
        files.update(own)
        if name is not None:
            files.update(_module_files(f"{module}.{name}", package_root))
    return files


def _module_files(module: str, package_root: Path) -> list[Path]:
    """The module's own file and each `__init__.py` around it; nothing if it is no module."""
    parts = module.split(".")
    path = package_root.joinpath(*parts)
    own = [file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()][:1]
    around = [package_root.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts))]
    return own and [*own, *(init for init in around if init.is_file())]
