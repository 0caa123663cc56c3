"""How many attempts may be starting at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daskjob.lifecycle.job.startup_pace import COUNTS_FOR, FEWEST, MOST, StartupPace


def after(pace: StartupPace, seconds: float, times: int, starting: int = MOST) -> StartupPace:
    for _ in range(times):
        pace = pace.started(seconds, starting)
    return pace


def test_room_is_what_the_window_leaves() -> None:
    pace = StartupPace()
    assert [pace.room(0), pace.room(FEWEST - 1), pace.room(FEWEST), pace.room(FEWEST + 5)] == [FEWEST, 1, 0, 0]


def test_it_grows_while_attempts_come_up_quickly() -> None:
    pace = after(StartupPace(), 2.0, times=FEWEST)
    assert pace.window == 1.5 * FEWEST
    assert after(pace, 2.0, times=10_000).window == MOST


def test_slow_clusters_start_as_many_as_quick_ones() -> None:
    """What counts is whether it takes longer than usual there."""
    assert after(StartupPace(), 15.0, times=30).window == after(StartupPace(), 1.5, times=30).window > FEWEST


def test_it_does_not_grow_while_few_start() -> None:
    assert after(StartupPace(), 2.0, times=1000, starting=1).window == FEWEST


def test_it_shrinks_when_they_take_longer_than_usual() -> None:
    wide = after(StartupPace(), 2.0, times=100)
    assert wide.started(5.0, MOST).window > wide.window
    assert wide.started(7.0, MOST).window == wide.window
    assert wide.started(11.0, MOST).window < wide.window
    assert wide.given_up().window < wide.window


def test_jobs_that_never_start_hold_up_the_others_for_seconds_only() -> None:
    pace = after(StartupPace(), 2.0, times=100)
    for _ in range(10_000):
        pace = pace.given_up()
    assert pace.window == FEWEST
    assert COUNTS_FOR.total_seconds() / FEWEST <= 1.0, "at least one start a second"


def test_what_is_usual_is_forgotten_slowly() -> None:
    once = StartupPace().started(0.1, MOST)
    assert once.usual == 0.1
    assert after(once, 3.0, times=10).usual < 0.2
    assert after(once, 3.0, times=1000).usual == 3.0


@given(st.lists(st.one_of(st.none(), st.floats(0, 10_000)), max_size=100), st.integers(0, 300))
def test_the_window_has_bounds(times: list[float | None], starting: int) -> None:
    pace = StartupPace()
    for seconds in times:
        pace = pace.given_up() if seconds is None else pace.started(seconds, starting)
        assert FEWEST <= pace.window <= MOST
        assert 0 <= pace.room(starting) <= MOST
