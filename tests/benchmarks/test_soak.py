"""The soak's arithmetic and its tables."""

from __future__ import annotations

from typing import Any

import pytest

from .growth import LEAST_SPAN, MEBIBYTE, Lived, Sample, Soak, cpu_seconds, memory, tables, told, verdicts


def samples(*sizes: float, every: float = 60.0, process: int = 1, component: str = "operator") -> list[Sample]:
    """One a minute, of so many MiB each; each minute costs a second of CPU."""
    return [
        Sample(number * every, component, process, int(size * MEBIBYTE), float(number))
        for number, size in enumerate(sizes)
    ]


def test_slope_of_a_steady_rise() -> None:
    found = memory(samples(100, 101, 102, 103), "operator", 0)
    assert found is not None
    assert (found.first, found.last, found.most, found.span) == (100, 103, 103, 180)
    assert found.slope == pytest.approx(60)
    assert found.rise == pytest.approx(3)
    assert found.noise == pytest.approx(0, abs=1e-9)


def test_noise_is_no_rise() -> None:
    found = memory(samples(100, 102, 102, 100), "operator", 0)
    assert found is not None
    assert found.slope == pytest.approx(0)
    assert found.noise == pytest.approx(1)
    assert found.most == 102


def test_the_warm_up_does_not_count() -> None:
    found = memory(samples(10, 50, 100, 100, 100), "operator", 120)
    assert found is not None
    assert (found.first, found.slope) == (100, 0)


def test_too_few_samples_say_nothing() -> None:
    assert memory(samples(1, 2), "operator", 0) is None
    assert memory(samples(1, 2, 3, 4), "operator", 120) is None
    assert memory(samples(1, 2, 3), "dask-controller", 0) is None


def test_cpu_is_that_of_each_process_while_it_was_seen() -> None:
    first, second = samples(1, 1, 1), samples(1, 1, process=2)
    assert cpu_seconds([*first, *second, *samples(1, 1, component="other")], "operator") == 3


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"phase": "Succeeded", "attempt": 1, "run": 1}, "Succeeded"),
        ({"phase": "Failed", "attempt": 1, "run": 1, "failure": {"reason": "TaskFailed"}}, "TaskFailed"),
        (
            {"phase": "Succeeded", "attempt": 2, "run": 1, "retries": {"application": 1, "infrastructure": 0}},
            "Succeeded, attempt 2, 1 application",
        ),
        (
            {"phase": "Succeeded", "attempt": 2, "run": 2, "history": [{"outcome": "Superseded"}]},
            "Succeeded, attempt 2, run 2 after Superseded",
        ),
        ({}, "no phase"),
    ],
)
def test_what_is_told_of_an_end(status: dict[str, Any], words: str) -> None:
    assert told(status) == words


def soaked(**changes: Any) -> Soak:
    good = Lived("succeeds", "Succeeded", "Succeeded", 10)
    steady = samples(*[100] * 30, every=LEAST_SPAN / 10)
    base: dict[str, Any] = {
        "warm_up": 0,
        "jobs": [good],
        "samples": steady,
        "restarts": {"operator": 0},
        "errors": {"operator": 0},
        "left": [],
    }
    return Soak(**{**base, **changes})


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({}, []),
        ({"jobs": [Lived("succeeds", "Succeeded", "TaskFailed", 10)]}, ["every job ends as it should"]),
        ({"jobs": [Lived("succeeds", "Succeeded", "", 10, "it never came")]}, ["every job ends as it should"]),
        ({"left": ["Pod one"]}, ["nothing is left"]),
        ({"restarts": {"operator": 1}}, ["no restarts"]),
        ({"errors": {"operator": 2}}, ["no errors in the logs"]),
        (
            {"samples": samples(*range(100, 130), every=LEAST_SPAN / 10)},
            ["memory of operator grows by no more than 5% in the time measured"],
        ),
    ],
)
def test_verdicts(changes: dict[str, Any], missed: list[str]) -> None:
    assert [each.target for each in verdicts(soaked(**changes)) if each.reached is False] == missed


def test_without_a_soak_nothing_is_reached() -> None:
    assert [each.reached for each in verdicts(Soak(0))] == [None] * 4


def test_a_short_soak_says_nothing_of_growth() -> None:
    assert verdicts(soaked(samples=samples(100, 200, 300)))[-1].reached is None


def test_tables_tell_each_way_to_end_apart() -> None:
    jobs = [
        Lived("succeeds", "Succeeded", "Succeeded", 10),
        Lived("cancelled", "Cancelled", "Cancelled", 9),
        Lived("succeeds", "Succeeded", "Succeeded", 20),
        Lived("succeeds", "Succeeded", "TaskFailed", 30),
    ]
    text = tables(soaked(jobs=jobs, objects=[{"Pod": 3}, {"Pod": 5, "Secret": 1}]))
    assert "| succeeds | Succeeded | Succeeded | 2 | 15 (20) |  |" in text
    assert "| succeeds | Succeeded | TaskFailed | 1 | 30 (30) | **1 wrong** |" in text
    assert "| cancelled | Cancelled | Cancelled | 1 | 9 (9) |  |" in text
    assert "| operator | 100.0, 100.0, 100.0 | +0.0 | 0.0 | 7.25 | 0 | 0 |" in text
    assert "| Secret | 0.5 | 1 |" in text
    assert "| every job ends as it should | **no** | 3 of 4 |" in text
