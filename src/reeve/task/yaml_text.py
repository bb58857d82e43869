"""YAML with the line of every key, read safely and within bounds."""

import bisect
import re
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
    places = _Places(text, first_line)
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise Unreadable(f"not valid YAML: {problem}", places.line(error.problem_mark or error.context_mark)) from None
    except yaml.reader.ReaderError as error:
        line = first_line + text.count("\n", 0, error.position)
        raise Unreadable(f"not valid YAML: the character {chr(error.character)!r}", line) from None
    if root is None:
        return Located({}, {}, first_line)
    if not isinstance(root, yaml.MappingNode):
        raise Unreadable("must be a mapping of keys to values", places.line(root.start_mark))
    builder = _Builder(places)
    return Located(builder.build(root, ()), builder.lines, first_line)


class _Places:
    """Lines as an editor counts them: YAML takes U+2028 and others for ends of lines too."""

    def __init__(self, text: str, first_line: int) -> None:
        self.first_line = first_line
        self.ends = [found.start() for found in re.finditer("\n", text)]

    def line(self, mark: Any) -> int:
        """The line of a mark of the reader; the first one where there is no mark."""
        return self.first_line + (bisect.bisect_left(self.ends, mark.index) if mark else 0)


class _Loader(yaml.SafeLoader):
    """Refuses excess while nodes are composed, before nesting could exhaust the stack."""

    depth = nodes = aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self.nodes += 1
        self.depth += 1
        self.aliases += isinstance(event, yaml.AliasEvent)
        for found, most, what in (
            (self.depth, MAX_DEPTH, "levels of nesting"),
            (self.nodes, MAX_NODES, "values"),
            (self.aliases, MAX_ALIASES, "aliases"),
        ):
            if found > most:
                raise yaml.MarkedYAMLError(problem=f"more than {most} {what}", problem_mark=event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Builder:
    """Builds plain data from composed nodes and notes the line of every key and item."""

    def __init__(self, places: _Places) -> None:
        self.places = places
        self.lines: dict[KeyPath, int] = {}
        self.built = 0
        self.scalars = yaml.constructor.SafeConstructor()

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        line = self.places.line(node.start_mark)
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
            line = self.places.line(key_node.start_mark)
            key = self.build(key_node, path) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise Unreadable(f"a key must be a string, found {key_node.value!r}"[:200], line)
            if key in found:
                raise Unreadable(f"{key}: written twice, first on line {self.lines[(*path, key)]}", line)
            self.lines[(*path, key)] = line
            found[key] = self.build(value_node, (*path, key))
        return found

    def _item(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines[path] = self.places.line(node.start_mark)
        return self.build(node, path)
