"""Values as JSON that keeps their types, and back.

A record is `{type, value, types, size, sha256}`: `value` is plain JSON text that any program reads, `types` maps a JSON
pointer to a type that JSON cannot express (`{"/when": "datetime"}`; "" is the value itself). docs/results.md specifies
type names and pointers; tests/results/golden.json has a record of each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Dict, Optional

from daskjob.results.arrays import decode_numpy
from daskjob.results.encoder import LONG_INT_DIGITS, Encoder, Huge, escape
from daskjob.results.plain_forms import RESTORE
from daskjob.results.stored_size import text_size
from daskjob.results.unfit_values import KEEP_PICKLED, type_name

RESULT_BYTES = 256 * 1024
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
    value: Any,
    limit: int = RESULT_BYTES,
    types_limit: int = TYPES_BYTES,
    stored_limit: int = STORED_BYTES,
    *,
    exact: bool = False,
    remedy: str = KEEP_PICKLED,
) -> dict[str, Any]:
    """The record `{type, value, types?, size, sha256}` of a value.

    Subclasses of plain types (named tuples, ordered dicts, int enums) count as what they derive from. `exact`: only
    what `decode` gives back as it was. `remedy`: ends the message about what JSON cannot say.

    Raises NotSerializable for cycles, nesting deeper than 64 and other types, with all places at once, TooLarge for a
    text of more than `limit` bytes, for `types` of more than `types_limit`, and for what takes more than
    `stored_limit` where Kubernetes stores it.
    """
    encoder = Encoder(limit)
    top, huge = type_name(value), 0
    try:
        types = encoder.walk(value)
        top = types.get("", top)
    except Huge as found:
        types, huge = {}, found.size
    if encoder.refusals:
        raise NotSerializable(encoder.refusals.text(remedy), top)
    if exact and not encoder.exact:
        raise NotSerializable(f"a {top} does not come back from JSON as it was", top)
    if huge or encoder.size > limit:
        size = huge or encoder.size
        raise TooLarge(f"the result, a {top}, takes {size} bytes, and {limit} are allowed: {KEEP_ELSEWHERE}", top, size)
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


def _restore(value: Any, tree: _Tree) -> Any:
    if not tree:
        return value
    if isinstance(value, dict):
        value = {key: _restore(item, tree.get(escape(key)) or tree.get("*") or {}) for key, item in value.items()}
    elif isinstance(value, list):
        value = [_restore(item, tree.get(str(index)) or tree.get("*") or {}) for index, item in enumerate(value)]
    name = tree.get(None)
    if not isinstance(name, str):
        return value
    try:
        return _by_name(name, value)
    except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError) as error:
        raise ValueError(f"not a {name[:80]}: {error}") from None


def _by_name(name: str, value: Any) -> Any:
    if name.startswith("numpy."):
        return decode_numpy(name, value)
    if name.startswith("dict["):
        return {_restore_key(name[5:-1], key): item for key, item in value.items()}
    return RESTORE.get(name, lambda same: same)(value)


def _restore_key(kind: str, text: str) -> Any:
    """The key of a dict that an object's name stands for."""
    if kind in _KEYS:
        return _KEYS[kind](text)
    if kind.startswith("numpy."):
        as_text = ("numpy.str", "numpy.bytes", "numpy.datetime64", "numpy.complex")
        return decode_numpy(kind, text if kind.startswith(as_text) else json.loads(text))
    return RESTORE.get(kind, lambda same: same)(text)


def _parse_int(text: str) -> int:
    return int(text) if len(text) < LONG_INT_DIGITS else int(Decimal(text))


_KEYS: Dict[str, Callable[[str], Any]] = {
    "int": _parse_int,
    "float": float,
    "bool": lambda text: {"true": True, "false": False}[text],
}
