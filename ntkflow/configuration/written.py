"""Check the syntax of a configuration file, before its keys are interpreted."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import yaml

from ntkflow.configuration.messages import ConfigurationError


def check_written(content: bytes, name: str) -> None:
    """Check that a file is YAML, a mapping at the top, and has no key twice.

    Snakemake silently keeps the last of two equal keys, and gives no line number for invalid YAML.

    The error has one line per fault, with the `name` of the file and the number of the line in it.
    """
    try:
        text = content.decode("utf-8-sig")
        root = yaml.compose(text, yaml.SafeLoader)
        yaml.safe_load(text)  # composes its own nodes: merging `<<` changes them
    except UnicodeDecodeError as error:
        line, byte = content.count(b"\n", 0, error.start) + 1, content[error.start]
        raise ConfigurationError(
            f"{name}, line {line}: found the byte {byte:#04x}, expected text in UTF-8"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigurationError(f"{name}{place}: {error.problem}; expected YAML") from None
    except yaml.YAMLError as error:
        reason = str(error).partition("\n")[0]
        raise ConfigurationError(f"{name}: {reason}; expected YAML") from None
    # An invalid date, or an integer of thousands of digits. PyYAML raises other errors than
    # ValueError for a tag such as !!int on text.
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise ConfigurationError(f"{name}: a value is not readable ({error})") from None
    except RecursionError:
        raise ConfigurationError(f"{name}: nested too deeply; expected a few levels") from None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigurationError(f"{name}: expected keys, as in config/config.yaml")
    nodes = _nodes(root)
    try:
        TopologicalSorter({id(n): [id(part) for part in _parts(n)] for n in nodes}).prepare()
    except CycleError:
        raise ConfigurationError(
            f"{name}: found an alias inside its own anchor; remove it"
        ) from None
    if faults := [fault for node in nodes for fault in _repeated(node, name)]:
        raise ConfigurationError("\n".join(faults))


def _nodes(root: yaml.Node) -> list[yaml.Node]:
    """All nodes of a file, the target of an alias once."""
    found, waiting = {id(root): root}, [root]
    while waiting:
        new = {id(part): part for part in _parts(waiting.pop()) if id(part) not in found}
        found |= new
        waiting += new.values()
    return [*found.values()]


def _parts(node: yaml.Node) -> list[yaml.Node]:
    """Child nodes of a node."""
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _repeated(node: yaml.Node, name: str) -> Iterator[str]:
    """Keys that occur twice in a mapping."""
    lines: dict[str, int] = {}
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else []:
        if isinstance(key, yaml.ScalarNode):
            line = key.start_mark.line + 1
            if key.value in lines:
                first = lines[key.value]
                yield f"{name}, line {line}: {key.value} is in line {first} too; keep one"
            lines.setdefault(key.value, line)
