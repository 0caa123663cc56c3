"""Results as JSON: nothing is lost on the way, and what cannot be said is refused by name."""

from __future__ import annotations

import collections
import contextlib
import enum
import json
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daskjob import wire
from daskjob.results import codec
from daskjob.runner.execute import _replace


def joined(text: str) -> str:
    """With the two halves of a character as that character: JSON cannot tell the one from the other."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


TEXT = st.text(st.characters(), max_size=20).map(joined)
HASHABLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    TEXT,
    st.binary(max_size=20),
    st.datetimes(timezones=st.none() | st.just(UTC) | st.just(timezone(timedelta(hours=-3, minutes=7)))),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.complex_numbers(allow_nan=False),
)
SCALARS = st.one_of(HASHABLE, st.binary(max_size=9).map(bytearray), st.just(PurePosixPath("/a/b")))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=12),
        st.lists(inner, max_size=12).map(tuple),
        st.dictionaries(TEXT, inner, max_size=12),
        st.dictionaries(st.integers(), inner, max_size=12),
        st.dictionaries(HASHABLE, inner, max_size=12),
        st.dictionaries(st.dates(), inner, max_size=12),
        st.dictionaries(st.booleans() | st.tuples(TEXT, st.integers()), inner, max_size=12),
        st.sets(HASHABLE, max_size=12),
        st.frozensets(st.tuples(HASHABLE), max_size=12),
    ),
    max_leaves=25,
)


def round_trip(value: Any) -> Any:
    result = codec.encode(value)
    text = json.dumps(result)
    assert wire.parse_report({"result": json.loads(text)}) == {"result": result}
    json.loads(result["value"], parse_int=str, parse_constant=pytest.fail)
    return codec.decode(result["value"], result.get("types"))


def same(left: Any, right: Any) -> bool:
    """Equal and of the same types all the way down."""
    if type(left) is not type(right) and not isinstance(left, PurePosixPath):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return math.copysign(1, left) == math.copysign(1, right) and left == right
    return bool(left == right)


@given(VALUES)
def test_round_trip(value):
    assert same(value, round_trip(value))


DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(sizes=(16, 32, 64), endianness="?"),
    hnp.complex_number_dtypes(sizes=(64, 128)),
    hnp.datetime64_dtypes(),
    hnp.timedelta64_dtypes(),
    hnp.byte_string_dtypes(max_len=5),
    hnp.unicode_string_dtypes(max_len=5),
)


@given(DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))))
def test_round_trip_of_arrays(array):
    back = round_trip(array)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    numpy.testing.assert_array_equal(back, array)


@given(DTYPES.flatmap(hnp.from_dtype))
def test_round_trip_of_numpy_scalars(scalar):
    back = round_trip({"a": scalar})["a"]
    assert back.dtype.kind == scalar.dtype.kind
    numpy.testing.assert_array_equal(back, scalar)


class Point(NamedTuple):
    x: int
    y: int


class Color(enum.IntEnum):
    RED = 1


TABLE = {
    "int": (41541750, "int", "41541750", None),
    "none": (None, "NoneType", "null", None),
    "true": (True, "bool", "true", None),
    "text": ("é\n", "str", '"é\\n"', None),
    "text with marks": ("a\u202e\ud800b", "str", '"a\\u202e\\ud800b"', None),
    "nan": (float("nan"), "float:nan", "null", {"": "float:nan"}),
    "infinity": ([float("-inf")], "list", "[null]", {"/0": "float:-inf"}),
    "tuple": ((1, 2), "tuple", "[1,2]", {"": "tuple"}),
    "bytes": ({"a/b~*": b"hi"}, "dict", '{"a/b~*":"aGk="}', {"/a~1b~0*": "bytes"}),
    "lone surrogate": ({"\ud800": ()}, "dict", '{"\\ud800":[]}', {"/~3d800": "tuple"}),
    "two halves": ({"\ud83d\ude00": ()}, "dict", '{"\\ud83d\\ude00":[]}', {"/\U0001f600": "tuple"}),
    "not a surrogate": ({"~3d800\n": ()}, "dict", '{"~3d800\\n":[]}', {"/~03d800\n": "tuple"}),
    "star": ({"*": b""}, "dict", '{"*":""}', {"/~2": "bytes"}),
    "int keys": ({1: "a"}, "dict[int]", '{"1":"a"}', {"": "dict[int]"}),
    "numpy keys": ({numpy.int64(1): 2}, "dict[int]", '{"1":2}', {"": "dict[int]"}),
    "many tuples": ([(n,) for n in range(9)], "list", "[[0],[1],[2],[3],[4],[5],[6],[7],[8]]", {"/*": "tuple"}),
    "numpy scalar": (numpy.int64(3), "numpy.int64", "3", {"": "numpy.int64"}),
    "numpy nan": (numpy.float32("nan"), "numpy.float32:nan", "null", {"": "numpy.float32:nan"}),
    "array": (numpy.array([[1.5, numpy.nan]]), "numpy.ndarray:<f8", "[[1.5,null]]", {"": "numpy.ndarray:<f8"}),
    "empty array": (numpy.empty((0, 2)), "numpy.ndarray:<f8:0,2", "[]", {"": "numpy.ndarray:<f8:0,2"}),
    "duration": (timedelta(1, 2, 3), "timedelta", '"P1DT2.000003S"', {"": "timedelta"}),
    "named tuple": (Point(1, 2), "tuple", "[1,2]", {"": "tuple"}),
    "enum": ([Color.RED], "list", "[1]", None),
}


@pytest.mark.parametrize("case", TABLE)
def test_form(case):
    value, type_name, text, types = TABLE[case]
    result = codec.encode(value)
    assert (result["type"], result["value"], result.get("types")) == (type_name, text, types)
    assert result["size"] == len(text.encode())
    assert result["sha256"] == codec.sha256(text.encode())


def test_a_lone_surrogate_in_a_key_is_not_lost_in_a_report():
    for value in ({"\ud800": ()}, {"a\udfff/~": {"*": b"", "\ud800\ud800": (1,)}}, {"~3d800": (), "\ud800": 1}):
        assert same(value, round_trip(value))


def test_two_halves_of_a_character_become_that_character():
    assert same(round_trip({"\ud83d\ude00": ()}), {"\U0001f600": ()})


def test_subclasses_count_as_their_base():
    assert round_trip(collections.OrderedDict(a=1)) == {"a": 1}
    assert round_trip(collections.Counter("aab")) == {"a": 2, "b": 1}
    assert round_trip([date(2020, 1, 2), time(3), datetime(2020, 1, 1), Decimal("1.10"), UUID(int=5)])


def test_integers_of_any_size():
    value = -(10**20000) + 7
    assert round_trip([value, {value: 1}]) == [value, {value: 1}]


def cyclic() -> Any:
    value: dict[str, Any] = {"a": [1]}
    value["a"].append(value)
    return value


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


REFUSED = {
    "object": ({"a": [0, 1, 2, object()]}, r"^\$\.a\[3\]: a object has no JSON form: return numbers"),
    "odd name": ({"a b": object()}, r'^\$\["a b"\]: a object'),
    "function": (round_trip, "a function has no JSON form: return what it gives"),
    "generator": ((x for x in ()), r"list\(\.\.\.\)"),
    "cycle": (cyclic(), r"^\$\.a\[1\]: contains itself"),
    "deep": (nested(65), "nested deeper than 64 levels"),
    "keys": ({object(): 3}, r"^\$\[key 0\]\[0\]: a object has no JSON form"),
    "enum": (enum.Enum("E", {"A": object()}).A, "a object has no JSON form"),
    "object array": (numpy.array([object()]), r"^\$\[0\]: a object has no JSON form"),
    "array of one object": (numpy.array(None), "dtype object has no JSON form"),
    "masked array": (numpy.ma.array([1]), "MaskedArray has no JSON form: return a plain array"),
    "record array": (numpy.zeros(1, "i4,f4"), "has no JSON form"),
    "wide float": (numpy.longdouble(1), "wider than JSON"),
    "subclass of datetime": (type("Stamp", (datetime,), {})(2020, 1, 1), "Stamp has no JSON form"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    value, message = REFUSED[case]
    with pytest.raises(codec.NotSerializable, match=message):
        codec.encode(value)


@pytest.mark.parametrize("kind", [dict, list, collections.deque])
def test_what_changes_while_it_is_written_is_as_it_was(kind):
    """As another thread of the job may change it: no key has another one's value, and nothing is without end."""

    class Changes(list[Any]):
        def __iter__(self):
            if kind is dict:
                whole["more"] = whole.pop("b", None)
            else:
                whole.append(self)
            return super().__iter__()

    items = [Changes([0]), 1, 2]
    whole: Any = dict(zip("abc", items, strict=True)) if kind is dict else kind(items)
    expected = {"a": [0], "b": 1, "c": 2} if kind is dict else [[0], 1, 2]
    assert json.loads(codec.encode(whole)["value"]) == expected


def test_futures_are_looked_for_in_what_changes_meanwhile():
    whole: dict[str, Any] = {"a": [1], "b": 2}

    def wanted(item):
        whole.setdefault(f"x{len(whole)}", 3)
        whole["a"].append(4)
        return item == 2

    assert _replace(whole, wanted, lambda item: item * 10) == {"a": [1, 4, 4], "b": 20, "x2": 3}


def test_deepest():
    assert round_trip(nested(64)) == nested(64)


def test_too_large():
    assert codec.encode("é" * 10, limit=22)["size"] == 22
    with pytest.raises(codec.TooLarge, match="a str, takes 24 bytes, and 22 are allowed") as caught:
        codec.encode("é" * 11, limit=22)
    assert (caught.value.type, caught.value.size) == ("str", 24)
    with pytest.raises(codec.TooLarge) as caught:
        codec.encode({"a": numpy.zeros((1000, 1000))})
    assert (caught.value.type, caught.value.size) == ("dict", 8_000_000)
    with pytest.raises(codec.TooLarge, match="takes 600006 bytes where Kubernetes stores it, and 524288 are allowed"):
        codec.encode("<" * 100_000)
    with pytest.raises(codec.TooLarge, match="types"):
        codec.encode([(1,), [1]] * 10_000)


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_decode_raises_nothing_but_value_errors(value, types):
    with contextlib.suppress(ValueError):
        codec.decode(value, types)


NAMES = ["tuple", "set", "bytes", "datetime", "dict[int]", "numpy.int8", "numpy.ndarray:<i8", "numpy.datetime64[ns]"]


@given(VALUES, st.dictionaries(st.sampled_from(["", "/0", "/*", "/a"]), st.sampled_from(NAMES)))
def test_decode_of_types_that_do_not_fit(value, types):
    with contextlib.suppress(ValueError):
        codec.decode(codec.encode(value)["value"], types)
