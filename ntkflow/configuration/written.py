"""What is wrong with a configuration as it is written, before its keys have a meaning."""

from collections.abc import Iterator

import yaml

from ntkflow.configuration.messages import ConfigurationError

__all__ = ["check_written"]


def check_written(content: bytes, name: str) -> None:
    """Check that a file is YAML with keys at its top, each of them once; `name` is for the error.

    Snakemake's own reader keeps the last of two equal keys, without a word, and of a file that is
    no YAML it does not say where.

    Raises
    ------
    ConfigurationError
        One line a fault, with the line in the file.
    """
    try:
        text = content.decode("utf-8-sig")
        root = yaml.compose(text, yaml.SafeLoader)
        yaml.safe_load(text)  # from nodes of its own, into which it copies those that `<<` merges
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
    # A date that is none, an integer of thousands of digits; PyYAML raises others than ValueError
    # for a tag such as !!int on what is none.
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise ConfigurationError(f"{name}: a value is not readable ({error})") from None
    except RecursionError:
        raise ConfigurationError(f"{name}: nested too deeply; expected a few levels") from None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigurationError(f"{name}: expected keys, as in config/config.yaml")
    if _endless(root, set(), set()):
        raise ConfigurationError(f"{name}: an alias stands within what it stands for")
    faults = [*_repeated(root, name)]
    if faults:
        raise ConfigurationError("\n".join(faults))


def _parts(node: yaml.Node) -> list[yaml.Node]:
    """Nodes right within a node."""
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _endless(node: yaml.Node, above: set[int], seen: set[int]) -> bool:
    """Whether a node contains itself; `above`: what it is in, `seen`: what is known to end."""
    if id(node) in above or id(node) in seen:
        return id(node) in above
    above.add(id(node))
    found = any(_endless(part, above, seen) for part in _parts(node))
    above.remove(id(node))
    seen.add(id(node))
    return found


def _repeated(root: yaml.Node, name: str) -> Iterator[str]:
    """Keys that stand twice in one mapping; what aliases stand for is looked at once."""
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
