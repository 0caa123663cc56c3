"""What `daskjob doctor` finds on clusters that are not as it wants them. What it finds on a real API server:
tests/apiserver/test_rights.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from daskjob.client.checkup import Finding, Verdict, check_cluster, try_job
from daskjob.client.problems import ClusterUnreachable

from .conftest import Connected
from .played import Answer, Asked, Body, Play, Stream, created, event, forbidden, job, listed, status

#: What this version knows.
KNOWN = ("graph", "graph.args", "cluster")


def served(*fields: str) -> Answer:
    """The API server's description of a DaskJob with these fields in its spec."""
    spec = {"properties": {each: {"type": "string"} for each in fields}}
    schema = {
        "x-kubernetes-group-version-kind": [{"group": "daskjob.io", "kind": "DaskJob", "version": "v1alpha1"}],
        "properties": {"spec": spec},
    }
    return Answer({"components": {"schemas": {"io.daskjob.v1alpha1.DaskJob": schema}}})


def fields(schema: Mapping[str, Any] | None) -> list[str]:
    return list(KNOWN if schema is None else schema.get("properties", ()))


HEALTHY: dict[str, list[Play]] = {
    "list version": [Answer({"gitVersion": "v1.35.4", "minor": "35+"})],
    "get daskjob.io/v1alpha1": [served(*KNOWN)],
    "create selfsubjectreviews": [Answer({"status": {"userInfo": {"username": "me"}}}, 201)],
    "create selfsubjectaccessreviews": [Answer({"status": {"allowed": True}}, 201)],
    "list leases": [forbidden("list")],
    "get namespaces/team": [forbidden("get")],
    "list resourcequotas": [listed()],
    "create daskjobs": [Answer({"metadata": {"name": "doctor-aaaaa"}}, 201)],
}


def findings(connected: Connected, changes: dict[str, list[Play]]) -> dict[str, Finding]:
    _, client = connected({**HEALTHY, **changes})
    return {each.subject: each for each in check_cluster(client, fields, "daskjob-system")}


def test_all_that_a_user_may_see_is_well(connected: Connected) -> None:
    found = findings(connected, {})
    assert [each.subject for each in found.values() if each.verdict is Verdict.WRONG] == []
    unknown = {each.subject for each in found.values() if each.verdict is Verdict.UNKNOWN}
    assert unknown == {"operator", "namespace team"}
    assert found["user"].words == "you are me"


@pytest.mark.parametrize(
    ("what", "answer", "subject", "verdict", "words"),
    [
        (
            "list version",
            Answer({"gitVersion": "v1.29.9", "minor": "29"}),
            "cluster",
            Verdict.WRONG,
            "need 1.30 or newer",
        ),
        (
            "get daskjob.io/v1alpha1",
            served("graph", "cluster"),
            "definitions",
            Verdict.UNKNOWN,
            "they lack spec.graph.args;",
        ),
        ("get daskjob.io/v1alpha1", served("cluster"), "definitions", Verdict.UNKNOWN, "they lack spec.graph;"),
        ("get daskjob.io/v1alpha1", served(*KNOWN, "new"), "definitions", Verdict.UNKNOWN, "does not know spec.new:"),
        (
            "create selfsubjectaccessreviews",
            Answer({"status": {"allowed": False}}, 201),
            "right to create daskjobs",
            Verdict.WRONG,
            "these do not work: submit; ask an administrator for the role edit in namespace team",
        ),
        ("create selfsubjectreviews", forbidden("create"), "user", Verdict.UNKNOWN, "kubectl auth whoami"),
        (
            "create daskjobs",
            status(403, "Forbidden", 'admission webhook "w.example" denied the request: no label team'),
            "admission",
            Verdict.WRONG,
            "no label team",
        ),
        ("create daskjobs", forbidden("create"), "admission", Verdict.UNKNOWN, "not asked, because you may not create"),
        ("list resourcequotas", forbidden("list"), "quota", Verdict.UNKNOWN, "you may not list resourcequotas"),
        (
            "list leases",
            listed({"metadata": {"name": "daskjob-operator"}, "spec": {"holderIdentity": ""}}),
            "operator",
            Verdict.WRONG,
            "nobody leads: Lease daskjob-operator has run out",
        ),
    ],
)
def test_what_is_not_well(
    connected: Connected, what: str, answer: Answer, subject: str, verdict: Verdict, words: str
) -> None:
    found = findings(connected, {what: [answer]})[subject]
    assert found.verdict is verdict
    assert words in found.words


def test_admission_is_asked_without_creating_a_job(connected: Connected) -> None:
    server, client = connected(HEALTHY)
    assert [each.verdict for each in check_cluster(client, fields, "daskjob-system")][-1] is Verdict.OK
    [asked] = [each for each in server.asked if each.what == "create daskjobs"]
    assert asked.query["dryRun"] == "All"


def test_a_cluster_without_daskjobs_is_asked_no_more(connected: Connected) -> None:
    found = findings(connected, {"get daskjob.io/v1alpha1": [status(404, "NotFound", "not found")]})
    assert list(found) == ["cluster", "user", "definitions"]
    assert "install the operator's chart" in found["definitions"].words


def test_a_cluster_that_does_not_answer(connected: Connected) -> None:
    server, client = connected(HEALTHY)
    server.close()
    with pytest.raises(ClusterUnreachable):
        list(check_cluster(client, fields, "daskjob-system"))


def place(job: Body) -> str:
    return f"it is {job['status'].get('phase')}"


@pytest.mark.parametrize(
    ("last", "verdict", "words"),
    [
        ({"ended": "Complete"}, Verdict.OK, "ran to its end, and was deleted"),
        (
            {"ended": "ImagePullFailed", "failure": {"reason": "ImagePullFailed", "message": "no such image"}},
            Verdict.WRONG,
            "failed: ImagePullFailed: no such image",
        ),
        ({"phase": "Queued"}, Verdict.WRONG, "did not end within 0.5 s: it is Queued"),
        ({}, Verdict.WRONG, "no operator has looked at it"),
    ],
)
def test_a_trial_is_deleted_however_it_ends(
    connected: Connected, last: dict[str, Any], verdict: Verdict, words: str
) -> None:
    names: list[str] = []
    notes: list[str] = []

    def create(asked: Asked) -> Answer:
        names.append(asked.body["metadata"]["name"])
        server.plays[f"delete daskjobs/{names[0]}"] = [Answer({})]
        return created(asked)

    def current() -> Body:
        return job(names[0], version="2", **last)

    server, client = connected(
        {
            "create daskjobs": [create],
            "list daskjobs": [lambda asked: listed(job(names[0]))],
            "watch daskjobs": [lambda asked: Stream([event("MODIFIED", current())], "stays")],
        }
    )
    found = try_job(client, "a/b:1", 0.5 if "ended" not in last else 60, place, notes.append)
    assert (found.verdict, words in found.words) == (verdict, True), found.words
    assert notes == list(dict.fromkeys(notes))
    [deleted] = [each.body for each in server.asked if each.what.startswith("delete")]
    assert deleted["preconditions"] == {"uid": "u1"}


def test_a_trial_that_is_refused(connected: Connected) -> None:
    _, client = connected({"create daskjobs": [status(403, "Forbidden", "exceeded quota: few")]})
    notes: list[str] = []
    found = try_job(client, None, 60, place, notes.append)
    assert found.verdict is Verdict.WRONG
    assert "cannot be created" in found.words
    assert "exceeded quota: few" in found.words
