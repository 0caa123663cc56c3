"""The trace has every task, in a form that viewers draw."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from distributed import Client, LocalCluster
from hypothesis import given
from hypothesis import strategies as st

from daskjob.runner import task_stream
from daskjob.runner.questions import by_value
from daskjob.runner.trace import FIRST_TRACK, TraceFile, write_trace


def whole(lines: str) -> dict[str, Any]:
    file = io.StringIO()
    write_trace(io.StringIO(lines), file)
    trace: dict[str, Any] = json.loads(file.getvalue())
    return trace


@pytest.fixture
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=2, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_it_has_all_tasks_and_where_they_ran(client: Client) -> None:
    assert client.run_on_scheduler(by_value(task_stream.collect)) == "true"
    assert client.run_on_scheduler(by_value(task_stream.collect)) == "false"
    wrong = client.submit(lambda: 1 / 0, key="wrong-1", retries=0)
    client.gather(client.map(lambda x: x + 1, range(12_000), key=[("step", i) for i in range(12_000)]))
    assert wrong.exception() is not None
    text = io.StringIO()
    file = TraceFile(text)
    left = 1
    while left:
        # Who did not write what he was given is given it again.
        client.run_on_scheduler(by_value(task_stream.fetch), have=file.tasks)
        answer = json.loads(client.run_on_scheduler(by_value(task_stream.fetch), have=file.tasks))
        file.add(answer["rows"], answer["finished"], answer["names"])
        left = answer["left"]
    trace = whole(text.getvalue())
    assert trace["otherData"] == {"finished": 12_001, "in the trace": 12_001}
    computed = [each for each in trace["traceEvents"] if each["ph"] == "X" and each["tid"] < FIRST_TRACK]
    assert {each["args"]["key"] for each in computed} == {"wrong-1", *(str(("step", i)) for i in range(12_000))}
    assert {each["name"] for each in computed} == {"step", "wrong"}
    assert [each["args"]["key"] for each in computed if each["cat"] == "erred"] == ["wrong-1"]
    names = {each["args"]["name"] for each in trace["traceEvents"] if each["name"] == "process_name"}
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    assert names == {str(each["name"]) for each in workers}


STEPS = st.lists(
    st.tuples(st.sampled_from(["compute", "transfer"]), st.integers(0, 50), st.integers(0, 9)), max_size=40
)


@given(STEPS, st.integers(0, 40), st.integers(0, 400))
def test_events_of_a_track_do_not_overlap(steps: list[tuple[str, int, int]], written: int, cut: int) -> None:
    """Whichever of two processes has written them; the first one has ended while it wrote some more."""
    text = io.StringIO()
    rows = []
    for number, (action, start, length) in enumerate(sorted(steps, key=lambda each: each[1])):
        # A thread has one task at a time.
        where = number if action == "compute" else 0
        rows.append([f"a-{number}", False, "tcp://w", where, None, [[action, 1.0 + start, 1.0 + start + length]]])
    first = TraceFile(text)
    first.add(rows[:written], len(rows[:written]), {})
    size = text.tell()
    first.add(rows[written : written + 5], len(rows), {})
    # Of what it added, but for the counter at its end.
    added = text.getvalue()[size:-1]
    text.seek(size + min(cut, added.rfind("\n") + 1))
    text.truncate()
    text.seek(0)
    resumed = TraceFile.resume(text)
    assert resumed.tasks == len(rows[:written])
    resumed.add(rows[written:], len(rows), {})
    assert resumed.tasks == len(rows)
    tracks: dict[int, list[tuple[int, int]]] = {}
    for event in whole(text.getvalue())["traceEvents"]:
        if event["ph"] == "X":
            tracks.setdefault(event["tid"], []).append((event["ts"], event["ts"] + event["dur"]))
    for events in tracks.values():
        assert all(before[1] <= after[0] for before, after in pairwise(events))


def test_a_line_that_the_process_did_not_end_is_left_out() -> None:
    text = io.StringIO()
    TraceFile(text).add([["a-1", False, "tcp://w", 5, 28, [["compute", 1.0, 2.5]]]], 1, {"tcp://w": "worker-7"})
    whole_lines = text.getvalue()
    trace = whole(whole_lines + '{"ph":"X","name":"b')
    assert trace == whole(whole_lines)
    assert trace["otherData"] == {"finished": 1, "in the trace": 1}
    assert trace["traceEvents"][0]["args"] == {"name": "worker-7", "address": "tcp://w"}
    (event,) = [each for each in trace["traceEvents"] if each["ph"] == "X"]
    assert (event["ts"], event["dur"], event["args"]) == (1_000_000, 1_500_000, {"key": "a-1", "bytes": 28})


def test_a_trace_of_nothing_is_one() -> None:
    assert whole("") == {"displayTimeUnit": "ms", "traceEvents": [], "otherData": {}}
