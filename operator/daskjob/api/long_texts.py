"""Long texts of a status, such as a result's value: the operator has a stand-in in memory, the API server has the text.

A stand-in has the text's first characters and its SHA-256, so two are equal only if their texts are. Before the
operator writes a status, it puts the texts back, from the objects that have them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

#: A text of at most so many characters, and a mapping of at most so many entries, is kept as it is.
KEPT, KEPT_ENTRIES = 1024, 20
#: Characters that a stand-in has of its text.
HEAD = 80
_STAND_IN = re.compile(r"\0[0-9a-f]{64}\Z")


def shorten(value: Any) -> Any:
    """The stand-in of a long text or of a large mapping of texts; anything else as it is."""
    if isinstance(value, str) and len(value) > KEPT:
        return f"{value[:HEAD]}\0{_digest(value)}"
    if isinstance(value, Mapping) and len(value) > KEPT_ENTRIES:
        return {f"\0{_digest(json.dumps(value, sort_keys=True))}": ""}
    return value


def is_stand_in(value: Any) -> bool:
    """Whether it has the form of one. A user's text may have it as well: that costs his own job two requests."""
    if isinstance(value, Mapping):
        return len(value) == 1 and is_stand_in(next(iter(value)))
    return isinstance(value, str) and len(value) <= HEAD + 65 and _STAND_IN.search(value) is not None


def has_stand_ins(document: Any) -> bool:
    """Whether a stand-in is anywhere in a JSON document."""
    return any(is_stand_in(value) for value in _values(document))


def put_back(document: Any, *sources: Any) -> Any:
    """The document with the texts and mappings of its stand-ins, found in the sources. Raises LookupError if none has
    one of them."""
    found = {}
    for source in sources:
        for value in _values(source):
            # A user's own text may have the form of a stand-in: it stays.
            short = value if is_stand_in(value) else shorten(value)
            if is_stand_in(short):
                found[_key(short)] = value
    return _replaced(document, found)


def _replaced(value: Any, found: Mapping[str, Any]) -> Any:
    if is_stand_in(value):
        return found[_key(value)]
    if isinstance(value, Mapping):
        return {key: _replaced(each, found) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(each, found) for each in value]
    return value


def _key(stand_in: Any) -> str:
    return str(next(iter(stand_in))) if isinstance(stand_in, Mapping) else str(stand_in)


def _values(document: Any) -> Iterator[Any]:
    """All texts and mappings in a JSON document."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            yield value
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, str):
            yield value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
