"""Requests, their errors in words, and what is written of a job."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from daskjob.client.credentials import Target
from daskjob.client.job_client import SUBMISSION_ANNOTATION, JobClient
from daskjob.client.job_end import End, end_of
from daskjob.client.problems import (
    AlreadyExists,
    ClusterUnreachable,
    Forbidden,
    InvalidJob,
    JobNotFound,
    NotFound,
    NotInstalled,
    Rejected,
    Unauthorized,
    WrongState,
)

from .conftest import Connected, Start
from .played import (
    CLOSED,
    Answer,
    Asked,
    Body,
    Play,
    Reply,
    Stream,
    created,
    event,
    job,
    listed,
    not_found,
    status,
)

MANIFEST = {"apiVersion": "daskjob.io/v1alpha1", "kind": "DaskJob", "metadata": {"name": "one"}, "spec": {}}


def test_the_client_costs_nothing_before_it_is_used() -> None:
    late = {"kubernetes", "kopf", "dask", "distributed", "click", "yaml", "urllib3"}
    code = f"import sys, daskjob, daskjob.client.job_client, daskjob.client.job_logs; print({late} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# --- whom it asks, and as whom


def test_token_and_namespace_of_the_context(connected: Connected) -> None:
    server, client = connected({"list daskjobs": [listed()]})
    assert client.namespace == "team"
    client.list_objects()
    assert server.asked[0].headers["authorization"] == "Bearer secret"


PLUGIN = """#!{python}
import json, pathlib
count = pathlib.Path({count!r})
number = int(count.read_text() or 0) + 1 if count.exists() else 1
count.write_text(str(number))
status = {{"token": f"token-{{number}}"}}
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}}))
"""


def plugin(folder: Path, text: str) -> Body:
    path = folder / "plugin"
    path.write_text(text.format(python=sys.executable, count=str(folder / "count")))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path)}}


def test_an_exec_plugin_is_asked_again_when_its_token_has_run_out(play: Start, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        good = asked.headers["authorization"] == "Bearer token-2"
        return listed(job()) if good else status(401, "Unauthorized", "Unauthorized")

    server = play({"list daskjobs": [answer]})
    client = JobClient(Target(kubeconfig=str(server.kubeconfig(tmp_path, plugin(tmp_path, PLUGIN)))))
    assert len(client.list_objects()) == 1
    assert (tmp_path / "count").read_text() == "2"


def test_an_exec_plugin_that_fails(play: Start, tmp_path: Path) -> None:
    user = plugin(tmp_path, "#!/bin/sh\necho 'session has expired' >&2\nexit 1\n")
    server = play({})
    with pytest.raises(Unauthorized, match=r"the credential plugin of this context failed: .*session has expired"):
        JobClient(Target(kubeconfig=str(server.kubeconfig(tmp_path, user))))


def test_an_exec_plugin_that_is_not_there(play: Start, tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}}
    server = play({})
    with pytest.raises(Unauthorized, match="no-such-plugin"):
        JobClient(Target(kubeconfig=str(server.kubeconfig(tmp_path, user))))


def test_in_a_pod(play: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the token of its file, as it is now: the kubelet writes another one there."""
    from kubernetes.config import incluster_config

    from daskjob.client import credentials

    server = play({"list daskjobs": [status(401, "Unauthorized", "expired"), listed()]})
    for name, text in (("token", "first"), ("namespace", "here"), ("ca.crt", "x")):
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(credentials, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setattr(incluster_config, "_join_host_port", lambda host, port: f"{host}:{port}")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", server.url.rpartition(":")[2])
    real = incluster_config.InClusterConfigLoader._set_config

    def plain(self: Any, configuration: Any) -> None:
        self.host, self.ssl_ca_cert = server.url, None
        real(self, configuration)

    monkeypatch.setattr(incluster_config.InClusterConfigLoader, "_set_config", plain)
    client = JobClient()
    assert client.namespace == "here"
    (tmp_path / "token").write_text("second")
    client.list_objects()
    assert [each.headers["authorization"].lower() for each in server.asked] == ["bearer first", "bearer second"]


def test_no_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ClusterUnreachable, match=r"no kubeconfig: .*give --kubeconfig FILE, or set KUBECONFIG"):
        JobClient()


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: [", "not a kubeconfig"), ("a: 1", "kube"), ("", "empty"), ("current-context: x\ncontexts: []", "name x")],
)
def test_a_kubeconfig_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    with pytest.raises(ClusterUnreachable, match=words):
        JobClient(Target(kubeconfig=str(tmp_path / "kubeconfig")))


# --- what is refused


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Answer(b"404 page not found\n", 404), NotInstalled, "this cluster has no daskjobs"),
        (status(404, "NotFound", "no", kind="namespaces", name="team"), NotFound, "there is no namespace team"),
        (status(409, "AlreadyExists", "exists", name="one"), AlreadyExists, "a DaskJob one exists in namespace team"),
        (status(403, "Forbidden", "exceeded quota: daskjobs, used: 5"), Rejected, "exceeded quota"),
        (status(422, "Invalid", "bad", causes=[{"field": "spec.x", "message": "no"}]), InvalidJob, "one: spec.x: no"),
        (status(400, "BadRequest", 'strict decoding error: unknown field "spec.y"'), InvalidJob, "unknown field"),
        (status(403, "Forbidden", 'User "a" cannot create resource "daskjobs"'), Forbidden, "you may not create"),
        (Answer(b"<html>proxy</html>", 502), ClusterUnreachable, "answers 502"),
        (Answer(b"<html>login</html>", 200), ClusterUnreachable, "none of an API server"),
        (Answer({}, 302, {"Location": "http://127.0.0.1:1/"}), Rejected, "302"),
    ],
)
def test_what_an_answer_means(connected: Connected, answer: Answer, error: type[Exception], words: str) -> None:
    _, client = connected({"create daskjobs": [answer]})
    with pytest.raises(error, match=words):
        client.create(MANIFEST)


def test_words_of_others_move_no_terminal(connected: Connected) -> None:
    _, client = connected({"create daskjobs": [status(403, "Forbidden", "no \x1b[2J\u202e words")]})
    with pytest.raises(Rejected) as caught:
        client.create(MANIFEST)
    assert str(caught.value).isprintable()


def test_a_name_that_is_not_there_has_those_like_it(connected: Connected) -> None:
    names = listed(job("square-sum"), job("other"))
    server, client = connected({"list daskjobs": [names]})
    with pytest.raises(JobNotFound, match="did you mean square-sum") as caught:
        client.get("squaresum")
    assert caught.value.close == ("square-sum",)
    assert "PartialObjectMetadataList" in server.asked[-1].headers["accept"]


def test_a_name_is_no_path(connected: Connected) -> None:
    server, client = connected({"list daskjobs": [listed()]})
    with pytest.raises(JobNotFound):
        client.get("../../secrets/key")
    assert server.asked[0].what == "get daskjobs/..%2F..%2Fsecrets%2Fkey"


def test_a_read_is_tried_again(connected: Connected) -> None:
    busy = status(429, "TooManyRequests", "slow down")
    server, client = connected({"get daskjobs/one": [busy, CLOSED, Answer(job())]})
    assert client.get("one")["metadata"]["uid"] == "u1"
    assert server.times("get daskjobs/one") == 3


# --- creating


def test_a_job_is_created_once_if_the_answer_is_lost(connected: Connected) -> None:
    """The second try finds the name taken, by itself."""
    stored: list[Body] = []

    def lost(asked: Asked) -> str:
        stored.append(asked.body)
        return CLOSED

    taken = status(409, "AlreadyExists", "exists", name="one")
    server, client = connected(
        {"create daskjobs": [lost, taken], "get daskjobs/one": [lambda asked: Answer(stored[0])]}
    )
    assert client.create(MANIFEST)["metadata"]["annotations"][SUBMISSION_ANNOTATION]
    assert server.times("create daskjobs") == 2


def test_a_name_taken_by_another_while_the_answer_was_lost(connected: Connected) -> None:
    taken = status(409, "AlreadyExists", "exists", name="one")
    _, client = connected({"create daskjobs": [CLOSED, taken], "get daskjobs/one": [Answer(job())]})
    with pytest.raises(AlreadyExists):
        client.create(MANIFEST)


def test_a_name_is_chosen_here_and_another_one_if_it_is_taken(connected: Connected) -> None:
    taken = status(409, "AlreadyExists", "exists")
    server, client = connected({"create daskjobs": [taken, created]})
    made = client.create({**MANIFEST, "metadata": {"generateName": "sum-"}})
    names = [each.body["metadata"]["name"] for each in server.asked]
    assert names[0] != names[1] == made["metadata"]["name"]
    assert all(each.startswith("sum-") and len(each) == 9 for each in names)
    assert server.asked[0].query == {"fieldValidation": "Strict"}


def test_the_same_chosen_name_if_the_answer_was_lost(connected: Connected) -> None:
    server, client = connected({"create daskjobs": [CLOSED, created]})
    client.create({**MANIFEST, "metadata": {"generateName": "sum-"}})
    assert len({each.body["metadata"]["name"] for each in server.asked}) == 1


# --- changing


def test_cancel(connected: Connected) -> None:
    server, client = connected({"get daskjobs/one": [Answer(job())], "patch daskjobs/one": [Answer(job())]})
    client.cancel("one")
    assert server.asked[-1].body == {"metadata": {"uid": "u1"}, "spec": {"cancel": True}}
    assert server.asked[-1].headers["content-type"] == "application/merge-patch+json"


def test_retry_takes_back_what_ended_the_run_before(connected: Connected) -> None:
    ended = job(ended="Cancelled")
    ended["spec"]["cancel"] = True
    server, client = connected({"get daskjobs/one": [Answer(ended)], "patch daskjobs/one": [Answer(job())]})
    client.retry("one")
    body = server.asked[-1].body
    assert body["spec"] == {"cancel": False}
    assert body["metadata"]["annotations"]["daskjob.io/rerun"]


@pytest.mark.parametrize(
    ("change", "current", "words"),
    [
        ("cancel", job(ended="Complete"), "has succeeded already"),
        ("retry", job(phase="Running"), "has not ended"),
        ("suspend", job(ended="TaskFailed"), "has failed already; another run: daskjob retry one"),
    ],
)
def test_a_job_in_another_state(connected: Connected, change: str, current: Body, words: str) -> None:
    _, client = connected({"get daskjobs/one": [Answer(current)]})
    with pytest.raises(WrongState, match=words):
        getattr(client, change)("one")


# --- the end


@pytest.mark.parametrize(
    ("current", "end"),
    [
        (job(), None),
        (job(phase="Succeeded"), None),
        (job(ended="Complete"), End.SUCCEEDED),
        (job(ended="TaskFailed"), End.FAILED),
        (job(ended="Cancelled"), End.CANCELLED),
        (job(ended="Complete", annotations={"daskjob.io/rerun": "2"}, rerun="1"), None),
        (job(ended="Complete", annotations={"daskjob.io/rerun": "2"}, rerun="2"), End.SUCCEEDED),
        ({"metadata": {"name": "one", "uid": "u1"}}, None),
    ],
)
def test_the_end_of_a_job_follows_from_its_conditions(current: Body, end: End | None) -> None:
    assert end_of(current) is end


def watched(*stream: bytes, first: Answer | None = None) -> dict[str, list[Play]]:
    return {"list daskjobs": [first or listed(job())], "watch daskjobs": [Stream(stream, "stays")]}


@pytest.mark.parametrize(
    ("plays", "end"),
    [
        (watched(event("MODIFIED", job(version="2", ended="Complete"))), End.SUCCEEDED),
        (watched(event("DELETED", job(version="2", ended="Complete"))), End.SUCCEEDED),
        (watched(event("DELETED", job(version="2"))), End.DELETED),
        (watched(event("ADDED", job(uid="u2", version="9", ended="Complete"))), End.DELETED),
        (watched(first=listed(job(ended="TaskFailed"))), End.FAILED),
    ],
    ids=["succeeds", "TTL", "deleted", "made anew", "failed before"],
)
def test_wait(connected: Connected, plays: dict[str, list[Play]], end: End) -> None:
    _, client = connected(plays)
    assert client.wait(["one"], timeout=20)["one"][0] is end


def test_wait_for_several_by_one_watch(connected: Connected) -> None:
    stream = [
        event("MODIFIED", job("two", "u2", "5", ended="Complete")),
        event("MODIFIED", job("one", "u1", "6", ended="X")),
    ]
    server, client = connected(watched(*stream, first=listed(job(), job("two", "u2"))))
    ends = client.wait(["one", "two"], timeout=20)
    assert {name: end for name, (end, _) in ends.items()} == {"one": End.FAILED, "two": End.SUCCEEDED}
    assert server.times("watch daskjobs") == 1


def test_wait_for_too_long(connected: Connected) -> None:
    _, client = connected(watched())
    with pytest.raises(TimeoutError, match=r"one did not end within 0\.2 s"):
        client.wait(["one"], timeout=0.2)


def test_wait_for_what_does_not_exist(connected: Connected) -> None:
    _, client = connected(watched(first=listed()))
    with pytest.raises(JobNotFound):
        client.wait(["one"], timeout=20)


def test_wait_for_what_was_deleted_since_it_was_created(connected: Connected) -> None:
    _, client = connected(watched(first=listed()))
    assert client.wait(["one"], timeout=20, uids={"one": "u1"})["one"][0] is End.DELETED


def test_wait_until_it_is_gone(connected: Connected) -> None:
    _, client = connected(watched(event("DELETED", job(version="2"))))
    client.wait_gone("one", "u1", timeout=20)
    _, client = connected(watched(first=listed(job(uid="u2"))))
    client.wait_gone("one", "u1", timeout=20)
    _, client = connected(watched())
    with pytest.raises(TimeoutError):
        client.wait_gone("one", "u1", timeout=0.2)


def test_events_of_a_job_and_its_pods(connected: Connected) -> None:
    def noted(name: str, uid: str, time: str) -> Body:
        about = {"kind": "Pod", "name": name, "uid": uid}
        return {"metadata": {"name": "e"}, "involvedObject": about, "lastTimestamp": time, "reason": f"of {name}"}

    current = job(attempts=[{"number": 1, "name": "one-abc-1"}])
    found = [
        noted("one-abc-1-runner", "p", "2"),
        noted("one", "u1", "1"),
        noted("stranger", "x", "3"),
        noted("one", "u0", "0"),
    ]
    _, client = connected({"list events": [listed(*found)], "list pods": [listed()]})
    assert [each["reason"] for each in client.events(current)] == ["of one", "of one-abc-1-runner"]


def test_json_is_sent_as_it_is(connected: Connected) -> None:
    server, client = connected({"create daskjobs": [created]})
    client.create({**MANIFEST, "spec": {"graph": {"args": ["ä", 1.5, None]}}})
    assert json.dumps(server.asked[0].body["spec"]) == json.dumps({"graph": {"args": ["ä", 1.5, None]}})


def test_not_found_by_a_patch(connected: Connected) -> None:
    _, client = connected({"patch daskjobs/one": [not_found("patch daskjobs/one")], "list daskjobs": [listed()]})
    with pytest.raises(JobNotFound):
        client.patch("one", {})
