"""How many workers each of several groups has work for."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.runner.group_load import idle, is_awaited, joined, target
from daskjob.wire.worker_groups import AdaptiveBounds, GroupOrders, fits, group_of, pod_of

BOUNDS = AdaptiveBounds(0, 9)
DEFAULT = GroupOrders("default", "a-default-worker-", resources={"default": 2})
GPU = GroupOrders("gpu", "a-gpu-worker-", 0, BOUNDS, {"gpu": 1, "GPU": 1})
BIG = GroupOrders("big", "a-big-worker-", 0, BOUNDS, {"big": 1, "GPU": 2})
GROUPS = (DEFAULT, GPU, BIG)


def worker(name: str, tasks: int = 0, restricted: int = 0, seconds: float = 0, nbytes: int = 0, limit: int = 0) -> Any:
    return [name, 1, True, 0, 0, tasks, restricted, seconds, nbytes, limit]


def shot(*workers: list[Any], stuck: Any = (), free: int = 0) -> dict[str, Any]:
    return {"workers": {f"tcp://{row[0]}": row for row in workers}, "stuck": list(stuck), "free": free}


CPU = worker("a-default-worker-0", 9, 0, 99)
CASES: dict[str, tuple[dict[str, Any], str, int]] = {
    "none for what waits for others": (shot(CPU, stuck=[["k", {"default": 1}, 9]], free=9), "gpu", 0),
    "one at once for the first task": (shot(CPU, stuck=[["k", {"gpu": 1}, 1]]), "gpu", 1),
    "as many as many tasks need": (shot(CPU, stuck=[["k", {"gpu": 1}, 100]]), "gpu", 10),
    "the first group that offers it": (shot(CPU, stuck=[["k", {"GPU": 1}, 1]]), "gpu", 1),
    "and not the second": (shot(CPU, stuck=[["k", {"GPU": 1}, 1]]), "big", 0),
    "the only one that offers enough": (shot(CPU, stuck=[["k", {"GPU": 2}, 1]]), "big", 1),
    "by what its own tasks take": (shot(CPU, worker("a-gpu-worker-0", 4, 4, 12.0)), "gpu", 3),
    "not more than tasks": (shot(CPU, worker("a-gpu-worker-0", 2, 2, 999.0)), "gpu", 2),
    "tasks for anybody bring no more": (shot(CPU, worker("a-gpu-worker-0", 9, 0, 99.0)), "gpu", 1),
    "one that has nothing to do may go": (shot(CPU, worker("a-gpu-worker-0")), "gpu", 0),
    "twice as many where memory is short": (shot(CPU, worker("a-gpu-worker-0", 1, 1, 1, 70, 100)), "gpu", 2),
}


@pytest.mark.parametrize(("snapshot", "group", "wanted"), CASES.values(), ids=CASES)
def test_target(snapshot: dict[str, Any], group: str, wanted: int) -> None:
    assert target(snapshot, GROUPS, group, 5.0) == wanted


def test_a_group_is_awaited_if_it_offers_what_a_task_lacks() -> None:
    snapshot = shot(CPU, stuck=[["k", {"GPU": 2}, 1]], free=3)
    assert [each.name for each in GROUPS if is_awaited(snapshot, each, GROUPS)] == ["big"]
    assert not is_awaited(shot(CPU, free=3), DEFAULT, GROUPS)
    # One that never starts fails no job whose tasks may run in another one.
    either = shot(CPU, stuck=[["k", {"GPU": 1}, 1]])
    assert [each.name for each in GROUPS if is_awaited(either, each, GROUPS)] == []


def test_tasks_for_anybody_are_work_for_the_first_group_that_may_have_workers() -> None:
    none = GroupOrders("default", "a-default-worker-", 0)
    assert [target(shot(free=3), (none, GPU, BIG), each.name, 5.0) for each in (GPU, BIG)] == [1, 0]


def test_those_with_the_least_data_go_first() -> None:
    rows = [
        worker(f"a-gpu-worker-{number}", tasks, nbytes=size)
        for number, tasks, size in ((0, 0, 9), (1, 1, 0), (2, 0, 3))
    ]
    assert idle(shot(*rows, worker("a-big-worker-0")), GROUPS, "gpu") == ["a-gpu-worker-2", "a-gpu-worker-0"]


PAIRS = GroupOrders("pairs", "a-pairs-worker-", 0, BOUNDS, {"pairs": 1}, 2)


def pair(number: int, *tasks: int, nbytes: int = 0) -> list[Any]:
    """The processes of one worker, with so many tasks each."""
    return [worker(f"a-pairs-worker-{number}-{place}", each, each, each, nbytes) for place, each in enumerate(tasks)]


def test_a_worker_of_several_processes_is_one() -> None:
    groups = (DEFAULT, PAIRS)
    assert [pod_of(name, groups) for name in ("a-pairs-worker-1-0", "a-default-worker-1", "other-1")] == [
        "a-pairs-worker-1",
        "a-default-worker-1",
        "other-1",
    ]
    half = shot(*pair(0, 0, 0), *pair(1, 0), CPU)
    assert joined(half, groups) == {"default": 1, "pairs": 1}, "it has joined when all its processes have"
    busy = shot(*pair(0, 0, 3), *pair(1, 0, 0, nbytes=5), *pair(2, 0, 0))
    assert idle(busy, groups, "pairs") == ["a-pairs-worker-2", "a-pairs-worker-1"]
    assert target(busy, groups, "pairs", 5.0) == 1
    many = shot(*pair(0, 0, 0), stuck=[["k", {"pairs": 1}, 100]])
    assert target(many, groups, "pairs", 5.0) == 5, "ten processes"


def test_a_worker_is_of_the_group_with_the_longest_beginning() -> None:
    groups = (GroupOrders("a", "x-a-worker-"), GroupOrders("a-worker-b", "x-a-worker-b-worker-"))
    assert [group_of(name, groups) for name in ("x-a-worker-0", "x-a-worker-b-worker-0", "y")] == [
        "a",
        "a-worker-b",
        "",
    ]
    assert group_of("any", (GroupOrders(),)) == "default"


def test_one_worker_must_offer_all() -> None:
    assert fits({}, {})
    assert fits({"a": 1}, {"a": 1.5, "b": 0})
    assert not fits({"a": 1, "b": 1}, {"a": 1})
