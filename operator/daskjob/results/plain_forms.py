"""The values of the standard library that JSON has no type for: the text or array of each, and back."""

from __future__ import annotations

import base64
import collections
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any, Dict, List
from uuid import UUID


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()


def _iso(value: Any) -> str:
    return str(value.isoformat())


def _duration(value: timedelta) -> str:
    return f"P{value.days}DT{value.seconds}.{value.microseconds:06d}S"


def _parse_duration(text: str) -> timedelta:
    found = re.fullmatch(r"P(-?\d+)DT(\d+)\.(\d{6})S", text)
    if found is None:
        raise ValueError(f"not a duration: {text[:80]!r}")
    days, seconds, microseconds = (int(part) for part in found.groups())
    return timedelta(days, seconds, microseconds)


def _parse_range(items: List[int]) -> range:
    """The range with these elements."""
    if len(items) < 2:
        return range(items[0], items[0] + 1) if items else range(0)
    step = items[1] - items[0]
    found = range(items[0], items[-1] + (1 if step > 0 else -1), step)
    if len(found) != len(items) or any(a != b for a, b in zip(found, items)):  # noqa: B905
        raise ValueError("the numbers do not follow each other at one distance")
    return found


#: The text of a value, by its exact type (PurePath: also of subclasses).
SCALARS: Dict[type, Callable[[Any], str]] = {
    bytes: _base64,
    bytearray: _base64,
    datetime: _iso,
    date: _iso,
    time: _iso,
    timedelta: _duration,
    Decimal: str,
    Fraction: str,
    UUID: str,
    complex: repr,
    PurePath: str,
}

#: By type name: how to make the value from its JSON. NumPy's names are in `arrays`, dicts with odd keys in `codec`.
RESTORE: Dict[str, Callable[[Any], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "range": _parse_range,
    "deque": collections.deque,
    "dict:pairs": dict,
    "bytes": base64.b64decode,
    "bytearray": lambda value: bytearray(base64.b64decode(value)),
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": _parse_duration,
    "Decimal": Decimal,
    "Fraction": Fraction,
    "UUID": UUID,
    "complex": complex,
    "Path": Path,
    "float:nan": lambda value: float("nan"),
    "float:inf": lambda value: float("inf"),
    "float:-inf": lambda value: float("-inf"),
}
