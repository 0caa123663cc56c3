"""What keeps a graph from going on although all its processes run is told in seconds, as what it is."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from daskjob.runner.obstacles import IMPORT_GRACE, PAUSED_GRACE, RESOURCE_GRACE, Obstacles
from daskjob.wire.worker_groups import AdaptiveBounds, GroupOrders

from .conftest import wait_for

CODE = """
    import time

    def on_gpu(client, amount=1, name="GPU"):
        return client.submit(sum, [1, 2], resources={name: amount}, key="needs-gpu")

    async def give(dask_worker):
        await dask_worker.set_resources(GPU=2)

    def given(client):
        client.run(give)
        return on_gpu(client)

    def forgotten(client):
        from distributed import fire_and_forget
        fire_and_forget(on_gpu(client))

    def elsewhere(client):
        return client.submit(sum, [1, 2], workers=["nobody"], key="elsewhere")

    def paused(client):
        while {each["status"] for each in client.scheduler_info()["workers"].values()} != {"paused"}:
            time.sleep(0.1)
        return client.submit(sum, [1, 2])

    def pausing(client):
        return client.map(time.sleep, [0.5] * 30, pure=False)
"""


@pytest.fixture
def obstructed(start, make_cluster, tmp_path: Path):
    (tmp_path / "obstructed.py").write_text(textwrap.dedent(CODE))

    def obstructed(
        entry: str, *args: Any, worker: tuple[str, ...] = (), env: dict[str, str] | None = None, **kwargs: Any
    ):
        cluster = make_cluster(workers=0, env={"PYTHONPATH": str(tmp_path), **(env or {})})
        cluster.add_worker("worker-0", *worker)
        options = {"codePath": str(tmp_path), "kwargs": kwargs}
        options["scheduler"] = {"address": cluster.address, "timeoutSeconds": 15}
        return start(f"obstructed:{entry}", *args, cluster=cluster, **options)

    return obstructed


@pytest.mark.parametrize("entry", ["on_gpu", "forgotten"])
def test_a_resource_that_no_worker_has(obstructed, entry: str) -> None:
    outcome = obstructed(entry).wait()
    failure = outcome.failure
    assert (failure["reason"], failure["taskKey"]) == ("NoSuitableWorkers", "needs-gpu")
    assert failure["message"] == (
        "task needs-gpu asks for GPU: 1, which no worker offers: the workers offer no resources. "
        "Give it to workers with daskResources (spec.cluster.workers.daskResources)"
    )
    assert outcome.seconds < 30


def test_too_little_of_a_resource_and_one_of_another_case(obstructed) -> None:
    worker = ("--resources", "GPU=1 memory=3")
    assert obstructed("on_gpu", worker=worker).wait().value == 3
    message = obstructed("on_gpu", 2, worker=worker).wait().failure["message"]
    assert message.startswith(
        "task needs-gpu asks for GPU: 2, which no worker offers: workers offer GPU: 1, memory: 3. "
    )
    message = obstructed("on_gpu", 1, "gpu", worker=worker).wait().failure["message"]
    assert (
        "asks for gpu: 1, which no worker offers: workers offer GPU: 1, memory: 3 (capital and small letters differ)"
        in message
    )


def test_a_resource_that_user_code_gives_its_workers(obstructed) -> None:
    assert obstructed("given").wait().value == 3


TIMEOUT = {"DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT": "8 s"}


@pytest.mark.parametrize("entry", ["paused", "pausing"])
def test_workers_that_are_paused_for_memory(obstructed, entry: str) -> None:
    """Whether a worker has the task already, or none has; Dask itself ends the job in the second case alone."""
    running = obstructed(entry, worker=("--memory-limit", "30MiB"), env=TIMEOUT)
    waiting = wait_for("word of paused workers", lambda: running.status().get("waiting"))
    assert [each["reason"] for each in waiting] == ["WorkersPaused"]
    assert waiting[0]["message"].startswith("all 1 workers are paused: each uses most of its memory limit of 30 MiB. ")
    failure = running.wait().failure
    assert failure["reason"] == "WorkersPaused"
    assert "memory limit of 30 MiB. Raise the workers' limit" in failure["message"]


def test_a_task_for_a_worker_that_is_not_there(obstructed) -> None:
    outcome = obstructed("elsewhere").wait()
    failure = outcome.failure
    assert (failure["reason"], failure["taskKey"]) == ("NoSuitableWorkers", "elsewhere")
    assert "alone, and there is no such worker: the workers are " in failure["message"]
    assert outcome.seconds < 30


def test_an_import_that_hangs(start, tmp_path: Path) -> None:
    code = f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}):\n    time.sleep(0.1)\nmain = 5\n"
    (tmp_path / "hangs.py").write_text(code)
    running = start("hangs:main", codePath=str(tmp_path))
    waiting = wait_for("word of the import", lambda: running.status().get("waiting"))
    assert waiting[0]["reason"] == "Importing"
    assert waiting[0]["message"] in [f"module hangs is still being imported, at hangs.py:{line}" for line in (2, 3)]
    (tmp_path / "go").touch()
    outcome = running.wait()
    assert outcome.value == 5
    assert outcome.status["waiting"] == []


def shot(**changed: Any) -> dict[str, Any]:
    """A snapshot of the scheduler: one worker that does nothing."""
    whole = {"workers": {"tcp://a:1": ["w", 1, True, 0, 0]}, "prefixes": {}, "offers": [], "stuck": [], "placed": []}
    return {**whole, **changed}


STUCK = [["key", {"GPU": 2.0}, 1]]
PAUSED = {"tcp://a:1": ["w", 1, True, 4 * 2**20, 0]}
PENDING = {"sum": [1, 0, 0, 1, 0, 0]}


@pytest.mark.parametrize(
    ("before", "after", "fails"),
    [
        (shot(stuck=STUCK), shot(stuck=STUCK), True),
        (shot(stuck=STUCK, offers=[{"GPU": 1}]), shot(stuck=STUCK, offers=[{"GPU": 1}]), True),
        # One that had it may come back: a worker that died is started anew.
        (shot(offers=[{"GPU": 2}]), shot(stuck=STUCK), False),
        (shot(), shot(stuck=STUCK), False),
        (shot(stuck=[["other", {"GPU": 2.0}, 1]]), shot(stuck=STUCK), False),
        (shot(stuck=STUCK, workers={}), shot(stuck=STUCK, workers={}), False),
        (shot(stuck=[["key", {}, 1]]), shot(stuck=[["key", {}, 1]]), False),
    ],
)
def test_only_a_task_that_waits_for_long_for_what_nobody_ever_had_fails(before: Any, after: Any, fails: bool) -> None:
    obstacles = Obstacles()
    assert obstacles.find_end(100.0, before) is None
    assert obstacles.find_end(100.0 + RESOURCE_GRACE - 0.1, after) is None
    found = obstacles.find_end(100.0 + RESOURCE_GRACE, after)
    assert (found is not None) == fails


BIG = GroupOrders("big", adaptive=AdaptiveBounds(0, 2), resources={"GPU": 2, "big": 1})


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"GPU": 2}, ""),
        ({"GPU": 2, "big": 1}, ""),
        (
            {"GPU": 3},
            "GPU: 3, which no worker offers: workers of group big offer GPU: 2, big: 1; workers offer disk: 9. ",
        ),
        # No worker has both.
        ({"GPU": 1, "disk": 1}, "GPU: 1, disk: 1, which no worker offers: workers of group big offer GPU: 2, big: 1; "),
        ({"disk": 9}, ""),
        ({"Disk": 9}, "workers offer disk: 9 (capital and small letters differ). "),
    ],
)
def test_workers_that_are_to_come_count(wanted: dict[str, float], words: str) -> None:
    """A group that has none yet, and grows."""
    obstacles = Obstacles(groups=(GroupOrders(), BIG))
    shots = shot(stuck=[["key", wanted, 5]], offers=[{}, {"disk": 9}])
    assert obstacles.find_end(100.0, shots) is None
    failure = obstacles.find_end(100.0 + RESOURCE_GRACE, shots)
    assert (failure is not None) == bool(words)
    assert failure is None or words in failure["message"]
    assert bool(obstacles.mistake_in("key", wanted, [], [])) == bool(words)


@pytest.mark.parametrize(
    ("places", "fails"),
    [
        (["worker-7"], True),
        (["tcp://b:1", "other"], True),
        (["w"], False),
        (["a"], False),
        (["worker-7", "tcp://a:1"], False),
        # It was there, and may come back.
        (["gone"], False),
    ],
)
def test_a_task_for_a_worker_that_never_was_fails(places: list[str], fails: bool) -> None:
    obstacles = Obstacles()
    assert obstacles.find_end(99.0, shot(workers={"tcp://c:1": ["gone", 1, True, 0, 0]})) is None
    assert obstacles.find_end(100.0, shot(placed=[["key", places]])) is None
    failure = obstacles.find_end(100.0 + RESOURCE_GRACE, shot(placed=[["key", places]]))
    assert (failure is not None) == fails
    if failure is not None:
        words = f"task key may run on {' or '.join(places)} alone, and there is no such worker: the workers are w. "
        assert failure["message"].startswith(words)


@pytest.mark.parametrize(
    ("before", "after", "waits"),
    [
        (shot(workers=PAUSED, prefixes=PENDING), shot(workers=PAUSED, prefixes=PENDING), True),
        (shot(workers=PAUSED), shot(workers=PAUSED), False),
        (shot(prefixes=PENDING), shot(workers=PAUSED, prefixes=PENDING), False),
        (shot(workers={}, prefixes=PENDING), shot(workers={}, prefixes=PENDING), False),
    ],
)
def test_paused_workers_are_told_if_there_is_work(before: Any, after: Any, waits: bool) -> None:
    obstacles = Obstacles()
    assert obstacles.look(100.0, before) == []
    assert [each["reason"] for each in obstacles.look(100.0 + PAUSED_GRACE, after)] == ["WorkersPaused"] * waits
    some = {**PAUSED, "tcp://b:1": ["v", 1, True, 0, 0]}
    assert obstacles.look(100.0 + 2 * PAUSED_GRACE, shot(workers=some, prefixes=PENDING)) == []


@pytest.mark.parametrize(
    ("resources", "workers", "hosts", "mistake"),
    [
        ({}, [], [], False),
        ({"GPU": 1}, [], [], False),
        ({"GPU": 2}, [], [], True),
        ({"gpu": 1}, ["tcp://a:1"], [], True),
        ({}, ["tcp://a:1"], [], False),
        ({}, ["tcp://b:1", "tcp://a:1"], [], False),
        ({}, ["tcp://b:1"], [], True),
        ({}, [], ["a"], False),
        ({}, [], ["b"], True),
    ],
)
def test_what_was_there_and_is_lost_is_no_mistake(resources: Any, workers: Any, hosts: Any, mistake: bool) -> None:
    obstacles = Obstacles()
    obstacles.find_end(100.0, shot(offers=[{"GPU": 1}]))
    obstacles.find_end(101.0, shot(workers={}))
    assert bool(obstacles.mistake_in("key", resources, workers, hosts)) == mistake


def test_paused_workers_end_the_job_only_if_they_execute_nothing() -> None:
    obstacles, busy = Obstacles(20), {"tcp://a:1": ["w", 1, True, 4 * 2**20, 1]}
    assert obstacles.find_end(100.0, shot(workers=PAUSED, prefixes=PENDING)) is None
    assert obstacles.find_end(110.0, shot(workers=busy, prefixes=PENDING)) is None
    assert obstacles.find_end(120.0, shot(workers=PAUSED, prefixes=PENDING)) is None
    assert obstacles.find_end(139.9, shot(workers=PAUSED, prefixes=PENDING)) is None
    failure = obstacles.find_end(140.0, shot(workers=PAUSED, prefixes=PENDING))
    assert failure is not None
    assert failure["message"].startswith("all 1 workers are paused: each uses most of its memory limit of 4 MiB. ")


def test_an_import_that_computes_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    obstacles = Obstacles()
    monkeypatch.setattr("daskjob.runner.obstacles.time.monotonic", lambda: 100.0)
    obstacles.imports("module", str(Path(__file__).parent))
    later = 100.0 + IMPORT_GRACE
    assert obstacles.look(later - 0.1, shot()) == []
    assert obstacles.look(later, shot(prefixes={"sum": [1, 0, 1, 0, 0, 0]})) == []
    (waiting,) = obstacles.look(later, shot())
    assert waiting["message"].startswith("module module is still being imported, at test_obstacles.py:")
    obstacles.has_imported()
    assert obstacles.look(later, shot()) == []
