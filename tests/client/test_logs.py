"""A log is delivered to its end, each line once, whatever happens to pods and connections."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Any

import pytest

from daskjob.client import pod_log
from daskjob.client.job_client import JobClient
from daskjob.client.job_end import End
from daskjob.client.job_logs import LogChoice, LogFollower, LogsGone, previous_attempt, read
from daskjob.client.pod_log import Delivered, PodLog
from daskjob.client.problems import Forbidden, NotFound

from .conftest import Connected
from .played import Answer, Asked, Body, Play, Stream, event, forbidden, job, listed, not_found, status


def stamp(second: int, nanosecond: int = 0) -> str:
    return f"2026-11-26T12:00:{second:02}.{nanosecond:09}Z"


def lines(*numbered: tuple[int, str], nanosecond: int = 0) -> list[bytes]:
    return [f"{stamp(second, nanosecond)} {text}\n".encode() for second, text in numbered]


def pod(
    name: str = "one-runner", uid: str = "p1", state: str = "running", *, attempt: int = 1, component: str = "runner"
) -> Body:
    """`state`: waiting, running or terminated."""
    label = "daskjob.io/component" if component == "runner" else "dask.org/component"
    labels = {label: component, "daskjob.io/attempt": str(attempt), "daskjob.io/job-uid": "u1"}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "team", "uid": uid, "resourceVersion": "1", "labels": labels},
        "spec": {"restartPolicy": "Never"},
        "status": {"containerStatuses": [{"name": component, "state": {state: {}}, "restartCount": 0}]},
    }


def follow(client: JobClient, notes: list[str] | None = None, **options: Any) -> list[str]:
    log = PodLog(client.transport, pod(), "runner", 1, note=(notes if notes is not None else []).append, **options)
    return [each.text for each in log.follow()]


def texts(*found: str) -> list[str]:
    return list(found)


ENDED: list[Play] = [Answer(pod(state="terminated"))]


def test_a_log_to_its_end(connected: Connected) -> None:
    """Once the container has ended, what came between the stream's end and the container's is read, too."""
    server, client = connected(
        {
            "log pods/one-runner": [
                Stream(lines((1, "a"), (2, "b"))),
                Stream([*lines((1, "a"), (2, "b"), (3, "c")), f"{stamp(3)} no line end".encode()]),
            ],
            "get pods/one-runner": ENDED,
        }
    )
    assert follow(client) == texts("a", "b", "c", "no line end")
    first, second = [each.query for each in server.asked if each.what.startswith("log")]
    assert first == {"container": "runner", "timestamps": "true", "follow": "true"}
    assert second == {"container": "runner", "timestamps": "true", "sinceTime": "2026-11-26T12:00:01Z"}


def test_a_dropped_connection_loses_and_doubles_nothing(connected: Connected) -> None:
    """The API server begins again at whole seconds: lines are known by nanosecond and text, equal ones counted."""
    same = lines((5, "x"), (5, "x"), (5, "y"))
    half = f"{stamp(5)} half a li".encode()
    _, client = connected(
        {
            "log pods/one-runner": [
                Stream([*same, half], "cut"),
                Stream([*same, *lines((5, "half a line"), (5, "x"), (6, "z"))], "cut"),
                Stream([*same, *lines((5, "half a line"), (5, "x"), (6, "z"), (7, "end"))]),
            ],
            "get pods/one-runner": [Answer(pod()), *ENDED],
        }
    )
    assert follow(client) == texts("x", "x", "y", "half a line", "x", "z", "end")


def test_the_connection_ends_in_order_while_the_container_runs(connected: Connected) -> None:
    """As when an API server is shut down."""
    first = Stream(lines((1, "a")))
    second = Stream(lines((1, "a"), (2, "b")))
    _, client = connected(
        {"log pods/one-runner": [first, second], "get pods/one-runner": [Answer(pod()), Answer(pod()), *ENDED]}
    )
    assert follow(client) == texts("a", "b")


def test_the_last_lines_only_also_after_a_dropped_connection(connected: Connected) -> None:
    before = lines((1, "older"), (1, "old"), nanosecond=1)
    tail = lines((1, "a"), nanosecond=2)
    server, client = connected(
        {
            "log pods/one-runner": [Stream(tail, "cut"), Stream([*before, *tail, *lines((2, "b"))])],
            "get pods/one-runner": [Answer(pod()), *ENDED],
        }
    )
    assert follow(client, tail=1) == texts("a", "b")
    assert [each.query.get("tailLines") for each in server.asked if each.what.startswith("log")][:2] == ["1", None]


def test_a_container_that_was_restarted(connected: Connected) -> None:
    """What it printed before it ended is read, too."""

    def log(asked: Asked) -> Stream:
        if "previous" in asked.query:
            return Stream(lines((1, "a"), (2, "last words")))
        return Stream(lines((3, "anew")) if asked.query.get("sinceTime") else lines((1, "a")))

    restarted = pod()
    restarted["status"]["containerStatuses"][0]["restartCount"] = 1
    _, client = connected({"log pods/one-runner": [log], "get pods/one-runner": [Answer(restarted), *ENDED]})
    assert follow(client) == texts("a", "last words", "anew")


@pytest.mark.parametrize("answer", [not_found("get pods/one-runner"), Answer(pod(uid="p2"))], ids=["gone", "another"])
def test_a_pod_that_is_gone(connected: Connected, answer: Answer) -> None:
    """Half a line was its last word."""
    _, client = connected(
        {
            "log pods/one-runner": [Stream([*lines((1, "a")), f"{stamp(2)} ha".encode()], "cut")],
            "get pods/one-runner": [answer],
        }
    )
    assert follow(client) == texts("a", "ha")


def test_a_node_that_does_not_answer(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the job has ended, this is not tried for ever, and told."""
    monkeypatch.setattr(pod_log, "PATIENCE_AT_THE_END", 0.2)
    away = status(500, "InternalError", 'Get "https://10.0.0.1:10250": dial tcp: connection refused')
    _, client = connected({"log pods/one-runner": [away], "get pods/one-runner": [Answer(pod())]})
    notes: list[str] = []
    assert follow(client, notes, is_over=lambda: True) == []
    assert notes[0].endswith("trying again")
    assert "cannot be read to the end" in notes[-1]


def test_long_lines_and_odd_bytes(connected: Connected) -> None:
    long = b"x" * 2**20
    chunks = [stamp(1).encode() + b" " + long[:1000], long[1000:] + b"\n", stamp(2).encode() + b" \xff\x1b[2J\r\n"]
    _, client = connected({"log pods/one-runner": [Stream(chunks)], "get pods/one-runner": ENDED})
    found = follow(client)
    assert [len(each) for each in found] == [2**20, 5]


def test_the_rest_of_a_line_that_began_earlier_is_none() -> None:
    delivered = Delivered()
    assert delivered.is_new(stamp(1), b"a")
    assert not delivered.is_new("middle", b"of a line")


def test_what_is_remembered_is_bounded() -> None:
    """By the two seconds that may be asked for again."""
    delivered = Delivered()
    assert all(delivered.is_new(stamp(second, number), b"x") for second in range(60) for number in range(100))
    assert len(delivered._lines) == 200


# --- all logs of a job


def status_with(*attempts: tuple[int, int], **more: Any) -> Body:
    """A job with attempts: number and run."""
    numbered = [{"number": number, "run": run, "name": f"one-{number}"} for number, run in attempts]
    return job(attempts=numbered, attempt=attempts[-1][0] if attempts else None, **more)


def test_from_before_the_pod_exists_over_a_retry_to_the_end(connected: Connected) -> None:
    """The second runner's lines come after the first one's, also if its pod is there before those are read."""
    first, second = pod(), pod("two-runner", "p2", attempt=2)
    done = event("MODIFIED", status_with((1, 1), (2, 1), version="20", ended="Complete"))
    read_both = {"first": False}

    def job_watch(asked: Asked) -> Stream:
        return Stream([done], "stays")

    def first_log(asked: Asked) -> Stream:
        read_both["first"] = True
        return Stream(lines((1, "1a"), (2, "1b")))

    waiting = pod(state="waiting")
    pods = [event("ADDED", waiting), event("MODIFIED", first), event("ADDED", second)]
    _, client = connected(
        {
            "list daskjobs": [listed(job())],
            "watch daskjobs": [job_watch],
            "list pods": [listed(), listed(pod(state="terminated"), second)],
            "watch pods": [Stream(pods, "stays")],
            "log pods/one-runner": [first_log],
            "log pods/two-runner": [Stream(lines((3, "2a")))],
            "get pods/one-runner": [Answer(pod(state="terminated"))],
            "get pods/two-runner": [Answer(pod("two-runner", "p2", "terminated", attempt=2))],
        }
    )
    follower = LogFollower(client, job())
    assert [(each.attempt, each.text) for each in follower.lines()] == [(1, "1a"), (1, "1b"), (2, "2a")]
    assert follower.end is not None
    assert follower.end[0] is End.SUCCEEDED


def test_nothing_goes_on_when_nobody_reads_any_more(connected: Connected) -> None:
    server, client = connected(
        {
            "list daskjobs": [listed(status_with((1, 1)))],
            "watch daskjobs": [Stream([], "stays")],
            "list pods": [listed(pod())],
            "watch pods": [Stream([], "stays")],
            "log pods/one-runner": [Stream(lines((1, "a"), (2, "b")))],
            "get pods/one-runner": [Answer(pod())],
        }
    )
    before = set(threading.enumerate())
    with closing(LogFollower(client, job()).lines()) as reading:
        next(reading)
        mine = [each for each in threading.enumerate() if each.name == "daskjob logs" and each not in before]
        assert len(mine) == 3
    server.close()
    for each in mine:
        each.join(timeout=30)
    assert not any(each.is_alive() for each in mine)


def test_several_workers(connected: Connected) -> None:
    names = ("w1", "w2")
    running = [pod(each, f"p-{each}", component="worker") for each in names]
    plays: dict[str, list[Play]] = {
        "list daskjobs": [listed(status_with((1, 1), ended="Complete"))],
        "watch daskjobs": [Stream([], "stays")],
        "list pods": [listed(*running, pod())],
        "watch pods": [Stream([], "stays")],
    }
    for each in names:
        plays[f"log pods/{each}"] = [Stream(lines((1, f"of {each}")))]
        plays[f"get pods/{each}"] = [Answer(pod(each, f"p-{each}", "terminated", component="worker"))]
    _, client = connected(plays)
    found = {(each.pod, each.text) for each in LogFollower(client, job(), LogChoice("worker")).lines()}
    assert found == {("w1", "of w1"), ("w2", "of w2")}


def test_only_those_of_the_run(connected: Connected) -> None:
    """Runners of the runs before stay, with their logs."""
    pods = [pod(f"r{number}", f"p{number}", "terminated", attempt=number) for number in (1, 2, 3)]
    plays: dict[str, list[Play]] = {
        "list daskjobs": [listed(status_with((1, 1), (2, 2), (3, 2), run=2, ended="Complete"))],
        "watch daskjobs": [Stream([], "stays")],
        "list pods": [listed(*pods)],
        "watch pods": [Stream([], "stays")],
    }
    for each in pods:
        name = each["metadata"]["name"]
        plays[f"log pods/{name}"] = [Stream(lines((1, name)))]
        plays[f"get pods/{name}"] = [Answer(each)]
    _, client = connected(plays)
    current = status_with((1, 1), (2, 2), (3, 2), run=2)
    assert [each.text for each in LogFollower(client, current).lines()] == ["r2", "r3"]
    assert [each.text for each in LogFollower(client, current, LogChoice(attempt=1)).lines()] == ["r1"]


def attempts_of_a_job_that_runs(*outcomes: str | None) -> Body:
    """One attempt for each outcome; None: it runs."""
    known = [{"number": n, "run": 1, "outcome": each} for n, each in enumerate(outcomes, 1)]
    return job(attempts=[{k: v for k, v in each.items() if v} for each in known], attempt=len(outcomes), version="3")


@pytest.mark.parametrize("ends", ["before", "meanwhile"])
def test_the_log_of_an_attempt_ends_with_it(connected: Connected, ends: str) -> None:
    """The job goes on with the next attempt."""
    later = attempts_of_a_job_that_runs("Failed", None)
    stream = [event("MODIFIED", later)] if ends == "meanwhile" else []
    _, client = connected(
        {
            "list daskjobs": [listed(later if ends == "before" else attempts_of_a_job_that_runs(None))],
            "watch daskjobs": [Stream(stream, "stays")],
            "list pods": [listed(pod(state="terminated"))],
            "watch pods": [Stream([], "stays")],
            "log pods/one-runner": [Stream(lines((1, "a"), (2, "b")))],
            "get pods/one-runner": [Answer(pod(state="terminated"))],
        }
    )
    follower = LogFollower(client, job(), LogChoice(attempt=1))
    assert [each.text for each in follower.lines()] == ["a", "b"]
    assert (follower.end, (follower.attempt or {})["outcome"]) == (None, "Failed")


def test_the_log_of_an_attempt_whose_pod_is_gone(connected: Connected) -> None:
    _, client = connected(
        {
            "list daskjobs": [listed(attempts_of_a_job_that_runs("Failed", None))],
            "watch daskjobs": [Stream([], "stays")],
            "list pods": [listed(pod("two-runner", "p2", attempt=2))],
            "watch pods": [Stream([], "stays")],
        }
    )
    with pytest.raises(LogsGone, match="that of attempt 1 is gone"):
        list(LogFollower(client, job(), LogChoice(attempt=1)).lines())


def test_the_attempt_before_the_last() -> None:
    assert previous_attempt(status_with((1, 1), (2, 1))) == 1
    with pytest.raises(NotFound, match="there is no previous attempt of job one"):
        previous_attempt(status_with((1, 1)))


@pytest.mark.parametrize(
    ("list_of_jobs", "stream"),
    [
        (listed(), []),
        (listed(job(uid="u2")), []),
        (listed(job()), [event("DELETED", job(version="30"))]),
    ],
    ids=["before", "made anew", "meanwhile"],
)
def test_a_job_that_is_deleted(connected: Connected, list_of_jobs: Answer, stream: list[bytes]) -> None:
    _, client = connected(
        {
            "list daskjobs": [list_of_jobs],
            "watch daskjobs": [Stream(stream, "stays")],
            "list pods": [listed()],
            "watch pods": [Stream([], "stays")],
        }
    )
    follower = LogFollower(client, job())
    assert list(follower.lines()) == []
    assert follower.end is not None
    assert follower.end[0] is End.DELETED


def test_who_may_not_read_pods_is_told(connected: Connected) -> None:
    _, client = connected(
        {
            "list daskjobs": [listed(job())],
            "watch daskjobs": [Stream([], "stays")],
            "list pods": [forbidden("list")],
        }
    )
    with pytest.raises(Forbidden, match="you may not list pods in namespace team"):
        list(LogFollower(client, job()).lines())


@pytest.mark.parametrize(
    ("current", "attempt", "words"),
    [
        (job(), None, "no attempt has begun"),
        (status_with((1, 1), (2, 1)), None, "attempt 2 has none yet"),
        (status_with((1, 1), (2, 1)), 1, "that of attempt 1 is gone, and Kubernetes keeps no log"),
        (status_with((1, 1), ended="Complete"), 7, "there is no attempt 7; there are 1"),
    ],
)
def test_a_log_that_is_not_there(connected: Connected, current: Body, attempt: int | None, words: str) -> None:
    _, client = connected({"list pods": [listed()]})
    with pytest.raises(LogsGone, match=words):
        list(read(client, current, LogChoice(attempt=attempt)))


def test_a_log_as_it_is_now(connected: Connected) -> None:
    _, client = connected(
        {
            "list pods": [listed(pod())],
            "log pods/one-runner": [Stream(lines((1, "a")), "cut"), Stream(lines((1, "a"), (2, "b")))],
        }
    )
    assert [each.text for each in read(client, status_with((1, 1)), LogChoice())] == ["a", "b"]
