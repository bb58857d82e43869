"""YAML with the line of every key, read safely and within bounds."""

from typing import Any

import yaml

from reeve.task.located import KeyPath, Located, Unreadable

__all__ = ["parse_yaml"]

MAX_DEPTH = 32
MAX_NODES = 20_000
MAX_ALIASES = 100
PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


def parse_yaml(text: str, *, first_line: int = 1) -> Located:
    """Read one YAML mapping; `first_line` is the line of the file on which `text` begins.

    Only plain data is read. Refused, each with its line: duplicate keys, keys that are not strings, tags that
    make objects, and documents whose depth, size or aliases pass the bounds above.
    """
    try:
        _refuse_excess(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise Unreadable(f"not valid YAML: {problem}", first_line + (mark.line if mark else 0)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position)
        raise Unreadable(f"not valid YAML: the character {chr(error.character)!r}", first_line + line) from None
    except Unreadable as error:
        raise Unreadable(error.message, first_line + error.line - 1) from None
    if root is None:
        return Located({}, {}, first_line)
    if not isinstance(root, yaml.MappingNode):
        raise Unreadable("must be a mapping of keys to values", first_line + root.start_mark.line)
    builder = _Builder(first_line)
    return Located(builder.build(root, ()), builder.lines, first_line)


def _refuse_excess(text: str) -> None:
    # The event stream is walked without recursion, so nesting cannot exhaust the stack before it is refused.
    depth = aliases = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            depth += 1
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        line = event.start_mark.line + 1 if event.start_mark else 1
        if depth > MAX_DEPTH:
            raise Unreadable(f"nested deeper than {MAX_DEPTH} levels", line)
        if count > MAX_NODES:
            raise Unreadable(f"more than {MAX_NODES} values", line)
        if aliases > MAX_ALIASES:
            raise Unreadable(f"more than {MAX_ALIASES} aliases", line)


class _Builder:
    """Builds plain data from composed nodes and notes the line of every key and item."""

    def __init__(self, first_line: int) -> None:
        self.first_line = first_line
        self.lines: dict[KeyPath, int] = {}
        self.built = 0
        self.scalars = yaml.constructor.SafeConstructor()

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        line = self.first_line + node.start_mark.line
        self.built += 1
        # Aliases share nodes: what is counted is the data they stand for, which can be far more than was written.
        if self.built > MAX_NODES or len(path) > MAX_DEPTH:
            raise Unreadable("aliases stand for too much data", line)
        if not isinstance(node, yaml.ScalarNode) and node.tag not in PLAIN_TAGS:
            raise Unreadable(f"not valid YAML: the tag {node.tag!r} is not for plain data", line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(child, (*path, index)) for index, child in enumerate(node.value)]
        try:
            return self.scalars.construct_object(node, deep=True)
        except yaml.MarkedYAMLError as error:
            raise Unreadable(f"not valid YAML: {error.problem}", line) from None
        except (ValueError, OverflowError, KeyError) as error:
            raise Unreadable(f"not valid YAML: {node.value!r}: {error}", line) from None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = self.first_line + key_node.start_mark.line
            key = self.build(key_node, path) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise Unreadable(f"a key must be a string, found {key_node.value!r}"[:200], line)
            if key in found:
                raise Unreadable(f"{key}: written twice, first on line {self.lines[(*path, key)]}", line)
            self.lines[(*path, key)] = line
            found[key] = self.build(value_node, (*path, key))
        return found

    def _item(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines[path] = self.first_line + node.start_mark.line
        return self.build(node, path)
