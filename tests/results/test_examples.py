"""The table of forms on docs/results.md: each line of it is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy
import pytest

from daskjob.results import codec
from daskjob.results.status_store import StatusStore
from daskjob.results.unfit_values import KEEP_PICKLED

from .example_names import NAMES

PAGE = (Path(__file__).parents[2] / "docs" / "results.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table with this heading, without their marks."""
    table = PAGE.split(heading, 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    found = [re.split(r"(?<!\\) ?\| ?", line.strip())[1:-1] for line in table]
    return [[cell.replace("\\|", "|").strip() for cell in cells] for cells in found]


def code(cell: str) -> str:
    assert cell[0] == cell[-1] == "`", cell
    return cell[1:-1]


def evaluated(cell: str) -> Any:
    return eval(code(cell), dict(NAMES))


def same(left: Any, right: Any) -> bool:
    """Equal and of the same types all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, numpy.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and same(left.tolist(), right.tolist())
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right) or (left != left and right != right)


KEPT, REFUSED = rows("| A graph's result | is in `value` |"), rows("| A graph's result | what the message says |")


def test_the_tables_are_there() -> None:
    assert len(KEPT) > 50
    assert len(REFUSED) > 5


@pytest.mark.parametrize("row", KEPT, ids=lambda row: row[0])
def test_kept(row: list[str]) -> None:
    given, text, back = row
    value = evaluated(given)
    record = StatusStore().put(value)
    assert record["value"] == code(text)
    found = StatusStore().get(record)
    assert same(found, value if back == "itself" else evaluated(back))


@pytest.mark.parametrize("row", KEPT, ids=lambda row: row[0])
def test_kept_in_other_values(row: list[str]) -> None:
    """Between its equals, as a dict's value, and in what a collapsed pointer stands for."""
    given, _, back = row
    values = [evaluated(given) for _ in range(10)]
    wanted = [value if back == "itself" else evaluated(back) for value in values]
    record = codec.encode({"many": values, "deep": {"er": (values[0], 1)}})
    found = codec.decode(record["value"], record.get("types"))
    assert same(found, {"many": wanted, "deep": {"er": (wanted[0], 1)}})


@pytest.mark.parametrize("row", KEPT, ids=lambda row: row[0])
def test_what_comes_back_as_itself_is_exact(row: list[str]) -> None:
    """The client pickles the others, so that a future gives what the function returned."""
    value, exact = evaluated(row[0]), StatusStore(exact=True)
    if row[2] == "itself":
        assert exact.put(value) == StatusStore().put(value)
    else:
        with pytest.raises(codec.NotSerializable, match="does not come back from JSON as it was"):
            exact.put(value)


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row[0])
def test_refused(row: list[str]) -> None:
    with pytest.raises(codec.NotSerializable) as refused:
        codec.encode(evaluated(row[0]))
    for part in row[1].split("; "):
        assert part in str(refused.value)
    assert (KEEP_PICKLED in str(refused.value)) == ("list(...)" not in row[1]), "no pickle holds a generator"


def test_every_mistake_at_once() -> None:
    """Places of one kind together, within what a failure's message may have."""
    kinds = [type(f"Model{number}", (), {}) for number in range(40)]
    with pytest.raises(codec.NotSerializable) as refused:
        codec.encode({"models": [kinds[0]() for _ in range(50)], "others": [kind() for kind in kinds]})
    text = str(refused.value)
    assert text.startswith(f"$.models[0], $.models[1], $.models[2] and 48 more: a {__name__}.Model0 has no JSON form")
    assert f"$.others[1]: a {__name__}.Model1 has" in text
    assert re.search(r"and \d+ more kinds of values", text)
    assert text.endswith(KEEP_PICKLED)
    assert len(text.encode()) <= 1024


def test_a_mistake_in_something_too_large_is_named_first() -> None:
    with pytest.raises(codec.NotSerializable, match=r"^\$\[0\]: a object"):
        codec.encode([object(), numpy.zeros(1_000_000)])


@pytest.mark.parametrize("value", [range(10**30), range(10**30, 0, -7), range(-(10**9), 10**9)], ids=str)
def test_a_range_too_long_is_not_even_converted(value: range) -> None:
    with pytest.raises(codec.TooLarge, match="the result, a range, takes"):
        codec.encode(value)


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("[[[1],2]]", {"": "dict:pairs"}),
        ('{"yes": 1}', {"": "dict[bool]"}),
        ('["a"]', {"": "dict[float]"}),
        ("[1,2,4]", {"": "range"}),
        ("[1,1]", {"": "range"}),
        ("[1,2]", {"": "numpy.ndarray[object]:99999999999"}),
        ("[1,2]", {"": "numpy.ndarray[object]:2,1"}),
    ],
)
def test_forged_types_are_no_values(text: str, types: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="not a"):
        codec.decode(text, types)
