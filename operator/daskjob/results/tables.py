"""Tables and times of pandas in results. Encoding never imports pandas: who returns its values has loaded it.

A reader gets plain JSON: what a table loses (types of columns and indexes) is told by its type name alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

#: Of values in a table no pointer says the type: times are text, and missing values are null, in each column.
UNMARKED = frozenset(
    {"float:nan", "pandas.NaT", "pandas.NA", "pandas.Timestamp", "pandas.Timedelta", "pandas.Period", "pandas.Interval"}
)


def encode_pandas(value: Any) -> tuple[str, int, Callable[[], Any]] | None:
    """The type name of a value of pandas, how many elements it has, and a function that gives its plain value; None if
    it is none that JSON can say. An empty type name: the function gives the reason why it cannot be encoded."""
    pandas: Any = sys.modules.get("pandas")
    if pandas is None:
        return None
    if value is getattr(pandas, "NaT", None) or value is getattr(pandas, "NA", None):
        return f"pandas.{'NaT' if value is pandas.NaT else 'NA'}", 1, lambda: None
    for name in ("Timestamp", "Timedelta"):
        if _is(value, pandas, name):
            return f"pandas.{name}", 1, value.isoformat
    for name in ("Period", "Interval"):
        if _is(value, pandas, name):
            return f"pandas.{name}", 1, lambda: str(value)
    if _is(value, pandas, "Series"):
        return "pandas.Series", value.size, lambda: _series(value)
    if _is(value, pandas, "Index"):
        return "pandas.Index", value.size, lambda: [_key(each) for each in value.tolist()]
    if _is(value, pandas, "DataFrame"):
        problem = _frame_problem(value)
        if problem:
            return "", 0, lambda: problem
        return "pandas.DataFrame", value.size + len(value), lambda: _rows(value)
    extensions = getattr(getattr(pandas, "api", None), "extensions", None)
    if extensions is not None and isinstance(value, extensions.ExtensionArray):
        return "pandas.array", value.size, value.tolist
    return None


def _is(value: Any, pandas: Any, name: str) -> bool:
    # The type is missing while pandas is being imported.
    return isinstance(value, getattr(pandas, name, ()))


def memory_of(value: Any) -> int:
    """The bytes that a table takes in memory, but for what its elements refer to."""
    if not hasattr(value, "memory_usage"):
        return int(value.nbytes)
    usage = value.memory_usage()
    return int(usage if isinstance(usage, int) else usage.sum())


def _counts(index: Any) -> bool:
    """Whether it only numbers the rows."""
    return type(index).__name__ == "RangeIndex" and (index.start, index.step) == (0, 1)


def _series(series: Any) -> Any:
    values = series.tolist()
    if _counts(series.index):
        return values
    keys = series.index.tolist()
    names = [_text(key) for key in keys]
    if series.index.nlevels == 1 and len(set(names)) == len(names):
        return dict(zip(names, values))  # noqa: B905
    return [[_key(key), value] for key, value in zip(keys, values)]  # noqa: B905


def _names(frame: Any) -> list[str]:
    """The names of a frame's columns, those of its index first if that says something."""
    levels = [] if _counts(frame.index) else list(frame.index.names)
    first = ["index"] if levels == [None] else [f"level_{at}" if n is None else _text(n) for at, n in enumerate(levels)]
    return first + [_text(each) for each in frame.columns]


def _frame_problem(frame: Any) -> str:
    if frame.columns.nlevels > 1:
        return "a pandas.DataFrame with several levels of columns: flatten them, or return .stack() of it"
    names = _names(frame)
    twice = [each for at, each in enumerate(names) if each in names[:at]]
    if twice:
        return (
            f"a pandas.DataFrame with two columns named {twice[0][:60]!r}, the index counted: rename one, or return "
            ".reset_index(drop=True) of it"
        )
    return ""


def _rows(frame: Any) -> list[Any]:
    index = frame.index
    levels = [] if _counts(index) else [index.get_level_values(at).tolist() for at in range(index.nlevels)]
    keys = [[_key(each) for each in level] for level in levels]
    columns = keys + [frame.iloc[:, at].tolist() for at in range(len(frame.columns))]
    names = _names(frame)
    return [dict(zip(names, row)) for row in zip(*columns)]  # noqa: B905


def _key(key: Any) -> Any:
    """A value of an index: numbers, texts and tuples of them as they are, others as text."""
    if isinstance(key, tuple):
        return [_key(each) for each in key]
    return key if key is None or isinstance(key, (str, int, float)) else _text(key)


def _text(key: Any) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    return str(key.isoformat()) if hasattr(key, "isoformat") else str(key)
