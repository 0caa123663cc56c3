"""Times as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api.times import from_text, to_seconds_text, to_text


@given(st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.timezones(), allow_imaginary=False))
def test_a_time_survives_whatever_its_zone(moment: datetime) -> None:
    assert from_text(to_text(moment)) == moment.astimezone(UTC)
    assert from_text(to_seconds_text(moment)) == moment.astimezone(UTC).replace(microsecond=0)


def test_texts_are_in_utc() -> None:
    moment = datetime(2026, 1, 31, 13, 0, 0, 5, timezone(timedelta(hours=1)))
    assert to_text(moment) == "2026-01-31T12:00:00.000005Z"
    assert to_seconds_text(moment) == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize("text", [None, 5, "", "soon", "2026-13-01T00:00:00Z"])
def test_what_is_no_time(text: object) -> None:
    assert from_text(text) is None


def test_a_time_without_a_zone_is_utc() -> None:
    assert from_text("2026-01-31T12:00:00") == datetime(2026, 1, 31, 12, tzinfo=UTC)
