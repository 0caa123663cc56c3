"""Values as JSON that keeps their types, and back.

A record is `{type, value, types, size, sha256}`: `value` is plain JSON text that any program reads, `types` maps a JSON
pointer to a type that JSON cannot express (`{"/when": "datetime"}`; "" is the value itself). docs/results.md specifies
type names and pointers; tests/results/golden.json has a record of each.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from json.encoder import encode_basestring, encode_basestring_ascii
from pathlib import Path, PurePath
from typing import Any, Dict, Optional
from uuid import UUID

from daskjob.results.arrays import decode_numpy, encode_numpy
from daskjob.results.stored_size import text_size
from daskjob.results.tables import UNMARKED, encode_pandas, memory_of

RESULT_BYTES = 256 * 1024
MAX_DEPTH = 64
#: The largest `types`, as JSON; a value that needs more is better returned as plain lists.
TYPES_BYTES = 128 * 1024
#: The most bytes that a text and its types may take where Kubernetes stores them: a job's status has no more room.
STORED_BYTES = 512 * 1024
#: What to do about a result that a job's status has no room for.
KEEP_ELSEWHERE = (
    "keep it in a store, by these lines under spec: "
    'result: {store: {url: "s3://bucket/folder", secretRef: {name: secret-with-credentials}}}, '
    "or return something smaller"
)
#: From this many children on, `*` stands for all of them if their types are equal.
COLLAPSE = 9
#: Pairs, and surrogates without their other half.
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")
#: Python refuses to convert longer integers from and to text; Decimal does it.
_LONG_INT_DIGITS = 4000

Types = Dict[str, str]
#: Pointers by segment; the name of a node's own type is at None, which no segment is.
_Tree = Dict[Optional[str], Any]


class NotSerializable(Exception):
    """A value without a JSON form. `type`: of the whole result. The message has the place and what to do."""

    def __init__(self, message: str, type: str) -> None:
        super().__init__(message)
        self.type = type


class TooLarge(Exception):
    """A result over the limit. `type` and `size` (bytes of JSON text; for arrays, of memory): of the whole result."""

    def __init__(self, message: str, type: str, size: int) -> None:
        super().__init__(message)
        self.type = type
        self.size = size


def encode(
    value: Any, limit: int = RESULT_BYTES, types_limit: int = TYPES_BYTES, stored_limit: int = STORED_BYTES
) -> dict[str, Any]:
    """The record `{type, value, types?, size, sha256}` of a value.

    Subclasses of plain types (named tuples, ordered dicts, int enums) count as what they derive from. Raises
    NotSerializable for cycles, nesting deeper than 64 and other types, TooLarge for a text of more than `limit` bytes,
    for `types` of more than `types_limit`, and for what takes more than `stored_limit` where Kubernetes stores it.
    """
    encoder = _Encoder(limit)
    top = _type_of(value)
    try:
        types = encoder.walk(value, 1)
    except _Refused as refused:
        raise NotSerializable(refused.message, top) from None
    except _Huge as huge:
        raise TooLarge(_too_large(top, huge.size, limit), top, huge.size) from None
    top = types.get("", top)
    if encoder.size > limit:
        raise TooLarge(_too_large(top, encoder.size, limit), top, encoder.size)
    types_text = json.dumps(types)
    if len(types_text) > types_limit:
        message = f"the types of this {top} take {len(types_text)} bytes (at most {types_limit}): return plain lists"
        raise TooLarge(message, top, encoder.size)
    text = "".join(encoder.parts)
    stored = stored_size(text, types)
    if stored > stored_limit:
        message = (
            f"the result, a {top}, takes {stored} bytes where Kubernetes stores it, and {stored_limit} are allowed (of "
            f"<, > and & each takes six there): {KEEP_ELSEWHERE}"
        )
        raise TooLarge(message, top, encoder.size)
    result = {"type": top, "value": text, "size": encoder.size, "sha256": sha256(text.encode())}
    if types:
        result["types"] = types
    return result


def decode(value: str, types: Mapping[str, str] | None = None) -> Any:
    """The value of a record's `value` and `types`; a part with an unknown type name stays JSON. Raises ValueError."""
    tree: _Tree = {}
    for pointer, name in (types or {}).items():
        node = tree
        for segment in pointer.split("/")[1:]:
            node = node.setdefault(segment, {})
        node[None] = name
    return _restore(json.loads(value, parse_int=_parse_int), tree)


def stored_size(text: str, types: Mapping[str, str]) -> int:
    """The bytes that a record's `value` and `types` take where Kubernetes stores them."""
    return text_size(text) + sum(text_size(pointer) + text_size(name) + 2 for pointer, name in types.items())


def sha256(data: bytes) -> str:
    """Hex SHA-256."""
    return hashlib.sha256(data).hexdigest()


class _Refused(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class _Huge(Exception):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def _too_large(type_name: str, size: int, limit: int) -> str:
    return f"the result, a {type_name}, takes {size} bytes, and {limit} are allowed: {KEEP_ELSEWHERE}"


def _type_of(value: Any) -> str:
    for plain in (bool, int, float, str, dict, list, tuple):
        if type(value) is plain:
            return plain.__name__
    module = type(value).__module__
    return type(value).__qualname__ if module == "builtins" else f"{module}.{type(value).__qualname__}"


class _Encoder:
    """Walks a value: collects its JSON text in `parts` (over the limit, only its size) and returns its types."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.parts: list[str] = []
        self.size = 0
        self._path: list[str] = ["$"]
        self._open: set[int] = set()

    def put(self, text: str) -> None:
        self.size += len(text) if text.isascii() else len(text.encode())
        if self.size <= self.limit:
            self.parts.append(text)

    def text(self, text: str) -> None:
        literal = encode_basestring(text)
        # Line separators, direction marks and lone surrogates are escaped: the text goes to terminals.
        self.put(literal if literal.isprintable() else encode_basestring_ascii(text))

    def refuse(self, message: str) -> _Refused:
        return _Refused(f"{''.join(self._path)}: {message}")

    def walk(self, value: Any, depth: int) -> Types:
        if value is None or value is True or value is False:
            self.put({None: "null", True: "true", False: "false"}[value])
            return {}
        numeric = encode_numpy(value)
        if numeric is not None:
            return self._numpy(value, numeric, depth)
        if isinstance(value, str):
            self.text(str.__str__(value))
            return {}
        if isinstance(value, int):
            self.put(_int_text(value))
            return {}
        if isinstance(value, float):
            return self._float(value)
        for kind, form in _SCALARS.items():
            # datetime is a date and pandas.Timestamp a datetime: only exact types round-trip, except paths.
            if type(value) is kind or (kind is PurePath and isinstance(value, PurePath)):
                self.text(form(value))
                return {"": "Path" if kind is PurePath else kind.__name__}
        if isinstance(value, (list, tuple, set, frozenset, dict)):
            return self._container(value, depth)
        table = encode_pandas(value)
        if table is not None:
            return self._pandas(value, table, depth)
        name = _type_of(value)
        raise self.refuse(f"a {name} has no JSON form: {_ADVICE.get(name.split('.')[-1], _ADVICE[''])}")

    def _float(self, value: float) -> Types:
        text = float.__repr__(value)
        if text in ("nan", "inf", "-inf"):
            self.put("null")
            return {"": f"float:{text}"}
        self.put(text)
        return {}

    def _numpy(self, value: Any, numeric: tuple[str, Callable[[], Any]], depth: int) -> Types:
        name, plain = numeric
        if not name:
            raise self.refuse(plain())
        if name.startswith("numpy.ndarray") and 2 * value.size > self.limit:
            # Not even converted: as Python objects it might not fit in memory.
            raise _Huge(int(value.nbytes))
        types = self.walk(plain(), depth)
        # In an array of floats a reader takes null for NaN.
        types = {pointer: kind for pointer, kind in types.items() if kind != "float:nan" or not pointer}
        special = types.get("", "")
        return {**types, "": name + special[5:] if special.startswith("float:") else name}

    def _pandas(self, value: Any, table: tuple[str, int, Callable[[], Any]], depth: int) -> Types:
        name, count, plain = table
        if not name:
            raise self.refuse(plain())
        if 2 * count > self.limit:
            # Not even converted: as Python objects it might not fit in memory.
            raise _Huge(memory_of(value))
        types = self.walk(plain(), depth)
        return {"": name, **{pointer: kind for pointer, kind in types.items() if kind not in UNMARKED}}

    def _container(self, value: Any, depth: int) -> Types:
        if depth > MAX_DEPTH:
            raise self.refuse(f"nested deeper than {MAX_DEPTH} levels: return something flatter")
        if id(value) in self._open:
            raise self.refuse("contains itself: return something without cycles")
        self._open.add(id(value))
        types = self._dict(value, depth) if isinstance(value, dict) else self._sequence(value, depth)
        self._open.discard(id(value))
        return types

    def _sequence(self, value: Any, depth: int) -> Types:
        own = ""
        for kind in (tuple, set, frozenset):
            if isinstance(value, kind):
                own = kind.__name__
        items = sorted(value, key=_order) if isinstance(value, (set, frozenset)) else value
        children = []
        self.put("[")
        for index, item in enumerate(items):
            if index:
                self.put(",")
            self._path.append(f"[{index}]")
            children.append((str(index), self.walk(item, depth + 1)))
            self._path.pop()
        self.put("]")
        return _merge(own, children)

    def _dict(self, value: dict[Any, Any], depth: int) -> Types:
        own = ""
        if not all(isinstance(key, str) for key in value):
            if not all(_is_int(key) for key in value):
                odd = {_type_of(key) for key in value if not isinstance(key, str) and not _is_int(key)}
                what = f"a {min(odd)} as key" if odd else "keys of str and int"
                raise self.refuse(
                    f"a dict with {what}: use only str, or only int, such as "
                    "{str(key): value for key, value in it.items()}"
                )
            own = "dict[int]"
        children = []
        self.put("{")
        for number, (key, item) in enumerate(value.items()):
            if number:
                self.put(",")
            name = _int_text(int(key)) if own else str.__str__(key)
            self.text(name)
            self.put(":")
            self._path.append(f".{name}" if name.isidentifier() else f"[{json.dumps(name)[:80]}]")
            children.append((_escape(name), self.walk(item, depth + 1)))
            self._path.pop()
        self.put("}")
        return _merge(own, children)


def _merge(own: str, children: list[tuple[str, Types]]) -> Types:
    types = {"": own} if own else {}
    if len(children) >= COLLAPSE and all(each == children[0][1] for _, each in children):
        children = [("*", children[0][1])]
    for segment, below in children:
        for pointer, name in below.items():
            types[f"/{segment}{pointer}"] = name
    return types


def _escape(key: str) -> str:
    """The segment of a pointer that stands for a key."""
    if key == "*":
        return "~2"
    segment = key.replace("~", "~0").replace("/", "~1")
    return segment if segment.isprintable() else _SURROGATES.sub(_surrogate, segment)


def _surrogate(found: re.Match[str]) -> str:
    text = found.group()
    # A reader of JSON joins the two halves of a pair to one character.
    return text.encode("utf-16", "surrogatepass").decode("utf-16") if len(text) > 1 else f"~3{ord(text):04x}"


def _is_int(key: Any) -> bool:
    return not isinstance(key, bool) and hasattr(type(key), "__index__") and not hasattr(type(key), "__len__")


def _order(item: Any) -> tuple[str, str]:
    return type(item).__name__, repr(item)


def _int_text(value: int) -> str:
    return int.__repr__(value) if value.bit_length() < 3 * _LONG_INT_DIGITS else str(Decimal(int(value)))


def _parse_int(text: str) -> int:
    return int(text) if len(text) < _LONG_INT_DIGITS else int(Decimal(text))


def _duration(value: timedelta) -> str:
    return f"P{value.days}DT{value.seconds}.{value.microseconds:06d}S"


def _parse_duration(text: str) -> timedelta:
    found = re.fullmatch(r"P(-?\d+)DT(\d+)\.(\d{6})S", text)
    if found is None:
        raise ValueError(f"not a duration: {text[:80]!r}")
    days, seconds, microseconds = (int(part) for part in found.groups())
    return timedelta(days, seconds, microseconds)


_SCALARS: dict[type, Callable[[Any], str]] = {
    bytes: lambda value: base64.b64encode(value).decode(),
    bytearray: lambda value: base64.b64encode(value).decode(),
    datetime: lambda value: str(value.isoformat()),
    date: lambda value: str(value.isoformat()),
    time: lambda value: str(value.isoformat()),
    timedelta: _duration,
    Decimal: str,
    UUID: str,
    complex: repr,
    PurePath: str,
}

#: By type name: how to make the value from its JSON. NumPy's names are in `arrays`.
RESTORE: Dict[str, Callable[[Any], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "dict[int]": lambda value: {_parse_int(key): item for key, item in value.items()},
    "bytes": base64.b64decode,
    "bytearray": lambda value: bytearray(base64.b64decode(value)),
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": _parse_duration,
    "Decimal": Decimal,
    "UUID": UUID,
    "complex": complex,
    "Path": Path,
    "float:nan": lambda value: float("nan"),
    "float:inf": lambda value: float("inf"),
    "float:-inf": lambda value: float("-inf"),
}

_ADVICE = {
    "": "return numbers, text, lists or dicts, or keep it with result.store and result.format: pickle",
    "DataFrame": "return its rows as dicts, or keep it in a store (spec.result.store)",
    "Table": "return .to_pylist() of it, or keep it in a store (spec.result.store)",
    "Series": "return its values as a list",
    "function": "return what it gives, or name it in graph.entrypoint",
    "generator": "return list(...) of it",
    "coroutine": "await it",
}


def _restore(value: Any, tree: _Tree) -> Any:
    if not tree:
        return value
    if isinstance(value, dict):
        value = {key: _restore(item, tree.get(_escape(key)) or tree.get("*") or {}) for key, item in value.items()}
    elif isinstance(value, list):
        value = [_restore(item, tree.get(str(index)) or tree.get("*") or {}) for index, item in enumerate(value)]
    name = tree.get(None)
    if not isinstance(name, str):
        return value
    try:
        return decode_numpy(name, value) if name.startswith("numpy.") else RESTORE.get(name, lambda same: same)(value)
    except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise ValueError(f"not a {name[:80]}: {error}") from None
