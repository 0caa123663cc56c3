"""`daskjob list`, `status`, `result` and `events`."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daskjob.cli.columns import CRON_COLUMNS, JOB_COLUMNS
from daskjob.cli.states import where
from daskjob.schema import load_crds

from ..client.played import Answer, Body, Stream, event, forbidden, job, listed
from .scenes import EVIL, On, ends


def full(**more: Any) -> Body:
    return job(
        phase="Running",
        progress={"summary": "4/10", "total": 10, "percent": 40},
        cluster={"summary": "1/2"},
        startTime="2026-11-26T12:00:00Z",
        attempts=[
            {
                "number": 1,
                "outcome": "Failed",
                "reason": "TaskFailed",
                "class": "Application",
                "message": "ValueError: x",
            },
            {"number": 2},
        ],
        attempt=2,
        **more,
    )


def test_list(on: On) -> None:
    _, run = on({"list daskjobs": [listed(full(), job("another", "u2", ended="Complete", summary="42"))]})
    lines = run("list").stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["NAME", "PHASE", "PROGRESS", "WORKERS", "RESULT", "AGE"],
        ["another", "Succeeded", "42"],
        ["one", "Running", "4/10", "1/2"],
    ]
    assert run("list", "--phase", "running", "-o", "name").stdout == "daskjob.daskjob.io/one\n"
    assert [each["metadata"]["name"] for each in json.loads(run("list", "-o", "json").stdout)["items"]] == [
        "another",
        "one",
    ]


@pytest.mark.parametrize("levels", [150, 800, 9000])
@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_list_with_an_object_of_any_depth(on: On, levels: int, output: str) -> None:
    """As anybody may create one in the namespace."""
    text = json.dumps({"items": [{**job("deep", "u2"), "spec": {"x": "HERE"}}, job()]})
    _, run = on({"list daskjobs": [Answer(text.replace('"HERE"', "[" * levels + "]" * levels).encode())]})
    done = run("list", "-o", output)
    assert done.exit_code == 0
    assert "one" in done.stdout


def test_list_none(on: On) -> None:
    _, run = on({"list daskjobs": [listed()]})
    done = run("list", "-l", "team=a")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "no DaskJobs in namespace team that match\n"
    assert json.loads(run("list", "-o", "json").stdout)["items"] == []


def test_list_and_watch(on: On) -> None:
    """A line for what there is and for each change; one that changes nothing in it brings none."""
    stream = [
        event("MODIFIED", full() | {"spec": {"x": 1}}),
        event("MODIFIED", job(version="8", ended="Complete")),
        event("DELETED", job(version="9", ended="Complete")),
    ]
    _, run = on(
        {
            "list daskjobs": [listed(full()), forbidden("list")],
            "watch daskjobs": [Stream([*stream, b"{}\n"]), forbidden("watch")],
        }
    )
    done = run("list", "-w")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["NAME", "PHASE"],
        ["one", "Running"],
        ["one", "Succeeded"],
    ]
    assert "one was deleted" in done.stderr
    assert done.exit_code == 3


@pytest.mark.parametrize(("kind", "columns"), [("DaskJob", JOB_COLUMNS), ("DaskCronJob", CRON_COLUMNS)])
def test_the_columns_are_those_of_the_definition(kind: str, columns: Any) -> None:
    [version] = load_crds()[kind]["spec"]["versions"]
    now = datetime(2026, 11, 26, 12, tzinfo=UTC)
    found = [(heading, only_wide) for heading, _, only_wide in columns[1:]]
    printed = version["additionalPrinterColumns"]
    assert found == [(each["name"].upper(), each.get("priority", 0) > 0) for each in printed]
    for (_, cell, _), column in zip(columns[1:], printed, strict=True):
        value = "2026-11-26T11:59:00Z" if column["type"] == "date" else "x"
        subject: Any = value
        for key in reversed(column["jsonPath"].strip(".").split(".")):
            subject = {key: subject}
        assert cell(subject, now) == ("1m" if column["type"] == "date" else "x")


def test_status(on: On) -> None:
    _, run = on({"get daskjobs/one": [Answer(full())]})
    text = run("status", "one").stdout
    assert text.splitlines()[0] == "team/one: running, 4/10 tasks"
    assert "  workers:   1/2 ready" in text
    assert "  attempt 1: failed (TaskFailed, Application): ValueError: x" in text
    assert "  attempt 2: runs" in text


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (
            {"outcome": "Succeeded", "reason": "Succeeded", "message": "the graph was computed"},
            "succeeded: the graph was",
        ),
        ({"outcome": "Suspended", "reason": "JobSuspended"}, "suspended (JobSuspended)"),
        ({"outcome": "Failed", "reason": "Stalled", "class": "Application"}, "failed (Stalled, Application)"),
    ],
)
def test_an_attempt_in_words(on: On, attempt: Body, words: str) -> None:
    current = job(ended="Complete", attempt=1, attempts=[{"number": 1, **attempt}])
    _, run = on({"get daskjobs/one": [Answer(current)]})
    assert f"  attempt 1: {words}" in run("status", "one").stdout


def test_status_of_a_failure_says_what_to_do(on: On) -> None:
    failure = {"reason": "NoWorkers", "message": "no worker joined"}
    _, run = on({"get daskjobs/one": [Answer(job(ended="NoWorkers", failure=failure))]})
    text = run("status", "one").stdout
    assert "one failed: NoWorkers" in text
    assert "what to do: daskjob events one says what became of their pods" in text


@pytest.mark.parametrize(
    ("current", "words"),
    [
        (job(), "waiting for the operator, which has not looked at it yet"),
        (
            job(phase="Queued", queuePosition=3, conditions=[{"type": "Queued", "status": "True", "message": "full"}]),
            "queued, place 3: full",
        ),
        (
            job(phase="Suspended", conditions=[{"type": "Suspended", "status": "True"}]),
            "suspended; daskjob resume one lets it go on",
        ),
        (
            job(
                phase="Starting",
                conditions=[
                    {"type": "ClusterReady", "status": "False", "reason": "ImagePullFailed", "message": "no such image"}
                ],
            ),
            "starting, but waiting: ImagePullFailed: no such image",
        ),
        (
            job(phase="Retrying", attempts=[{"number": 1, "reason": "RunnerLost"}], nextAttemptTime="12:00"),
            "retrying: attempt 1 failed (RunnerLost); the next attempt starts at 12:00",
        ),
        (job(ended="Complete", annotations={"daskjob.io/rerun": "x"}), "waiting for another run, which was asked for"),
        (job(ended="Cancelled"), "cancelled"),
        (job(ended="TaskFailed"), "failed: TaskFailed"),
    ],
)
def test_where_a_job_is(current: Body, words: str) -> None:
    assert where(current) == words


def test_result(on: On) -> None:
    record = {"type": "int", "value": "42", "size": 2, "sha256": "x"}
    _, run = on({"get daskjobs/one": [Answer(job(ended="Complete", result=record))]})
    assert run("result", "one").stdout == "42\n"
    assert json.loads(run("result", "one", "-o", "json").stdout) == record


def stored(root: Path) -> Body:
    """A job whose result is JSON in a folder."""
    folder, value = root / "team/one/u1/1", b"[1,2]"
    folder.mkdir(parents=True)
    (folder / "value.json").write_bytes(value)
    files = [{"path": "value.json", "size": 5, "sha256": hashlib.sha256(value).hexdigest()}]
    manifest = json.dumps({"format": "json", "files": files}).encode()
    (folder / "manifest.json").write_bytes(manifest)
    record = {"type": "list", "format": "json", "location": f"file://{folder}", "size": 5}
    record["sha256"] = hashlib.sha256(manifest).hexdigest()
    whole = job(ended="Complete", result=record)
    return {**whole, "spec": {"result": {"store": {"url": f"file://{root}"}}}}


def test_result_in_a_store(on: On, tmp_path: Path) -> None:
    _, run = on({"get daskjobs/one": [Answer(stored(tmp_path / "store"))]})
    assert run("result", "one").stdout == "[1,2]\n"
    done = run("result", "one", "--to", str(tmp_path / "copy"))
    assert "list in json, 5 bytes" in done.stdout
    assert (tmp_path / "copy/value.json").read_bytes() == b"[1,2]"
    assert str(tmp_path / "store") in run("status", "one").stdout


def test_result_of_another_format_says_where_it_is(on: On) -> None:
    record = {
        "type": "pandas.DataFrame",
        "format": "parquet",
        "location": "s3://a/b",
        "preview": '[{"n":1}]',
        "size": 9,
    }
    _, run = on({"get daskjobs/one": [Answer(job(ended="Complete", result=record))]})
    assert run("result", "one").stdout == 'pandas.DataFrame in parquet, 9 bytes, at s3://a/b\n[{"n":1}]\n'
    done = run("result", "one", "--to", "copy")
    assert done.exit_code != 0
    assert "is no place of this job" in done.stderr


@pytest.mark.parametrize(
    "record",
    [
        {"type": "m.Point", "value": '"gASVIgAA"', "types": {"": "pickle"}, "size": 10},
        {"type": "m.Point", "format": "pickle", "location": "s3://a/b", "size": 10},
    ],
    ids=["in the status", "in a store"],
)
def test_a_pickle_is_not_printed(on: On, record: Body) -> None:
    ended = job(ended="Complete", result=record)
    _, run = on({"get daskjobs/one": [Answer(ended)]})
    done = run("result", "one")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "m.Point, is a pickle of 10 bytes" in done.stderr
    assert "daskjob.connect('team').attach('one', allow_pickle=True).result()" in done.stderr
    assert ("s3://a/b" in done.stderr) == ("location" in record)
    assert json.loads(run("result", "one", "-o", "json").stdout) == record


def test_only_a_result_in_a_store_is_copied(on: On) -> None:
    _, run = on({"get daskjobs/one": [Answer(job(ended="Complete", result={"type": "int", "value": "1"}))]})
    done = run("result", "one", "--to", "copy")
    assert (done.exit_code, "leave out --to" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("current", "code", "words"),
    [
        (job(), 2, "no result yet"),
        (job(ended="TaskFailed", failure={"reason": "TaskFailed", "message": "x"}), 1, "one failed: TaskFailed"),
        (job(ended="Cancelled"), 5, "it was cancelled"),
        (job(ended="Complete", result={"type": "int"}), 1, "was not kept"),
    ],
)
def test_result_that_is_not_there(on: On, current: Body, code: int, words: str) -> None:
    _, run = on({"get daskjobs/one": [Answer(current)]})
    done = run("result", "one")
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in done.stderr


def test_words_of_others_move_no_terminal(on: On) -> None:
    """Whoever writes jobs, pods and Events of a namespace writes to the terminal of who looks."""
    failure = {"reason": EVIL, "message": EVIL, "traceback": EVIL, "taskKey": EVIL}
    hostile = job(
        ended=EVIL,
        summary=EVIL,
        failure=failure,
        result={"value": json.dumps(EVIL, ensure_ascii=False)},
        attempt=1,
        attempts=[
            {
                "number": 1,
                "outcome": EVIL,
                "reason": EVIL,
                "message": EVIL,
                "report": {"location": EVIL, "message": EVIL},
            }
        ],
        progress={"summary": EVIL, "total": 1},
    )
    noted = {
        "metadata": {},
        "involvedObject": {"uid": "u1", "kind": EVIL, "name": EVIL},
        "message": EVIL,
        "reason": EVIL,
        "type": EVIL,
    }
    _, run = on(
        {
            "list daskjobs": [listed(hostile)],
            "watch daskjobs": [Stream([], "stays")],
            "get daskjobs/one": [Answer(hostile)],
            "list events": [listed(noted)],
            "list pods": [listed()],
        }
    )
    for arguments in (
        ["list"],
        ["list", "-o", "json"],
        ["list", "-o", "yaml"],
        ["status", "one"],
        ["report", "one"],
        ["events", "one"],
        ["wait", "one"],
    ):
        done = run(*arguments)
        assert "red" in done.output
        assert done.output.replace("\n", "").isprintable(), arguments


def test_no_dashboard(on: On) -> None:
    off = job(phase="Running")
    off["spec"]["cluster"] = {"dashboard": False}
    _, run = on({"get daskjobs/one": [Answer(off), Answer(job(ended="Complete"))]})
    for words in ("its spec.cluster.dashboard is false", "one has no cluster any more: it succeeded"):
        done = run("dashboard", "one")
        assert (done.exit_code, done.stdout) == (2, "")
        assert words in done.stderr


def test_the_dashboard_of_a_job_that_ends(on: On) -> None:
    _, run = on({"get daskjobs/one": [Answer(job(phase="Starting"))], **ends(ended="TaskFailed")})
    done = run("dashboard", "one")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "one has no scheduler yet" in done.stderr
    assert "one  failed" in done.stderr
