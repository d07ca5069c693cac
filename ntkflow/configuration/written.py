"""Check the syntax of a configuration file, before its keys are interpreted."""

from collections.abc import Iterator

import yaml

from ntkflow.configuration.messages import ConfigurationError


def check_written(content: bytes, name: str) -> None:
    """Check that a file is YAML, a mapping at the top, and has no key twice.

    Snakemake keeps the last of two equal keys silently, and reports invalid YAML without a line.

    Parameters
    ----------
    content
        Content of the file.
    name
        Name of the file, for errors.

    Raises
    ------
    ConfigurationError
        One line per error, with the line number in the file.
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
    if _endless(root, set(), set()):
        raise ConfigurationError(f"{name}: found an alias inside its own anchor; remove it")
    faults = [*_repeated(root, name)]
    if faults:
        raise ConfigurationError("\n".join(faults))


def _parts(node: yaml.Node) -> list[yaml.Node]:
    """Child nodes of a node."""
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _endless(node: yaml.Node, above: set[int], seen: set[int]) -> bool:
    """Return True if a node contains itself; `above`: its ancestors, `seen`: nodes known to end."""
    if id(node) in above or id(node) in seen:
        return id(node) in above
    above.add(id(node))
    found = any(_endless(part, above, seen) for part in _parts(node))
    above.remove(id(node))
    seen.add(id(node))
    return found


def _repeated(root: yaml.Node, name: str) -> Iterator[str]:
    """Keys that occur twice in one mapping; the target of an alias is checked once."""
    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        lines: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else []:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line, first = key.start_mark.line + 1, lines.get(key.value)
            if first is not None:
                yield f"{name}, line {line}: {key.value} is in line {first} too; keep one"
            lines.setdefault(key.value, line)
        for part in _parts(node):
            if id(part) not in seen:
                seen.add(id(part))
                waiting.append(part)
