"""JSON from the API server, whatever is in it and wherever it is cut into pieces."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.streams.depth import MOST_LEVELS, TOO_DEEP, UNREADABLE
from daskjob.streams.shallow_json import ListPage, parse

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
OBJECTS = st.dictionaries(st.text().filter(lambda key: key != "items"), VALUES)


def deep(levels: int, *, kind: str = "[]") -> bytes:
    opening, closing = (b"[", b"]") if kind == "[]" else (b'{"a":', b"}")
    return opening * levels + (b"" if kind == "[]" else b"1") + closing * levels


def whole(text: bytes) -> dict[str, Any]:
    return ListPage(lambda item: item).read([text])


@given(OBJECTS, st.lists(OBJECTS), st.data())
def test_a_page_is_what_was_written_wherever_it_is_cut(
    head: dict[str, Any], items: list[Any], data: st.DataObject
) -> None:
    page = {**head, "items": items, "after": {"items": [1]}}
    text = json.dumps(page).encode()
    cut = data.draw(st.integers(0, len(text)))
    read = ListPage(lambda item: item).read([text[:cut], text[cut:]])
    assert _same(read, page)


@given(OBJECTS)
def test_what_is_no_list_is_read_as_well(document: dict[str, Any]) -> None:
    assert _same(whole(json.dumps(document).encode()), document)


def test_items_are_kept_one_by_one() -> None:
    kept = ListPage(lambda item: {"n": item["n"]} if item["n"] else None)
    assert kept.read([b'{"items":[{"n":0,"x":1},{"n":1,"x":2}],"metadata":{"continue":"c"}}']) == {
        "items": [{"n": 1}],
        "metadata": {"continue": "c"},
    }


@pytest.mark.parametrize("kind", ["[]", "{}"])
@pytest.mark.parametrize("levels", [MOST_LEVELS, 9_990, 200_000])
def test_a_deep_item_costs_only_itself(levels: int, kind: str) -> None:
    text = b'{"items":[{"metadata":{"name":"a"},"x":%s,"y":1},{"metadata":{"name":"b"}}]}' % deep(levels, kind=kind)
    first, second = whole(text)["items"]
    assert (first["metadata"], first["y"], first[UNREADABLE]) == ({"name": "a"}, 1, TOO_DEEP)
    assert second == {"metadata": {"name": "b"}}


def test_an_item_that_is_not_too_deep() -> None:
    (item,) = whole(b'{"items":[{"x":%s}]}' % deep(MOST_LEVELS - 1))["items"]
    assert UNREADABLE not in item


@pytest.mark.parametrize("kind", ["[]", "{}"])
def test_a_deep_object_and_a_deep_watch_event_are_read_without_what_is_deep(kind: str) -> None:
    body = b'{"metadata":{"name":"a"},"x":%s,"y":1}' % deep(200_000, kind=kind)
    assert (parse(body)["metadata"], parse(body)["y"], parse(body)[UNREADABLE]) == ({"name": "a"}, 1, TOO_DEEP)
    event = parse(b'{"type":"ADDED","object":%s}' % body)
    assert (event["type"], event["object"]["y"], event["object"][UNREADABLE]) == ("ADDED", 1, TOO_DEEP)


@pytest.mark.parametrize("kind", ["[]", "{}"])
@pytest.mark.parametrize("levels", [*range(MOST_LEVELS - 3, MOST_LEVELS + 3), 200, 900, 1_100, 9_990])
def test_a_watch_reads_of_an_object_what_a_list_does(levels: int, kind: str) -> None:
    body = b'{"metadata":{"name":"a"},"x":%s,"y":1}' % deep(levels, kind=kind)
    event = parse(b'{"type":"ADDED","object":%s}' % body, around=1)
    (item,) = whole(b'{"items":[%s]}' % body)["items"]
    assert event == {"type": "ADDED", "object": item}
    assert (UNREADABLE in item) == (levels >= MOST_LEVELS)


@pytest.mark.parametrize("text", [b"", b"{", b'{"items":[{"a":1}', b"[1,2]", b'{"a":1} {"b":2}', b"\xff"])
def test_what_is_no_page_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="JSON"):
        whole(text)


def _same(one: Any, other: Any) -> bool:
    """Whether they are equal, types included, but for whole floats: JSON does not tell 1.0 from 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-15)
    return bool(one == other)
