"""`daskjob wait` and `logs`, and the commands that change a job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from ..client.played import Answer, Body, Stream, event, job, listed, status
from ..support.waiting import wait_for
from .scenes import EVIL, On, ends


@pytest.mark.parametrize(
    ("arguments", "ended", "code"),
    [
        ([], "Complete", 0),
        ([], "TaskFailed", 1),
        ([], "Cancelled", 5),
        (["--for", "finished"], "TaskFailed", 0),
    ],
)
def test_wait(on: On, arguments: list[str], ended: str, code: int) -> None:
    _, run = on(ends(ended=ended))
    assert run("wait", "one", *arguments).exit_code == code


def test_wait_for_too_long(on: On) -> None:
    _, run = on({"list daskjobs": [listed(job())], "watch daskjobs": [Stream([], "stays")]})
    done = run("wait", "one", "--timeout", "0.2s")
    assert done.exit_code == 124
    assert "one did not end within 0.2 s; it goes on" in done.stderr


def test_wait_for_what_is_deleted(on: On) -> None:
    _, run = on({"list daskjobs": [listed(job())], "watch daskjobs": [Stream([event("DELETED", job())], "stays")]})
    done = run("wait", "one")
    assert (done.exit_code, done.stdout, done.stderr[-25:]) == (5, "one  deleted\n", "daskjob: one was deleted\n")


def test_wait_for_what_is_made_anew(on: On) -> None:
    stream = Stream([event("DELETED", job()), event("ADDED", job(uid="u2"))], "stays")
    missed = Stream([event("ADDED", job(uid="u2"))], "stays")
    for watch, words in (
        (stream, "one was deleted\n"),
        (missed, "one was deleted, and another job has its name now\n"),
    ):
        _, run = on({"list daskjobs": [listed(job())], "watch daskjobs": [watch]})
        done = run("wait", "one")
        assert done.exit_code == 5
        assert done.stderr.endswith(f"daskjob: {words}")


def test_wait_for_nothing(on: On) -> None:
    _, run = on({"list daskjobs": [listed()], "watch daskjobs": [Stream([], "stays")]})
    assert run("wait", "one").exit_code == 4


def test_no_cluster(on: On) -> None:
    server, run = on({})
    server.close()
    done = run("list")
    assert done.exit_code == 3
    assert "is the cluster up" in done.stderr


def test_interrupted(on: On) -> None:
    """Ctrl-C leaves the job as it is."""
    server, _ = on({"list daskjobs": [listed(job())], "watch daskjobs": [Stream([], "stays")]})
    command = [sys.executable, "-m", "daskjob.cli", "wait", "one"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    wait_for("the watch", lambda: server.times("watch daskjobs"), bool)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in words
    assert words.endswith("one: not ended, and goes on\n")


def pod(name: str, component: str) -> Body:
    label = "daskjob.io/component" if component == "runner" else "dask.org/component"
    return {
        "metadata": {
            "name": name,
            "namespace": "team",
            "uid": name,
            "labels": {label: component, "daskjob.io/attempt": "1"},
        },
        "spec": {"restartPolicy": "Never"},
        "status": {"containerStatuses": [{"name": component, "state": {"terminated": {}}}]},
    }


def test_logs(on: On) -> None:
    """Those of workers with the pod's name; cleaned of what a terminal obeys."""
    line = f"2026-11-26T12:00:00.000000001Z a\t{EVIL}\n".encode()
    current = job(attempt=1, attempts=[{"number": 1}])
    _, run = on(
        {
            "get daskjobs/one": [Answer(current)],
            "list pods": [listed(pod("one-runner", "runner"), pod("w1", "worker"))],
            "log pods/one-runner": [Stream([line])],
            "log pods/w1": [Stream([line])],
        }
    )
    assert run("logs", "one").stdout == "a redtxt\n"
    assert run("logs", "one", "--component", "worker").stdout == "[w1] a redtxt\n"
    done = run("logs", "one", "--component", "scheduler")
    assert done.exit_code == 4
    assert "there is no scheduler pod of job one" in done.stderr


def test_logs_followed_end_with_the_job(on: On) -> None:
    failure = {"reason": "TaskFailed", "message": "ValueError: x"}
    _, run = on(
        {
            "get daskjobs/one": [Answer(job())],
            **ends(ended="TaskFailed", failure=failure, attempt=1, attempts=[{"number": 1}]),
            "list pods": [listed(pod("one-runner", "runner"))],
            "watch pods": [Stream([], "stays")],
            "log pods/one-runner": [Stream([b"2026-11-26T12:00:00.000000001Z last words\n"])],
            "get pods/one-runner": [Answer(pod("one-runner", "runner"))],
        }
    )
    done = run("logs", "one", "-f")
    assert (done.exit_code, done.stdout) == (1, "last words\n")
    assert "one failed: TaskFailed" in done.stderr


def test_logs_of_the_attempt_before(on: On) -> None:
    """It ends with that attempt, and by how that ended."""
    failed = {"number": 1, "outcome": "Failed", "reason": "SchedulerLost", "class": "Infrastructure"}
    current = job(attempt=2, attempts=[failed, {"number": 2}], phase="Running")
    _, run = on(
        {
            "get daskjobs/one": [Answer(current)],
            "list daskjobs": [listed(current)],
            "watch daskjobs": [Stream([], "stays")],
            "list pods": [listed(pod("one-runner", "runner"))],
            "watch pods": [Stream([], "stays")],
            "log pods/one-runner": [Stream([b"2026-11-26T12:00:00.000000001Z last words\n"])],
            "get pods/one-runner": [Answer(pod("one-runner", "runner"))],
        }
    )
    assert run("logs", "one", "-p").stdout == "last words\n"
    done = run("logs", "one", "-f", "--previous")
    assert (done.exit_code, done.stdout) == (1, "last words\n")
    assert done.stderr == "one: attempt 1 failed (SchedulerLost, Infrastructure)\n"
    assert run("logs", "one", "-p", "--attempt", "1").exit_code == 2


def test_a_change_of_a_job_that_was_deleted_meanwhile(on: On) -> None:
    cause = {"field": "metadata.uid", "message": 'Invalid value: "u1": field is immutable'}
    replaced = status(422, "Invalid", "metadata.uid is immutable", causes=[cause])
    deleted = "the UID in the precondition (u1) does not match the UID in record (u2)"
    gone = status(404, "NotFound", 'daskjobs.daskjob.io "one" not found', name="one", kind="daskjobs")
    _, run = on(
        {
            "get daskjobs/one": [Answer(job())],
            "patch daskjobs/one": [replaced, gone],
            "delete daskjobs/one": [status(409, "Conflict", deleted), gone],
        }
    )
    for command in ("cancel", "delete"):
        done = run(command, "one")
        assert (done.exit_code, done.stderr) == (5, "daskjob: one was deleted, and another job has its name now\n")
        done = run(command, "one")
        assert (done.exit_code, done.stderr) == (5, "daskjob: one was deleted\n")


def test_changes(on: On) -> None:
    server, run = on(
        {
            "get daskjobs/one": [Answer(job())],
            "patch daskjobs/one": [Answer(job())],
            "delete daskjobs/one": [Answer({})],
        }
    )
    for name in ("cancel", "suspend", "resume", "delete"):
        assert run(name, "one").exit_code == 0
    sent = [each.body for each in server.asked if each.what.startswith(("patch", "delete"))]
    assert [each.get("spec") for each in sent] == [{"cancel": True}, {"suspend": True}, {"suspend": False}, None]
    assert sent[-1]["preconditions"] == {"uid": "u1"}
    assert run("retry", "one").exit_code == 2


def test_cron(on: On) -> None:
    known = {
        "kind": "DaskCronJob",
        "metadata": {"name": "nightly", "namespace": "team"},
        "spec": {"schedule": "0 3 * * *"},
    }
    server, run = on({"list daskcronjobs": [listed(known)], "patch daskcronjobs/nightly": [Answer(known)]})
    assert "0 3 * * *" in run("cron", "list").stdout
    assert run("cron", "run-now", "nightly").exit_code == 0
    assert server.asked[-1].body["metadata"]["annotations"]["daskjob.io/run-now"]
    assert run("cron", "suspend", "nightly").exit_code == 0
    assert server.asked[-1].body == {"spec": {"suspend": True}}
