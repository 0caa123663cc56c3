"""Readers of single fields: each takes any value and returns the clean one, or None: the field counts as absent."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, Callable, Iterable, Mapping, Optional

from daskjob.wire.clean_text import clean, clip

Shape = dict[str, Any]


def load_json(text: str) -> Any:
    """Parsed JSON; integers of 20 digits and more become 0. None if it is not JSON; NaN and Infinity are not."""
    try:
        return json.loads(text, parse_int=_short_int, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _short_int(text: str) -> int:
    return int(text) if len(text) < 20 else 0


def _no_constant(text: str) -> None:
    raise ValueError(text)


Reader = Callable[[object], Any]


def read_mapping(value: object, fields: Mapping[str, Reader]) -> Shape:
    if not isinstance(value, Mapping):
        return {}
    found = ((name, read(value.get(name))) for name, read in fields.items() if name in value)
    return {name: item for name, item in found if item is not None}


def sub_object(fields: Mapping[str, Reader], required: Iterable[str] = ()) -> Reader:
    def read(value: object) -> Optional[Shape]:
        shape = read_mapping(value, fields)
        return shape if shape and all(name in shape for name in required) else None

    return read


def text_of(limit: int, keep_end: bool = False, lines: bool = True) -> Reader:
    def read(value: object) -> Optional[str]:
        if not isinstance(value, str):
            return None
        # Cut before cleaning as well: cleaning megabytes is slow.
        rough = value[-4 * limit :] if keep_end else value[: 4 * limit]
        text = clip(clean(rough, lines), limit, keep_end)
        return text or None

    return read


def number_in(low: int, high: int) -> Reader:
    def read(value: object) -> Optional[int]:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
            return None
        return int(min(max(value, low), high))

    return read


def one_of(words: Iterable[str]) -> Reader:
    allowed = frozenset(words)
    return lambda value: value if isinstance(value, str) and value in allowed else None


def matching(pattern: str, limit: int) -> Reader:
    compiled = re.compile(pattern)

    def read(value: object) -> Optional[str]:
        return value if isinstance(value, str) and len(value) <= limit and compiled.fullmatch(value) else None

    return read


def list_of(read_item: Reader, limit: int) -> Reader:
    def read(value: object) -> Optional[list[Any]]:
        if not isinstance(value, (list, tuple)):
            return None
        return [item for item in map(read_item, value[:limit]) if item is not None]

    return read


def read_time(value: object) -> Optional[str]:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9T:.Z-]{20,27}", value):
        return None
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in value else "%Y-%m-%dT%H:%M:%SZ"
    try:
        datetime.strptime(value, form)
    except ValueError:
        return None
    return value


def json_text(limit: int) -> Reader:
    """JSON text unchanged, because a cut or cleaned one would be another value; None for anything else."""

    def read(value: object) -> Optional[str]:
        if not isinstance(value, str) or len(value) > limit or not value.isprintable():
            return None
        try:
            json.loads(value, parse_int=len, parse_float=len, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return None
        return value

    return read
