"""golden.json holds the form of results: what older versions stored must stay readable, and newer ones store the same.

A case that fails here is a change of the format that docs/results.md specifies.
"""

from __future__ import annotations

import json
import re
from collections import deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy
import pytest

from daskjob.results import codec
from daskjob.results.status_store import StatusStore

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text())
PAGE = Path(__file__).parents[2] / "docs" / "results.md"

VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "integer": 41541750,
    "integer beyond 64 bits": 2**80,
    "float": 0.1,
    "nan": float("nan"),
    "infinities": [float("inf"), float("-inf")],
    "text": "é\n\u202e",
    "list": [1, "a", None],
    "dict": {"a": {"b": [1]}},
    "tuple": (1, (2,)),
    "set": {2, 1},
    "frozenset": frozenset({"a"}),
    "dict with int keys": {1: "a", -2: "b"},
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"hi"),
    "datetime": datetime(2026, 1, 2, 3, 4, 5, 6),
    "datetime in a zone": datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-3, minutes=30))),
    "datetime in UTC": datetime(2026, 1, 2, tzinfo=UTC),
    "date": date(2026, 1, 2),
    "time": time(3, 4, 5),
    "timedelta": timedelta(days=-1, seconds=2, microseconds=3),
    "Decimal": Decimal("1.10"),
    "UUID": UUID(int=5),
    "complex": 1 - 2j,
    "Path": Path("/a/b"),
    "keys that need escapes": {"a/b": (), "~": (), "*": (), "\ud800": (), "": ()},
    "many of one type": [(n,) for n in range(9)],
    "eight of one type": [(n,) for n in range(8)],
    "numpy integer": numpy.int64(3),
    "numpy bool": numpy.bool_(True),
    "numpy nan": numpy.float32("nan"),
    "numpy complex": numpy.complex128(1 + 2j),
    "numpy text": numpy.str_("é"),
    "numpy bytes": numpy.bytes_(b"hi"),
    "numpy date": numpy.datetime64("2026-01-02T03:04:05", "s"),
    "numpy duration": numpy.timedelta64(90, "s"),
    "array of floats": numpy.array([[1.5, numpy.nan], [0.0, -1.0]]),
    "array of integers": numpy.arange(3, dtype=">i2"),
    "array of text": numpy.array(["a", "bc"]),
    "array of dates": numpy.array(["2026-01-02", "NaT"], "M8[D]"),
    "array without elements": numpy.empty((0, 2), "float32"),
    "range": range(3, -3, -2),
    "deque": deque([1, (2,)]),
    "Fraction": Fraction(-1, 3),
    "dict with float keys": {0.5: 1},
    "dict with bool keys": {True: (1,)},
    "dict with dates as keys": {date(2026, 1, 2): 1},
    "dict with keys of NumPy": {numpy.datetime64("2026-01-02"): 1},
    "dict with tuples as keys": {("a", 1): 2.5, None: [1]},
    "array of objects": numpy.array([["a", None], [(1,), 2]], dtype=object),
}


def same(left: Any, right: Any) -> bool:
    """Equal and of the same types all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, numpy.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and str(left) == str(right)
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right) or (left != left and right != right)


def test_every_case_has_its_record() -> None:
    assert list(VALUES) == list(GOLDEN)


@pytest.mark.parametrize("case", VALUES)
def test_a_value_is_stored_as_it_always_was(case: str) -> None:
    assert StatusStore().put(VALUES[case]) == GOLDEN[case]


@pytest.mark.parametrize("case", VALUES)
def test_a_stored_value_comes_back(case: str) -> None:
    assert same(StatusStore().get(GOLDEN[case]), VALUES[case])


def test_the_status_store_is_a_store() -> None:
    store = StatusStore(limit=3)
    assert store.get(store.put([1])) == [1]
    with pytest.raises(codec.TooLarge, match="a list, takes 5 bytes, and 3 are allowed"):
        store.put([1, 2])
    with pytest.raises(codec.NotSerializable, match="a object has no JSON form"):
        store.put(object())


@pytest.mark.parametrize("record", [{"type": "list", "size": 5}, {"type": "int", "value": 1}, {}])
def test_a_record_without_a_value(record: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the result has no value"):
        StatusStore().get(record)


def test_the_page_names_every_type() -> None:
    """Those of the golden records, and those that can be read."""
    names = {re.split(r"[:\[]", name)[0] for record in GOLDEN.values() for name in record.get("types", {}).values()}
    named = {re.split(r"[:\[]", name)[0] for name in re.findall(r"`([^`\n]+)`", PAGE.read_text())}
    assert {name for name in names if not name.startswith("numpy.")} - named == set()
    assert {name for name in codec.RESTORE if name not in PAGE.read_text()} == set()
    assert {"numpy.ndarray", "~0", "~1", "~2", "~3"} - named == set()


def test_every_type_has_a_golden_record() -> None:
    names = {name for record in GOLDEN.values() for name in record.get("types", {}).values()}
    assert codec.RESTORE.keys() - names == set()
