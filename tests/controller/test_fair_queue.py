"""The order in which waiting keys are taken, against a queue of the plainest kind."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.controller.cache import Key
from daskjob.controller.fair_queue import PATIENCE, FairQueue, Urgency

ENDS, CLEANS_UP, GOES_ON, STARTS, BEGINS, RESTS = Urgency

spaces = st.sampled_from(["a", "b", "c"])
keys = st.tuples(spaces, st.sampled_from("12345"))
urgencies = st.sampled_from(Urgency)
#: None: a key is taken.
steps = st.lists(st.one_of(st.none(), st.none(), st.tuples(keys, urgencies)), max_size=80)


class NaiveQueue:
    """The same promises, by looking at every key that waits."""

    def __init__(self) -> None:
        self.arrival = 0
        #: Of each key: its class, and when it came into it.
        self.waiting: dict[Key, tuple[Urgency, int]] = {}
        #: Of each class: its namespaces in the order of their turns.
        self.turns: dict[Urgency, list[str]] = {each: [] for each in Urgency}

    def add(self, key: Key, urgency: Urgency) -> None:
        known = self.waiting.get(key)
        if known is not None and known[0] <= urgency:
            return
        self.arrival += 1
        self.waiting[key] = urgency, self.arrival
        self._forget_the_empty()
        if key[0] not in self.turns[urgency]:
            self.turns[urgency].append(key[0])

    def next_of(self, urgency: Urgency) -> Key:
        first = self.turns[urgency][0]
        found = [(since, key) for key, (each, since) in self.waiting.items() if each is urgency and key[0] == first]
        return min(found)[1]

    def remove(self, key: Key) -> None:
        urgency, _ = self.waiting.pop(key)
        self.turns[urgency].remove(key[0])
        self.turns[urgency].append(key[0])
        self._forget_the_empty()

    def classes(self) -> list[Urgency]:
        return sorted({urgency for urgency, _ in self.waiting.values()})

    def _forget_the_empty(self) -> None:
        for urgency, spaces in self.turns.items():
            present = {key[0] for key, (each, _) in self.waiting.items() if each is urgency}
            spaces[:] = [each for each in spaces if each in present]


@given(steps)
def test_it_keeps_every_promise_of_the_naive_one(steps: list[tuple[Key, Urgency] | None]) -> None:
    queue, naive = FairQueue(), NaiveQueue()
    overlooked = dict.fromkeys(Urgency, 0)
    for step in steps:
        if step is not None:
            queue.add(*step)
            naive.add(*step)
        elif not naive.waiting:
            with pytest.raises(IndexError):
                queue.take()
        else:
            classes = naive.classes()
            key, taken = queue.take()
            assert key == naive.next_of(taken), "not the longest waiting of the namespace whose turn it is"
            assert taken is classes[0] or overlooked[taken] >= PATIENCE, "a less urgent one went first without need"
            for each in Urgency:
                overlooked[each] = overlooked[each] + 1 if each in classes and each is not taken else 0
            assert max(overlooked.values()) <= PATIENCE + len(Urgency), "a class was passed over for too long"
            naive.remove(key)
        assert len(queue) == len(naive.waiting)
        assert all(key in queue for key in naive.waiting)
        assert [each for each in Urgency if queue.waits([each])] == naive.classes()
    while naive.waiting:
        key, _ = queue.take()
        naive.remove(key)
    assert len(queue) == 0


def taken(queue: FairQueue, count: int) -> list[Key]:
    return [queue.take()[0] for _ in range(count)]


def test_ends_go_before_beginnings() -> None:
    queue = FairQueue()
    for number in range(3):
        queue.add(("a", f"begins{number}"), BEGINS)
    queue.add(("a", "rests"), RESTS)
    queue.add(("a", "goes-on"), GOES_ON)
    queue.add(("a", "ends"), ENDS)
    assert [name for _, name in taken(queue, 6)] == ["ends", "goes-on", "begins0", "begins1", "begins2", "rests"]


def test_what_may_start_goes_before_what_waits_for_room() -> None:
    queue = FairQueue()
    for number in range(1000):
        queue.add(("a", str(number)), BEGINS)
    queue.add(("a", "500"), STARTS)
    assert taken(queue, 2) == [("a", "500"), ("a", "0")]


def test_a_thousand_jobs_hold_up_nobody_elses_one() -> None:
    queue = FairQueue()
    for number in range(1000):
        queue.add(("many", str(number)), BEGINS)
    taken(queue, 10)
    queue.add(("one", "job"), BEGINS)
    assert ("one", "job") in taken(queue, 2)


def test_a_beginning_that_turns_out_to_end_moves_ahead_and_never_back() -> None:
    queue = FairQueue()
    queue.add(("a", "one"), BEGINS)
    queue.add(("a", "two"), BEGINS)
    queue.add(("a", "two"), ENDS)
    queue.add(("a", "two"), RESTS)
    assert taken(queue, 2) == [("a", "two"), ("a", "one")]
    assert len(queue) == 0


def test_beginnings_go_on_while_ends_keep_coming() -> None:
    queue = FairQueue()
    for number in range(5):
        queue.add(("a", f"begins{number}"), BEGINS)
    moments = []
    for number in range(100):
        queue.add(("a", f"ends{number}"), ENDS)
        if queue.take()[1] is BEGINS:
            moments.append(number)
    assert len(moments) == 5
    assert all(later - earlier == PATIENCE + 1 for earlier, later in pairwise(moments))


def test_a_worker_that_is_reserved_takes_only_its_classes() -> None:
    queue = FairQueue()
    queue.add(("a", "begins"), BEGINS)
    assert not queue.waits([ENDS, GOES_ON])
    with pytest.raises(IndexError):
        queue.take([ENDS, GOES_ON])
    queue.add(("a", "goes-on"), GOES_ON)
    assert queue.take([ENDS, GOES_ON]) == (("a", "goes-on"), GOES_ON)
