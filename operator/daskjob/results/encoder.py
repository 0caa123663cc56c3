"""Walks a value once: its JSON text, the types that JSON cannot say, and everything that has no form in JSON.

`codec` makes a record of it. docs/results.md has the whole table of forms.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import json
import re
from collections.abc import Callable, ItemsView, Iterable, KeysView, ValuesView
from datetime import datetime, time, timezone
from decimal import Decimal
from json.encoder import encode_basestring, encode_basestring_ascii
from pathlib import Path, PurePath
from typing import Any, Dict, List, Optional, Tuple

from daskjob.results.arrays import OBJECTS, encode_numpy
from daskjob.results.plain_forms import SCALARS
from daskjob.results.tables import UNMARKED, encode_pandas, memory_of
from daskjob.results.unfit_values import Refusals, advice_on, type_name

MAX_DEPTH = 64
#: From this many children on, `*` stands for all of them if their types are equal.
COLLAPSE = 9
#: Longer names of classes are cut, and longer texts of keys are no keys of an object.
NAME_LENGTH, KEY_LENGTH = 200, 10_000
#: Pairs, and surrogates without their other half.
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")
#: Python refuses to convert longer integers from and to text; Decimal does it.
LONG_INT_DIGITS = 4000
_SEQUENCES: Tuple[type, ...] = (list, tuple, set, frozenset, range, collections.deque, KeysView, ValuesView, ItemsView)

Types = Dict[str, str]


class Huge(Exception):
    """Too large even to convert: as Python objects it might not fit in memory. `size`: bytes of memory, or of text."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class Encoder:
    """Collects a value's JSON text in `parts` (over the limit, only its `size`), and in `refusals` what has no form in
    JSON. `exact`: a reader gets back what was given, of the same types."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.parts: List[str] = []
        self.size = 0
        self.exact = True
        self.refusals = Refusals()
        self._path: List[str] = ["$"]
        self._open: set[int] = set()

    def walk(self, value: Any, depth: int = 1) -> Types:
        """The types of a value and of what is in it, by pointer. Raises Huge."""
        if value is None or value is True or value is False:
            self._put({None: "null", True: "true", False: "false"}[value])
            return {}
        numeric = encode_numpy(value)
        if numeric is not None:
            return self._numpy(value, numeric, depth)
        if isinstance(value, (str, int, float)):
            return self._plain(value)
        if isinstance(value, enum.Enum):
            return {**self._inexact(self.walk(value.value, depth)), "": _class_name("Enum", value)}
        for kind, form in SCALARS.items():
            # datetime is a date and pandas.Timestamp a datetime: only exact types round-trip, except paths.
            if type(value) is kind or (kind is PurePath and isinstance(value, PurePath)):
                self.exact = self.exact and _comes_back(value)
                self._text(form(value))
                return {"": "Path" if kind is PurePath else kind.__name__}
        if isinstance(value, (*_SEQUENCES, dict)):
            return self._container(value, depth, self._dict if isinstance(value, dict) else self._sequence)
        table = encode_pandas(value)
        if table is not None:
            return self._pandas(value, table, depth)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._inexact(self._container(value, depth, self._dataclass))
        return self._refuse(f"a {type_name(value)} has no JSON form: {advice_on(value)}")

    def _put(self, text: str) -> None:
        self.size += len(text) if text.isascii() else len(text.encode())
        if self.size <= self.limit:
            self.parts.append(text)

    def _text(self, text: str) -> None:
        literal = encode_basestring(text)
        # Line separators, direction marks and lone surrogates are escaped: the text goes to terminals.
        self._put(literal if literal.isprintable() else encode_basestring_ascii(text))

    def _refuse(self, message: str) -> Types:
        self.refusals.add("".join(self._path), message)
        self._put("null")
        return {}

    def _inexact(self, types: Types) -> Types:
        self.exact = False
        return types

    def _plain(self, value: Any) -> Types:
        self.exact = self.exact and type(value) in (str, int, float)
        if isinstance(value, str):
            self._text(str.__str__(value))
            return {}
        if isinstance(value, int):
            self._put(_int_text(value))
            return {}
        text = float.__repr__(value)
        if text in ("nan", "inf", "-inf"):
            self._put("null")
            return {"": f"float:{text}"}
        self._put(text)
        return {}

    def _numpy(self, value: Any, numeric: Tuple[str, Callable[[], Any]], depth: int) -> Types:
        name, plain = numeric
        if not name:
            return self._refuse(plain())
        if name.startswith("numpy.ndarray") and 2 * value.size > self.limit:
            raise Huge(int(value.nbytes))
        types = self.walk(plain(), depth)
        special = types.get("", "")
        if not name.startswith(OBJECTS):
            # In an array of floats a reader takes null for NaN.
            types = {pointer: kind for pointer, kind in types.items() if kind != "float:nan" or not pointer}
        return {**types, "": name + special[5:] if special.startswith("float:") else name}

    def _pandas(self, value: Any, table: Tuple[str, int, Callable[[], Any]], depth: int) -> Types:
        name, count, plain = table
        if not name:
            return self._refuse(plain())
        if 2 * count > self.limit:
            raise Huge(memory_of(value))
        types = self._inexact(self.walk(plain(), depth))
        return {"": name, **{pointer: kind for pointer, kind in types.items() if kind not in UNMARKED}}

    def _container(self, value: Any, depth: int, walk: Callable[[Any, int], Types]) -> Types:
        if depth > MAX_DEPTH:
            return self._refuse(f"nested deeper than {MAX_DEPTH} levels: return something flatter")
        if id(value) in self._open:
            return self._refuse("contains itself: return something without cycles")
        self._open.add(id(value))
        types = walk(value, depth)
        self._open.discard(id(value))
        return types

    def _sequence(self, value: Any, depth: int) -> Types:
        own = ""
        for kind in (tuple, set, frozenset, range, collections.deque):
            if isinstance(value, kind):
                own = kind.__name__
        if own == "range":
            _check_range(value, self.limit)
        self.exact = self.exact and type(value) in _SEQUENCES[:-3] and getattr(value, "maxlen", None) is None
        items = sorted(value, key=_order) if isinstance(value, (set, frozenset)) else value
        if isinstance(value, (list, collections.deque)):
            # A copy: another thread may change it meanwhile.
            items = list(value)
        return self._array(own, ((f"[{index}]", item) for index, item in enumerate(items)), depth)

    def _array(self, own: str, items: Iterable[Tuple[str, Any]], depth: int) -> Types:
        """The items with their places."""
        children: List[Tuple[str, Types]] = []
        self._put("[")
        for index, (place, item) in enumerate(items):
            if index:
                self._put(",")
            self._path.append(place)
            children.append((str(index), self.walk(item, depth + 1)))
            self._path.pop()
        self._put("]")
        return _merge(own, children)

    def _dict(self, value: Dict[Any, Any], depth: int) -> Types:
        self.exact = self.exact and type(value) is dict
        # A copy: another thread may change it meanwhile, and each key has to keep its value.
        pairs = list(value.items())
        named = self._names([key for key, _ in pairs])
        if named is None:
            placed = [(f"[key {number}]", list(pair)) for number, pair in enumerate(pairs)]
            return self._array("dict:pairs", placed, depth)
        own, names = named
        return self._object(own, ((name, item) for name, (_, item) in zip(names, pairs)), depth)  # noqa: B905

    def _dataclass(self, value: Any, depth: int) -> Types:
        fields = [each.name for each in dataclasses.fields(value)]
        items = [(name, getattr(value, name)) for name in fields if hasattr(value, name)]
        return self._object(_class_name("dataclass", value), items, depth)

    def _object(self, own: str, items: Iterable[Tuple[str, Any]], depth: int) -> Types:
        children: List[Tuple[str, Types]] = []
        self._put("{")
        for number, (name, item) in enumerate(items):
            if number:
                self._put(",")
            self._text(name)
            self._put(":")
            self._path.append(f".{name}" if name.isidentifier() else f"[{json.dumps(name)[:80]}]")
            children.append((escape(name), self.walk(item, depth + 1)))
            self._path.pop()
        self._put("}")
        return _merge(own, children)

    def _names(self, keys: List[Any]) -> Optional[Tuple[str, List[str]]]:
        """The type of a dict whose keys are the names of an object, and these; None if they cannot be: they are of
        several types, or no text says them."""
        if all(isinstance(key, str) for key in keys):
            self.exact = self.exact and all(type(key) is str for key in keys)
            return "", [str.__str__(key) for key in keys]
        if all(_is_int(key) for key in keys):
            self.exact = self.exact and all(type(key) is int for key in keys)
            return "dict[int]", [_int_text(int(key)) for key in keys]
        kind, names = "", []
        for number, key in enumerate(keys):
            found = self._name(key)
            if found is None or (number and kind != found[0]):
                return None
            kind = found[0]
            names.append(found[1])
        return (f"dict[{kind}]", names) if len(set(names)) == len(names) else None

    def _name(self, key: Any) -> Optional[Tuple[str, str]]:
        """Type and text of a key that one text says."""
        encoder = Encoder(KEY_LENGTH)
        types = encoder.walk(key)
        text = "".join(encoder.parts)
        kind = types.pop("", "") or type(key).__name__
        if encoder.refusals or encoder.size > KEY_LENGTH or types or text[0] in "[{n" or isinstance(key, str):
            return None
        self.exact = self.exact and encoder.exact
        return kind, json.loads(text) if text[0] == '"' else text


def escape(key: str) -> str:
    """The segment of a pointer that stands for a key."""
    if key == "*":
        return "~2"
    segment = key.replace("~", "~0").replace("/", "~1")
    return segment if segment.isprintable() else _SURROGATES.sub(_surrogate, segment)


def _merge(own: str, children: List[Tuple[str, Types]]) -> Types:
    types = {"": own} if own else {}
    if len(children) >= COLLAPSE and all(each == children[0][1] for _, each in children):
        children = [("*", children[0][1])]
    for segment, below in children:
        for pointer, name in below.items():
            types[f"/{segment}{pointer}"] = name
    return types


def _surrogate(found: re.Match[str]) -> str:
    text = found.group()
    # A reader of JSON joins the two halves of a pair to one character.
    return text.encode("utf-16", "surrogatepass").decode("utf-16") if len(text) > 1 else f"~3{ord(text):04x}"


def _class_name(kind: str, value: Any) -> str:
    return f"{kind}:{type_name(value)}"[:NAME_LENGTH]


def _comes_back(value: Any) -> bool:
    """Whether the text of a value has all of it: the name of a time zone, and which of two equal hours, are lost."""
    if isinstance(value, (datetime, time)):
        return not value.fold and (value.tzinfo is None or type(value.tzinfo) is timezone)
    return not isinstance(value, PurePath) or type(value) is type(Path())


def _check_range(value: range, limit: int) -> None:
    count = max(0, -((value.start - value.stop) // value.step))
    if 2 * count > limit:
        raise Huge(count * (len(str(abs(value.start) + abs(value.stop))) + 1))


def _is_int(key: Any) -> bool:
    return not isinstance(key, bool) and hasattr(type(key), "__index__") and not hasattr(type(key), "__len__")


def _order(item: Any) -> Tuple[str, str]:
    return type(item).__name__, repr(item)


def _int_text(value: int) -> str:
    return int.__repr__(value) if value.bit_length() < 3 * LONG_INT_DIGITS else str(Decimal(int(value)))
