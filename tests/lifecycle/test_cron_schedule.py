"""Schedules come when Kubernetes' CronJob would have them come, daylight saving included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskjob.lifecycle.cron.schedule import MACROS, Schedule, ScheduleError, find_zone

#: What robfig/cron, the library of Kubernetes' controller, says of some 300 schedules: see robfig/main.go. A slip of it
#: is left out: where clocks skip midnight (Santiago, Cairo), it forgets to ask whether the schedule has the new day.
TABLE = (Path(__file__).parent / "robfig" / "table.txt").read_text().splitlines()[1:]
MINUTE = timedelta(minutes=1)


def schedule(text: str, zone: str = "UTC") -> Schedule:
    return Schedule(text, find_zone(zone))


def local(text: str, zone: str, after: str, count: int) -> list[str]:
    """The next times as a clock there shows them, with the offset."""
    times, moment = [], datetime.fromisoformat(after)
    for _ in range(count):
        found = schedule(text, zone).next(moment)
        assert found is not None
        moment = found
        times.append(moment.astimezone(find_zone(zone)).strftime("%m-%d %H:%M %z"))
    return times


@pytest.mark.parametrize("line", TABLE, ids=lambda line: line.rpartition(" |")[0])
def test_as_kubernetes_has_it(line: str) -> None:
    text, zone, after, told = line.split(" | ", 3) if not line.endswith(" |") else (*line[:-2].split(" | "), "")
    if told == "refused":
        with pytest.raises(ScheduleError):
            schedule(text, zone)
        return
    if not told:
        # Read by Kubernetes, and never run: here a mistake that is told of.
        with pytest.raises(ScheduleError, match="never comes"):
            schedule(text, zone)
        return
    start = moment = datetime.fromisoformat(after)
    for each in told.split():
        wanted = datetime.fromisoformat(each.strip())
        found = schedule(text, zone).next(moment)
        assert found == wanted
        assert schedule(text, zone).latest(start, wanted) == wanted
        assert schedule(text, zone).latest(moment, wanted - timedelta(seconds=1)) is None
        moment = wanted


SKIPPED = {
    "Europe/Berlin": ("2026-03-28T00:00Z", ["03-28 02:30 +0100", "03-30 02:30 +0200", "03-31 02:30 +0200"]),
    "America/New_York": ("2026-03-07T06:00Z", ["03-07 02:30 -0500", "03-09 02:30 -0400", "03-10 02:30 -0400"]),
}
REPEATED = {
    "Europe/Berlin": (
        "2026-10-24T00:00Z",
        "30 2 * * *",
        ["10-24 02:30 +0200", "10-25 02:30 +0200", "10-25 02:30 +0100", "10-26 02:30 +0100"],
    ),
    "America/New_York": (
        "2026-10-31T05:00Z",
        "30 1 * * *",
        ["10-31 01:30 -0400", "11-01 01:30 -0400", "11-01 01:30 -0500", "11-02 01:30 -0500"],
    ),
}


@pytest.mark.parametrize("zone", SKIPPED)
def test_a_time_in_the_hour_that_is_skipped_does_not_come_that_day(zone: str) -> None:
    after, wanted = SKIPPED[zone]
    assert local("30 2 * * *", zone, after, len(wanted)) == wanted


@pytest.mark.parametrize("zone", REPEATED)
def test_a_time_in_the_hour_that_is_repeated_comes_twice(zone: str) -> None:
    after, text, wanted = REPEATED[zone]
    assert local(text, zone, after, len(wanted)) == wanted


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("after", ["2026-03-07T20:00Z", "2026-03-28T20:00Z", "2026-10-24T20:00Z", "2026-10-31T20:00Z"])
def test_every_hour_is_every_hour_whatever_the_clocks_do(zone: str, after: str) -> None:
    moment = datetime.fromisoformat(after)
    for _ in range(24):
        found = schedule("@hourly", zone).next(moment)
        assert found == moment + timedelta(hours=1)
        moment = found


def test_macros() -> None:
    for name in MACROS:
        assert schedule(name).next(datetime(2026, 5, 17, 12, 30, tzinfo=UTC)) is not None
    assert schedule("@weekly").next(datetime(2026, 5, 17, 12, tzinfo=UTC)) == datetime(2026, 5, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("TZ=UTC * * * * *", "write the time zone into timeZone"),
        ("@every 5m", "unknown schedule '@every 5m': write five fields, or one of @yearly, @annually"),
        ("* * *", "has 3 fields: write five"),
        ("", "has 0 fields"),
        ("* * * * 7", "Sunday is 0"),
        ("0 0 30 2 *", "never comes"),
        ("1,,2 * * * *", "'1,,2' is no minute"),
    ],
)
def test_a_schedule_that_cannot_be_used(text: str, words: str) -> None:
    with pytest.raises(ScheduleError, match=words.replace("(", r"\(")):
        schedule(text)


@pytest.mark.parametrize(
    "name", ["", "Local", "localtime", "Mars/Olympus", "Europe", "../etc/passwd", "a\0b", "x" * 300]
)
def test_a_zone_that_there_is_not(name: str) -> None:
    with pytest.raises(ScheduleError, match="unknown time zone"):
        find_zone(name)


def test_no_zone_is_utc() -> None:
    assert find_zone(None).utcoffset(datetime(2026, 7, 1)) == timedelta(0)


_NUMBERS = st.integers(0, 59).map(str) | st.just("*") | st.sampled_from(["*/7", "5-20", "1,31"])
_TEXTS = st.tuples(_NUMBERS, st.sampled_from(["*", "1", "2", "1-3", "*/6"]), st.sampled_from(["*", "29", "*/10"])).map(
    lambda parts: f"{' '.join(parts)} * *"
)
_MOMENTS = st.datetimes(datetime(2025, 12, 1), datetime(2027, 2, 1), timezones=st.just(UTC))


@given(_TEXTS, st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]), _MOMENTS)
@settings(max_examples=200)
def test_forwards_and_backwards_agree_with_a_clock_on_the_wall(text: str, zone: str, after: datetime) -> None:
    times = schedule(text, zone)
    coming = times.next(after)
    assert coming is not None
    assert coming > after
    assert coming.second == coming.microsecond == 0
    assert times.latest(after, coming) == coming
    assert times.latest(after, coming + timedelta(seconds=59.5)) == coming
    assert times.latest(after, coming - timedelta(microseconds=1)) is None
    # Nothing between: no minute at which a clock there shows a time of the schedule.
    plain = schedule(text)
    minute = after.replace(second=0, microsecond=0) + MINUTE
    last = min(coming, minute + 3000 * MINUTE)
    while minute <= last:
        shown = minute.astimezone(find_zone(zone)).replace(tzinfo=UTC)
        due = plain.latest(shown - MINUTE, shown) == shown
        assert due == (minute == coming)
        minute += MINUTE * (1 if last - minute < 90 * MINUTE else 7)
