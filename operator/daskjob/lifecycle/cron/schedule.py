"""When a cron job runs: its schedule and time zone, with the meaning that Kubernetes' CronJob gives them.

cronsim parses the schedule and steps through its times: it is small, typed, has no dependencies, is maintained
(Healthchecks and Home Assistant use it) and can step backwards. croniter, the other maintained library, has three times
the code and was long wrong about daylight saving time. Neither treats daylight saving time as Kubernetes does
(robfig/cron), so this module passes cronsim only wall time without a zone and applies the zone's offsets itself.
tests/lifecycle/test_cron_schedule.py compares the times with robfig/cron's.

Daylight saving time, as in robfig/cron: a run is due whenever a clock on the wall shows its time. A run in the hour
that spring skips does not happen that day; a run in the hour that autumn repeats happens twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
#: The five fields of a schedule: name, least and largest number.
FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 6))
#: One part of a field: `*`, `5`, `MON` or `1-5`, with a step (`/2`) or without.
_PART = re.compile(r"([*?]|(?P<first>[A-Z]{3}|[0-9]{1,2})(-(?P<last>[A-Z]{3}|[0-9]{1,2}))?)(/(?P<step>[0-9]{1,3}))?")
_NAMES = {
    "month": ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    "day of week": ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
}
_SECOND = timedelta(seconds=1)
#: No time zone changes its offset from UTC and changes it back within this time.
_STRIDE = timedelta(days=1)


class ScheduleError(ValueError):
    """The schedule or the time zone cannot be used; the message says why, and what to write."""


def find_zone(name: str | None) -> ZoneInfo:
    """The time zone of that IANA name; None: UTC. Raises ScheduleError if there is no such zone."""
    if name is None:
        return ZoneInfo("UTC")
    # "localtime" is a file beside the zones on some systems, and another zone on every machine.
    if name.lower() not in ("local", "localtime"):
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            pass
    raise ScheduleError(f"unknown time zone {name!r}: write a name such as Europe/Berlin or Etc/UTC")


class Schedule:
    """The times at which a cron job is due. Arguments are aware datetimes in any zone; answers are in UTC."""

    def __init__(self, text: str, zone: ZoneInfo) -> None:
        """Raises ScheduleError, which names the wrong field."""
        self.zone = zone
        self._text = _translate(text)
        if self.next(datetime(2000, 1, 1, tzinfo=UTC)) is None:
            raise ScheduleError(f"{text!r} never comes: no such month has that day")

    def next(self, after: datetime) -> datetime | None:
        """The first scheduled time after `after`; None if there is none in 50 years."""
        start = after.astimezone(UTC).replace(microsecond=0)
        offset = self._offset(start)
        while True:
            # cronsim's wall time is right as long as the offset from UTC stays the same.
            found = next(CronSim(self._text, (start + offset).replace(tzinfo=None)), None)
            if found is None:
                return None
            moment = found.replace(tzinfo=UTC) - offset
            change = self._change(start + _SECOND, moment, offset)
            if change is None:
                return moment
            start, offset = change - _SECOND, self._offset(change)

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """The last scheduled time after `after` and not later than `until`; None if there is none."""
        start = until.astimezone(UTC).replace(microsecond=0) + _SECOND
        offset = self._offset(until)
        while start > after:
            found = next(CronSim(self._text, (start + offset).replace(tzinfo=None), reverse=True), None)
            if found is None:
                return None
            moment = max(found.replace(tzinfo=UTC) - offset, after.astimezone(UTC))
            change = self._change(start - _SECOND, moment, offset)
            if change is None:
                return moment if moment > after else None
            start, offset = change + _SECOND, self._offset(change)
        return None

    def times(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The scheduled times after `after` and not later than `until`, in order."""
        moment = self.next(after)
        while moment is not None and moment <= until:
            yield moment
            moment = self.next(moment)

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.zone).utcoffset() or timedelta(0)

    def _change(self, start: datetime, end: datetime, offset: timedelta) -> datetime | None:
        """The first second from `start` to `end` (which may be the earlier one), both included, at which the zone has
        another offset than `offset`; None if there is none. At `start` the zone has `offset`."""
        stride, step = (_STRIDE, _SECOND) if end >= start else (-_STRIDE, -_SECOND)
        same = start
        while same != end:
            other = same + stride if abs(end - same) > _STRIDE else end
            if self._offset(other) == offset:
                same = other
                continue
            while abs(other - same) > _SECOND:
                middle = same + step * ((abs(other - same) // _SECOND) // 2)
                same, other = (middle, other) if self._offset(middle) == offset else (same, middle)
            return other
        return None


def _translate(text: str) -> str:
    """The schedule in cronsim's syntax. Raises ScheduleError for a schedule that Kubernetes refuses as well."""
    if "TZ" in text:
        raise ScheduleError(f"{text!r}: write the time zone into timeZone, not into the schedule")
    if text.startswith("@"):
        if text not in MACROS:
            raise ScheduleError(f"unknown schedule {text!r}: write five fields, or one of {', '.join(MACROS)}")
        return MACROS[text]
    fields = text.split()
    if len(fields) != len(FIELDS):
        raise ScheduleError(
            f"{text!r} has {len(fields)} fields: write five (minute, hour, day of month, month, day of week), or one "
            f"of {', '.join(MACROS)}"
        )
    translated = " ".join(_field(each, index) for index, each in enumerate(fields))
    try:
        CronSim(translated, datetime(2000, 1, 1))
    except CronSimError as error:
        # The fields are right one by one: together they name a day that no such month has.
        raise ScheduleError(f"{text!r} never comes: no such month has that day") from error
    return translated


def _field(text: str, index: int) -> str:
    """One field in cronsim's syntax. Where robfig/cron and cronsim read the same text differently, the field is written
    in a form that both read alike."""
    _, least, largest = FIELDS[index]
    parts = []
    for each in text.upper().split(","):
        match = _PART.fullmatch(each)
        if match is None:
            raise _wrong(text, index)
        step = int(match["step"] or 1)
        if match["first"] is None and step == 1:
            # `*` anywhere in a list means any day: then the other one of the two day fields decides alone.
            parts.append("*")
            continue
        first = least if match["first"] is None else _number(match["first"], index)
        if match["last"] is not None:
            last = _number(match["last"], index)
        else:
            last = first if match["step"] is None else largest
        if not (step and least <= first <= last <= largest):
            raise _wrong(text, index)
        parts.append(str(first) if first == last else f"{first}-{last}/{step}")
    return "*" if "*" in parts else ",".join(parts)


def _number(text: str, index: int) -> int:
    """The number that a number or a name stands for; -1 for an unknown name."""
    name, least, _ = FIELDS[index]
    names = _NAMES.get(name, [])
    if text.isdigit():
        return int(text)
    return names.index(text) + least if text in names else -1


def _wrong(text: str, index: int) -> ScheduleError:
    name, least, largest = FIELDS[index]
    names = {"month": " or JAN to DEC", "day of week": " (Sunday is 0) or SUN to SAT"}.get(name, "")
    return ScheduleError(
        f"{text!r} is no {name}: write *, a number from {least} to {largest}{names}, a range 1-5, a step */2, or a "
        "list 1,3 of these"
    )
