"""JSON of any depth: what is nested deeper than `MOST_LEVELS` is left out, and the value says so.

The events come from ijson, whose parser has no recursion.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import ijson

from daskjob.streams.depth import MOST_LEVELS, TOO_DEEP, UNREADABLE

#: Bytes that are parsed at a time.
SLICE = 64 * 1024

Body = dict[str, Any]
_NOTHING = object()
_CONTAINERS = frozenset((dict, list))


class Assembler:
    """Builds one value from ijson's events, without recursion. `most`: levels of it that are read."""

    def __init__(self, most: int = MOST_LEVELS) -> None:
        #: The value, once `add` has returned True.
        self.value: Any = _NOTHING
        #: Whether something was left out.
        self.cut = False
        self._most = most
        self._open: list[Any] = []
        self._keys: list[str] = []
        self._skipped = 0

    def add(self, event: str, value: Any) -> bool:
        """Takes the next event in. Returns whether the value is complete."""
        if event in ("start_map", "start_array"):
            self._begin({} if event == "start_map" else [])
            return False
        if self._skipped:
            self._skipped -= event in ("end_map", "end_array")
            return False
        if event == "map_key":
            self._keys[-1] = value
        elif event in ("end_map", "end_array"):
            self._keys.pop()
            return self._end(self._open.pop())
        else:
            return self._end(float(value) if isinstance(value, Decimal) else value)
        return False

    def _begin(self, container: Any) -> None:
        if self._skipped or len(self._open) >= self._most:
            self._skipped += 1
            self.cut = True
            return
        self._open.append(container)
        self._keys.append("")

    def _end(self, value: Any) -> bool:
        if not self._open:
            self.value = value
            return True
        if isinstance(self._open[-1], dict):
            self._open[-1][self._keys[-1]] = value
        else:
            self._open[-1].append(value)
        return False


def parse(text: bytes, around: int = 0) -> Any:
    """The value of a JSON text. An object from which something was left out gets the field `UNREADABLE`; in a watch
    event, its `object` gets it. `around`: levels around the object, which do not count: 1 in a watch event, so that a
    watch reads of an object exactly what a list does. Raises ValueError if the text is not JSON."""
    most = MOST_LEVELS + around
    try:
        value = json.loads(text)
        if not _is_deeper(value, most):
            return value
    except RecursionError:
        pass
    assembler = Assembler(most)
    for event, value in _events([text]):
        if assembler.add(event, value):
            break
    value = assembler.value
    if isinstance(value, dict) and assembler.cut:
        target = value["object"] if isinstance(value.get("object"), dict) else value
        target[UNREADABLE] = TOO_DEEP
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects of a JSON value are nested deeper than that."""
    inner = [value] if type(value) in _CONTAINERS else []
    for _ in range(levels):
        if not inner:
            return False
        inner = [
            each
            for outer in inner
            for each in (outer.values() if type(outer) is dict else outer)
            if type(each) in _CONTAINERS
        ]
    return bool(inner)


class ListPage:
    """Reads a page of a list item by item, so that only what is kept of the items stays in memory."""

    def __init__(self, keep: Callable[[Body], Body | None]) -> None:
        """`keep`: what to keep of an item; None: nothing."""
        self._keep = keep
        self._head = Assembler()
        self._item: Assembler | None = None
        self._level = 0
        self._in_items = False
        self._key = ""
        self._items: list[Body] = []

    def read(self, slices: Iterable[bytes]) -> Body:
        """The page, with what is kept of its items. Raises ValueError if it is not JSON, or no object."""
        for event, value in _events(slices):
            self._take(event, value)
        page = self._head.value
        if not isinstance(page, dict):
            raise ValueError("not a JSON object")
        if "items" in page:
            page["items"] = self._items
        return page

    def _take(self, event: str, value: Any) -> None:
        if self._in_items and not (self._item is None and event == "end_array"):
            self._take_item(event, value)
            return
        if self._level == 1 and event == "map_key":
            self._key = value
        if self._level == 1 and event == "start_array" and self._key == "items":
            self._in_items = True
        elif event == "end_array" and self._in_items:
            self._in_items = False
        self._level += (event in ("start_map", "start_array")) - (event in ("end_map", "end_array"))
        self._head.add(event, value)

    def _take_item(self, event: str, value: Any) -> None:
        item = self._item = self._item or Assembler()
        if not item.add(event, value):
            return
        self._item = None
        body = item.value
        if isinstance(body, dict):
            if item.cut:
                body[UNREADABLE] = TOO_DEEP
            kept = self._keep(body)
            if kept is not None:
                self._items.append(kept)


def slices(text: bytes) -> Iterable[bytes]:
    """The text in pieces of `SLICE` bytes."""
    view = memoryview(text)
    return (bytes(view[start : start + SLICE]) for start in range(0, len(text), SLICE))


def _events(texts: Iterable[bytes]) -> Iterable[tuple[str, Any]]:
    found: Any = ijson.sendable_list()
    # Its floats would end at an integer beyond 64 bits, as which the API server writes a large float.
    parser = ijson.basic_parse_coro(found)
    try:
        for text in filter(None, texts):  # To the parser an empty piece is the end.
            parser.send(text)
            yield from found
            found.clear()
        parser.close()
        yield from found
    except ijson.JSONError as error:
        raise ValueError(f"not JSON: {error}") from error
