"""Extras of this package: requirements that only some of its parts have."""

from importlib.util import find_spec


def require(extra: str, *modules: str) -> None:
    """Raise ModuleNotFoundError, with the extra to install, if one of the modules is missing."""
    for module in modules:
        if find_spec(module) is None:
            raise ModuleNotFoundError(
                f"found no package {module!r}, which this part of ntkflow needs; run "
                f"`pip install 'ntkflow[{extra}]'`",
                name=module,
            )
