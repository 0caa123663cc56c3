"""Bounds of a YAML text, found before anything is built from it: how long and deep it is, how many values it has, and
how much its aliases repeat.

A few hundred bytes of aliases of aliases are billions of values, and what is very deep ends Python's recursion. What is
within the bounds is read and checked in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from daskjob.schema.limits import MANIFEST_DEPTH

#: The most characters of one text, and characters of it that aliases repeat. An object of Kubernetes has 1.5 MiB.
CHARACTERS = 8 * 2**20
#: The most values of one text: documents, keys and ends of lists included. The largest job has a third of them.
VALUES = 500_000
#: The most values of one text that may come from aliases.
REPEATED = 100_000
_SPLIT = "split it into several files, and put data where the graph can read it"


class BoundsError(Exception):
    """A text goes beyond the bounds, in that line (the first is 1); the message says in which way."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class _Node:
    """A list or mapping that is being read, or any value with an anchor: `values` and `characters` in it, itself
    included, aliases resolved; `height`: levels of lists and mappings in it, itself included."""

    anchor: str | None
    values: int = 1
    height: int = 1
    characters: int = 0


def check_bounds(text: str, loader: Any) -> None:
    """Raises BoundsError if the text is too long or deep, has or repeats too much, or has a value that contains itself;
    and yaml.YAMLError if it is not YAML."""
    if len(text) > CHARACTERS:
        raise BoundsError(1, f"has more than {CHARACTERS} characters: {_SPLIT}")
    # One level is the List that may be around manifests, and its items.
    deepest = MANIFEST_DEPTH + 2
    open_nodes: list[_Node] = []
    anchors: dict[str | None, _Node | None] = {}
    repeated = repeated_characters = 0
    for number, event in enumerate(_events(text, loader)):
        if number > VALUES:
            raise _error(event, f"is beyond the first {VALUES} values of the file: {_SPLIT}")
        if isinstance(event, yaml.DocumentStartEvent):
            anchors.clear()
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            open_nodes.append(_Node(event.anchor))
            if event.anchor is not None:
                anchors[event.anchor] = None
        elif isinstance(event, yaml.AliasEvent):
            # An unknown anchor is left to the loader, which says so.
            node = anchors.get(event.anchor, _Node(None))
            if node is None:
                raise _error(event, f"*{event.anchor} contains itself")
            repeated += node.values
            repeated_characters += node.characters
            if repeated > REPEATED:
                raise _error(event, f"aliases repeat more than {REPEATED} values: write less, without aliases")
            if repeated_characters > CHARACTERS:
                raise _error(event, f"aliases repeat more than {CHARACTERS} characters: write less, without aliases")
            _count(open_nodes, node)
        elif isinstance(event, yaml.ScalarEvent):
            scalar = _Node(event.anchor, height=0, characters=len(event.value))
            if event.anchor is not None:
                anchors[event.anchor] = scalar
            _count(open_nodes, scalar)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            node = open_nodes.pop()
            if node.anchor is not None:
                anchors[node.anchor] = node
            _count(open_nodes, node)
        if open_nodes and len(open_nodes) + open_nodes[-1].height - 1 > deepest:
            raise _error(event, f"lies more than {deepest} levels deep; no field of a manifest does")


def _count(open_nodes: list[_Node], node: _Node) -> None:
    """Adds a finished node to the one around it."""
    if open_nodes:
        around = open_nodes[-1]
        around.values += node.values
        around.characters += node.characters
        around.height = max(around.height, node.height + 1)


def _events(text: str, loader: Any) -> Iterator[Any]:
    # Yields one event at a time, and the parser keeps a stack of its own: no recursion.
    yield from yaml.parse(text, Loader=loader)


def _error(event: Any, message: str) -> BoundsError:
    return BoundsError(event.start_mark.line + 1, message)
