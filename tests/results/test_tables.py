"""Results that pandas made, as most of what computes with DataFrames ends in one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

from daskjob.results import codec

PAGE = Path(__file__).parents[2] / "docs" / "results.md"
DAYS = pandas.date_range("2026-01-01", periods=3)
FRAME = pandas.DataFrame({"day": [DAYS[0], pandas.NaT, DAYS[2]], "shop": list("aba"), "sum": [1, 2, 4]})
LEVELS = FRAME.groupby(["shop", "sum"])["sum"].sum()
D0, D1, D2 = (f"2026-01-0{day}T00:00:00" for day in (1, 2, 3))

#: The value, and the result's type and JSON.
KEPT: dict[str, tuple[Any, str, Any]] = {
    "a sum by group": (FRAME.groupby("shop")["sum"].sum(), "pandas.Series", {"a": 5, "b": 2}),
    "a mean by day": (FRAME.groupby("day")["sum"].mean(), "pandas.Series", {D0: 1.0, D2: 4.0}),
    "by two": (LEVELS, "pandas.Series", [[["a", 1], 1], [["a", 4], 4], [["b", 2], 2]]),
    "by numbers": (pandas.Series([1.5, None], index=[10, 20]), "pandas.Series", {"10": 1.5, "20": None}),
    "an index that is not unique": (pandas.Series([1, 2], index=["a", "a"]), "pandas.Series", [["a", 1], ["a", 2]]),
    "keys of the same text": (pandas.Series([1, 2], index=[1, "1"]), "pandas.Series", [[1, 1], ["1", 2]]),
    "a column": (FRAME["day"], "pandas.Series", [D0, None, D2]),
    "integers that may miss": (pandas.Series([1, None], dtype="Int64"), "pandas.Series", [1, None]),
    "categories": (pandas.Series(list("ab"), dtype="category"), "pandas.Series", ["a", "b"]),
    "yes and no": (pandas.Series([True, False]), "pandas.Series", [True, False]),
    "periods as index": (
        pandas.Series([1], index=pandas.period_range("2026-01", periods=1, freq="M")),
        "pandas.Series",
        {"2026-01": 1},
    ),
    "nothing": (pandas.Series([], dtype=float), "pandas.Series", []),
    "counts": (FRAME["shop"].value_counts(), "pandas.Series", {"a": 2, "b": 1}),
    "a frame": (
        FRAME,
        "pandas.DataFrame",
        [
            {"day": D0, "shop": "a", "sum": 1},
            {"day": None, "shop": "b", "sum": 2},
            {"day": D2, "shop": "a", "sum": 4},
        ],
    ),
    "a frame with an index": (
        FRAME.groupby("shop")[["sum"]].sum(),
        "pandas.DataFrame",
        [{"shop": "a", "sum": 5}, {"shop": "b", "sum": 2}],
    ),
    "a frame by days": (
        pandas.DataFrame({"n": [1, 2]}, index=DAYS[:2]),
        "pandas.DataFrame",
        [{"index": D0, "n": 1}, {"index": D1, "n": 2}],
    ),
    "a description": (
        pandas.DataFrame({"n": [1.0, 3.0]}).agg(["min", "max"]),
        "pandas.DataFrame",
        [{"index": "min", "n": 1.0}, {"index": "max", "n": 3.0}],
    ),
    "columns that are numbers": (
        pandas.DataFrame(numpy.eye(2, dtype=int)),
        "pandas.DataFrame",
        [{"0": 1, "1": 0}, {"0": 0, "1": 1}],
    ),
    "a frame without columns": (pandas.DataFrame(index=range(2)), "pandas.DataFrame", []),
    "an index": (DAYS[:1], "pandas.Index", [D0]),
    "columns": (FRAME.columns, "pandas.Index", ["day", "shop", "sum"]),
    "a time": (DAYS[1], "pandas.Timestamp", D1),
    "a duration": (pandas.Timedelta(days=1, hours=2), "pandas.Timedelta", "P1DT2H0M0S"),
    "no time": (pandas.NaT, "pandas.NaT", None),
    "no value": (pandas.NA, "pandas.NA", None),
    "a month": (pandas.Period("2026-01"), "pandas.Period", "2026-01"),
    "from to": (pandas.Interval(0, 1), "pandas.Interval", "(0, 1]"),
    "what is there once": (FRAME["shop"].astype("category").unique(), "pandas.array", ["a", "b"]),
    "months": (pandas.Series(pandas.period_range("2026-01", periods=1, freq="M")), "pandas.Series", ["2026-01"]),
}


@pytest.mark.parametrize(("value", "type_name", "plain"), KEPT.values(), ids=KEPT)
def test_kept(value: Any, type_name: str, plain: Any) -> None:
    record = codec.encode(value)
    assert (record["type"], json.loads(record["value"])) == (type_name, plain)
    assert record["types"] == {"": type_name}
    assert codec.decode(record["value"], record["types"]) == plain, "a reader without pandas gets JSON"


def test_records_of_a_frame() -> None:
    """What people return in its place: times are marked, and so is what is missing."""
    record = codec.encode(FRAME.to_dict("records"))
    assert [row["day"] for row in json.loads(record["value"])] == [D0, None, D2]
    assert record["types"]["/0/day"] == "pandas.Timestamp"
    assert record["types"]["/1/day"] == "pandas.NaT"


def test_a_frame_among_other_values() -> None:
    record = codec.encode({"rows": FRAME[["sum"]], "by": (FRAME["sum"].sum(),)})
    assert json.loads(record["value"]) == {"rows": [{"sum": 1}, {"sum": 2}, {"sum": 4}], "by": [7]}


REFUSED = {
    "a model in a column": (pandas.Series([object()]), r"^\$\[0\]: a object has no JSON form"),
    "two columns of a name": (pandas.DataFrame([[1, 2]], columns=["a", "a"]), "two columns named 'a'.*rename one"),
    "an index of a column's name": (
        FRAME.set_index("shop", drop=False),
        r"two columns named 'shop'.*reset_index\(drop=True\)",
    ),
    "several levels of columns": (
        FRAME.groupby("shop").agg({"sum": ["min", "max"]}),
        "several levels of columns: flatten",
    ),
}


@pytest.mark.parametrize(("value", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_with_advice(value: Any, message: str) -> None:
    with pytest.raises(codec.NotSerializable, match=message):
        codec.encode(value)


def test_the_advice_works() -> None:
    frame = FRAME.groupby("shop").agg({"sum": ["min", "max"]})
    codec.encode(frame.stack(future_stack=True))
    codec.encode(FRAME.set_index("shop", drop=False).reset_index(drop=True))


def test_times_as_keys() -> None:
    record = codec.encode({DAYS[0]: 1, DAYS[1]: 2})
    assert (record["value"], record["type"]) == (f'{{"{D0}":1,"{D1}":2}}', "dict[pandas.Timestamp]")
    record = codec.encode(FRAME.set_index("day")["sum"].to_dict())
    assert json.loads(record["value"]) == [[D0, 1], [None, 2], [D2, 4]]


@pytest.mark.parametrize("kind", [pandas.Series, pandas.DataFrame, pandas.Index])
def test_a_large_one_is_not_even_converted(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    value = kind(numpy.zeros(200_000))
    monkeypatch.setattr(kind, "tolist", None, raising=False)
    with pytest.raises(codec.TooLarge) as refused:
        codec.encode(value)
    assert refused.value.size >= 1_600_000


def test_the_page_names_every_type() -> None:
    named = set(re.findall(r"`(pandas\.\w+)`", PAGE.read_text()))
    assert named == {name for _, name, _ in KEPT.values()}
