"""Tables of jobs and cron jobs, with the columns of `kubectl get`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from daskjob.api.times import from_text
from daskjob.wire import clean

Body = Mapping[str, Any]
#: The longest text of a cell.
CELL = 60


def _at(*path: str) -> Callable[[Body, datetime], str]:
    """The field at a path as text, empty if there is none."""

    def cell(job: Body, now: datetime) -> str:
        value: Any = job
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    return cell


def _since(*path: str) -> Callable[[Body, datetime], str]:
    """The time since the moment at a path."""
    text = _at(*path)

    def cell(job: Body, now: datetime) -> str:
        return duration(text(job, now), now)

    return cell


#: Heading, cell, and whether it is for -o wide only: those of the definitions in crds/.
JOB_COLUMNS = (
    ("NAME", _at("metadata", "name"), False),
    ("PHASE", _at("status", "phase"), False),
    ("PROGRESS", _at("status", "progress", "summary"), False),
    ("WORKERS", _at("status", "cluster", "summary"), False),
    ("RESULT", _at("status", "summary"), False),
    ("AGE", _since("metadata", "creationTimestamp"), False),
    ("ENTRYPOINT", _at("spec", "graph", "entrypoint"), True),
    ("ATTEMPT", _at("status", "attempt"), True),
    ("STARTED", _since("status", "startTime"), True),
    ("FINISHED", _since("status", "completionTime"), True),
)
CRON_COLUMNS = (
    ("NAME", _at("metadata", "name"), False),
    ("SCHEDULE", _at("spec", "schedule"), False),
    ("TIMEZONE", _at("spec", "timeZone"), False),
    ("SUSPEND", _at("spec", "suspend"), False),
    ("ACTIVE", _at("status", "activeCount"), False),
    ("LAST SCHEDULE", _since("status", "lastScheduleTime"), False),
    ("AGE", _since("metadata", "creationTimestamp"), False),
    ("NEXT SCHEDULE", _at("status", "nextScheduleTime"), True),
    ("LAST SUCCESS", _since("status", "lastSuccessfulTime"), True),
)
Columns = Sequence[tuple[str, Callable[[Body, datetime], str], bool]]


def rows(
    objects: Sequence[Body], columns: Columns, now: datetime, *, wide: bool = False, namespaces: bool = False
) -> list[list[str]]:
    """The heading, and a row for each object. `namespaces`: with the namespace first."""
    chosen = [(heading, cell) for heading, cell, only_wide in columns if wide or not only_wide]
    if namespaces:
        chosen.insert(0, ("NAMESPACE", _at("metadata", "namespace")))
    table = [[heading for heading, _ in chosen]]
    table += [[_short(cell(each, now), wide) for _, cell in chosen] for each in objects]
    return table


def lay_out(table: Sequence[Sequence[str]], widths: Sequence[int] = ()) -> tuple[list[str], list[int]]:
    """The lines, with columns below each other, and their widths, at least those given."""
    found = [max(len(each) for each in column) for column in zip(*table, strict=True)]
    found = [max(pair) for pair in zip(found, widths or found, strict=True)]
    lines = ["   ".join(cell.ljust(width) for cell, width in zip(row, found, strict=True)).rstrip() for row in table]
    return lines, found


def duration(text: str, now: datetime) -> str:
    """`2m`, `3h20m`: the time since a moment, in at most two units; empty if the text is none."""
    moment = from_text(text)
    if moment is None:
        return ""
    left = max(0, int((now - moment.astimezone(UTC)).total_seconds()))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
        elif parts:
            break
    # Seconds are of no use beside days, nor minutes beside weeks.
    return "".join(parts[:2])


def _short(text: str, wide: bool) -> str:
    text = clean(text, lines=False)
    return text if wide or len(text) <= CELL else text[: CELL - 1] + "…"
