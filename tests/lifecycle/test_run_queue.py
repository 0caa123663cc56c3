"""Which jobs may start, in which order, and what the others wait for: against a queue that sorts all jobs at each
look."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api.constants import Reason
from daskjob.lifecycle.job.observation import QueuePlace
from daskjob.lifecycle.job.queueing import Demand, QueueEntry, RunLimits
from daskjob.lifecycle.job.run_queue import RunQueue

from .builders import NOW, ago

HOLDS, WAITS = Demand.HOLDS, Demand.WAITS
#: More room for starts than any test needs.
ROOM = 1000


def filled(limits: RunLimits, *rows: str) -> RunQueue[str]:
    """Rows such as `a/one runs`, `a/two waits`, `b/one waits priority=5 workers=3`, in order of creation."""
    queue: RunQueue[str] = RunQueue(limits)
    for age, row in enumerate(rows):
        title, claim, *more = row.split()
        namespace, name = title.split("/")
        numbers = {key: int(value) for key, value in (each.split("=") for each in more)}
        demand = {"runs": HOLDS, "waits": WAITS, "rests": Demand.NONE}[claim]
        workers, priority = numbers.get("workers", 1), numbers.get("priority", 0)
        queue.put(title, QueueEntry(namespace, name, ago(1000 - age), priority, workers, demand))
    return queue


def may_start(limits: RunLimits, *rows: str, room: int = ROOM) -> list[str]:
    return list(filled(limits, *rows).startable(room))


def begin(queue: RunQueue[str], key: str) -> None:
    entry = queue.entry(key)
    assert entry is not None
    queue.put(key, replace(entry, demand=HOLDS))


def in_order(queue: RunQueue[str]) -> list[str]:
    """The order in which jobs start if each place is taken as soon as it is free."""
    started = []
    while queue.startable(ROOM):
        key = next(iter(queue.startable(ROOM)))
        started.append(key)
        entry = queue.entry(key)
        assert entry is not None
        begin(queue, key)
        queue.remove(key)
    return started


def test_without_a_limit_all_may_start() -> None:
    assert may_start(RunLimits(), "a/one runs", "a/two waits", "b/one waits") == ["a/two", "b/one"]


def test_within_a_namespace_first_come_first_served() -> None:
    rows = ["a/one runs", "a/two waits", "a/three waits", "a/four waits"]
    assert may_start(RunLimits(1), *rows) == []
    assert may_start(RunLimits(3), *rows) == ["a/two", "a/three"]
    queue = filled(RunLimits(2), *rows)
    assert [queue.place(key, ROOM).position for key in ("a/two", "a/three", "a/four")] == [0, 1, 2]


def test_higher_priority_goes_first_within_its_namespace_and_nobody_is_stopped() -> None:
    rows = ["a/one runs priority=-5", "a/two waits", "a/three waits priority=5", "a/four waits priority=-1"]
    assert may_start(RunLimits(4), *rows) == ["a/three", "a/two", "a/four"]


def test_priority_says_nothing_about_other_namespaces() -> None:
    """Otherwise a tenant with priority 1000000 keeps all others from running."""
    rows = ["a/zero runs", "b/one waits", "a/one waits priority=1000000", "a/two waits priority=1000000"]
    assert in_order(filled(RunLimits(2), *rows)) == ["b/one", "a/one", "a/two"]


def test_namespaces_take_turns() -> None:
    rows = [*(f"a/{number} waits" for number in range(4)), "b/0 waits", "c/0 waits", "b/1 waits"]
    assert in_order(filled(RunLimits(1), *rows)) == ["a/0", "b/0", "c/0", "a/1", "b/1", "a/2", "a/3"]
    assert may_start(RunLimits(5), *rows) == ["a/0", "b/0", "c/0", "a/1", "b/1"]


def test_a_namespace_that_was_not_served_lately_is_next() -> None:
    queue = filled(RunLimits(1), *(f"many/{number} waits" for number in range(1000)))
    begin(queue, "many/0")
    queue.put("one/job", QueueEntry("one", "job", NOW, 0, 1, WAITS))
    queue.remove("many/0")
    assert list(queue.startable(ROOM)) == ["one/job"]


def test_classes_of_namespaces_go_one_after_the_other() -> None:
    limits = RunLimits(2, classes=(frozenset({"first"}), frozenset({"second"}), frozenset({"last"})))
    rows = ["other/one waits", "last/one waits", "second/one waits", "first/one waits", "first/two waits"]
    assert in_order(filled(limits, *rows)) == ["first/one", "first/two", "second/one", "other/one", "last/one"]


def test_a_full_namespace_holds_nobody_else_back() -> None:
    rows = ["a/one runs", "a/two waits priority=9", "b/one waits", "a/three waits", "b/two waits"]
    assert may_start(RunLimits(0, 1), *rows) == ["b/one"]
    assert may_start(RunLimits(2, 1), *rows) == ["b/one"]


def test_workers_of_a_namespace() -> None:
    limits = RunLimits(workers_per_namespace=10)
    rows = ["a/one runs workers=6", "a/two waits workers=4", "a/three waits", "b/one waits workers=10"]
    assert may_start(limits, *rows) == ["a/two", "b/one"]


def test_a_small_job_does_not_overtake_a_large_one_that_waits_for_workers() -> None:
    """Otherwise small ones might keep it waiting for ever."""
    rows = ["a/one runs workers=6", "a/large waits workers=5", "a/small waits"]
    assert may_start(RunLimits(workers_per_namespace=10), *rows) == []


def test_a_limit_that_was_lowered_stops_nobody_and_lets_nobody_in() -> None:
    assert may_start(RunLimits(1), "a/one runs", "a/two runs", "a/three waits") == []


def test_starts_are_paced_in_the_same_order() -> None:
    rows = [*(f"a/{number} waits" for number in range(4)), "b/0 waits"]
    assert may_start(RunLimits(), *rows, room=2) == ["a/0", "b/0"]
    assert may_start(RunLimits(), *rows, room=0) == []


WHYS = {
    "jobs of the namespace": (
        RunLimits(0, 1),
        ["a/one runs", "a/two waits"],
        QueuePlace(1, Reason.NAMESPACE_LIMIT, "at most 1 jobs of the namespace run at a time"),
    ),
    "workers of the namespace": (
        RunLimits(workers_per_namespace=4),
        ["a/one runs workers=4", "a/zero waits", "a/two waits"],
        QueuePlace(2, Reason.NAMESPACE_LIMIT, "the running jobs of the namespace have at most 4 workers together"),
    ),
    "workers of the namespace, with one that may start": (
        RunLimits(workers_per_namespace=4),
        ["a/one runs workers=3", "a/zero waits", "a/two waits"],
        QueuePlace(1, Reason.NAMESPACE_LIMIT, "the running jobs of the namespace have at most 4 workers together"),
    ),
    "jobs in all": (
        RunLimits(1),
        ["b/one runs", "b/two waits", "a/two waits"],
        QueuePlace(1, Reason.OPERATOR_LIMIT, "at most 1 jobs of all namespaces run at a time; namespaces take turns"),
    ),
}


@pytest.mark.parametrize(("limits", "rows", "place"), WHYS.values(), ids=WHYS)
def test_what_a_job_waits_for(limits: RunLimits, rows: list[str], place: QueuePlace) -> None:
    assert filled(limits, *rows).place("a/two", ROOM) == place


def test_a_job_that_waits_only_for_others_to_start() -> None:
    place = filled(RunLimits(5), "a/one runs", "a/two waits").place("a/two", 0)
    assert (place.position, place.reason) == (1, Reason.STARTUP_PACE)


def test_a_job_that_is_not_known_or_runs_waits_for_nothing() -> None:
    queue = filled(RunLimits(1), "a/one runs")
    assert queue.place("a/one", ROOM) == queue.place("a/two", ROOM) == QueuePlace()


def test_a_namespace_keeps_its_turn_while_its_only_job_starts_and_waits_again() -> None:
    queue: RunQueue[str] = RunQueue(RunLimits())
    older, younger = QueueEntry("a", "one", ago(2), 0, 1, WAITS), QueueEntry("b", "one", ago(1), 0, 1, WAITS)
    for entry in (older, replace(older, demand=HOLDS), younger, older):
        queue.put(f"{entry.namespace}/{entry.name}", entry)
    assert list(queue.startable(1)) == ["b/one"]


def test_the_line_of_a_namespace() -> None:
    queue = filled(RunLimits(1), "b/one waits", "a/one waits", "b/two waits", "b/three waits")
    assert list(queue.line("b", ROOM)) == [(1, "b/two"), (2, "b/three")]
    assert list(queue.line("c", ROOM)) == []


# Against a queue of the plainest kind.

limits_of_all_kinds = st.builds(
    RunLimits,
    total=st.integers(0, 4),
    per_namespace=st.integers(0, 3),
    workers_per_namespace=st.sampled_from([0, 4, 7]),
    classes=st.sampled_from([(), (frozenset("b"), frozenset("c"))]),
)
entries = st.builds(
    QueueEntry,
    namespace=st.sampled_from("abc"),
    name=st.sampled_from("123"),
    created=st.sampled_from([NOW, NOW + timedelta(seconds=1)]),
    priority=st.integers(0, 1),
    workers=st.integers(1, 4),
    demand=st.sampled_from([WAITS, WAITS, WAITS, HOLDS, Demand.NONE]),
)


class NaiveQueue:
    def __init__(self, limits: RunLimits) -> None:
        self.limits = limits
        self.entries: dict[str, QueueEntry] = {}
        self.turns: dict[str, int] = {}
        self.turn = 0

    def put(self, key: str, entry: QueueEntry) -> None:
        before = self.entries.get(key)
        self.entries[key] = entry
        if before is not None and before.demand is WAITS and entry.demand is HOLDS:
            self.turn += 1
            self.turns[entry.namespace] = self.turn
        present = {each.namespace for each in self.entries.values() if each.demand is not Demand.NONE}
        self.turns = {name: turn for name, turn in self.turns.items() if name in present}

    def startable(self, room: int) -> list[str]:
        limits, turns, turn = self.limits, dict(self.turns), self.turn
        holding = [each for each in self.entries.values() if each.demand is HOLDS]
        jobs = Counter(each.namespace for each in holding)
        workers: Counter[str] = Counter()
        for each in holding:
            workers[each.namespace] += each.workers
        waiting = sorted((each.order, key) for key, each in self.entries.items() if each.demand is WAITS)
        found: list[str] = []
        while len(found) < room and (not limits.total or len(holding) + len(found) < limits.total):
            heads: dict[str, str] = {}
            for _, key in waiting:
                heads.setdefault(self.entries[key].namespace, key)
            fitting = []
            for name, key in heads.items():
                entry = self.entries[key]
                if limits.per_namespace and jobs[name] >= limits.per_namespace:
                    continue
                if limits.workers_per_namespace and workers[name] + entry.workers > limits.workers_per_namespace:
                    continue
                fitting.append((limits.class_of(name), turns.get(name, 0), entry.created, name, key))
            if not fitting:
                break
            *_, name, key = min(fitting)
            found.append(key)
            turn += 1
            turns[name] = turn
            jobs[name] += 1
            workers[name] += self.entries[key].workers
            waiting = [each for each in waiting if each[1] != key]
        return found


@given(limits_of_all_kinds, st.lists(entries, max_size=30), st.integers(0, 5))
def test_it_lets_start_whom_the_naive_one_lets_start(limits: RunLimits, changes: list[QueueEntry], room: int) -> None:
    queue: RunQueue[str] = RunQueue(limits)
    naive = NaiveQueue(limits)
    for entry in changes:
        key = f"{entry.namespace}/{entry.name}"
        queue.put(key, entry)
        naive.put(key, entry)
        found = list(queue.startable(room))
        assert found == naive.startable(room)
        for each in "abc":
            waiting = [key for key, known in naive.entries.items() if known.namespace == each and known.demand is WAITS]
            line = sorted((key for key in waiting if key not in found), key=lambda key: naive.entries[key].order)
            assert [key for _, key in queue.line(each, room)] == line
            assert [queue.place(key, room).position for key in line] == list(range(1, len(line) + 1))
        for each in naive.entries:
            assert (queue.place(each, room).position == 0) == (each in found or naive.entries[each].demand is not WAITS)
