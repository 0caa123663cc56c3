"""How many attempts may be starting at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daskjob.lifecycle.job.startup_pace import COUNTS_FOR, FEWEST, MOST, StartupPace


def after(times: int, pace: StartupPace | None = None, starting: int = MOST) -> StartupPace:
    """After so many attempts that started soon."""
    pace = pace or StartupPace()
    for _ in range(times):
        pace = pace.started(starting)
    return pace


def test_room_is_what_the_window_leaves() -> None:
    pace = StartupPace()
    assert [pace.room(0), pace.room(FEWEST - 1), pace.room(FEWEST), pace.room(FEWEST + 5)] == [FEWEST, 1, 0, 0]


def test_it_grows_with_each_attempt_that_starts_soon() -> None:
    assert after(FEWEST).window == 2 * FEWEST
    assert after(10_000).window == MOST


def test_it_does_not_grow_while_few_start() -> None:
    assert after(1000, starting=1).window == FEWEST


def test_it_shrinks_with_each_that_does_not() -> None:
    pace = after(100)
    assert FEWEST < pace.given_up().window < pace.window


def test_jobs_that_never_start_hold_up_the_others_for_seconds_only() -> None:
    pace = after(100)
    for _ in range(10_000):
        pace = pace.given_up()
    assert pace.window == FEWEST
    assert FEWEST / COUNTS_FOR.total_seconds() >= 10, "ten more may start each second"


@given(st.lists(st.booleans(), max_size=100), st.integers(0, 2 * MOST))
def test_the_window_has_bounds(came_up: list[bool], starting: int) -> None:
    pace = StartupPace()
    for each in came_up:
        pace = pace.started(starting) if each else pace.given_up()
        assert FEWEST <= pace.window <= MOST
        assert 0 <= pace.room(starting) <= MOST
