"""What is read of raw objects: of the job itself, and which of the others belong to which attempt."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.api.cluster_spec import DEFAULT_GROUP
from daskjob.api.constants import FailureClass, Reason
from daskjob.api.tokens import Tokens
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.job.ownership import KEPT_RUNNERS
from daskjob.lifecycle.job.reading import observe, read_job

from .builders import NOW, UID


def a_job(attempt: int = 0, phase: str = "", annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "team",
            "name": "sum",
            "uid": UID,
            "resourceVersion": "7",
            **({"annotations": annotations} if annotations is not None else {}),
        },
        "spec": {"graph": {"entrypoint": "m:f"}, **spec},
        "status": {
            "attempt": attempt,
            "attempts": [
                {"number": number, "name": f"sum-{number}", "tokenDigest": tokens(number).digest}
                for number in range(1, attempt + 1)
            ],
            **({"phase": phase} if phase else {}),
        },
    }


def tokens(attempt: int) -> Tokens:
    return Tokens(f"token-{attempt}")


@pytest.mark.parametrize(
    ("annotations", "rerun"),
    [
        (None, None),
        ({}, None),
        ({"daskjob.io/rerun": ""}, None),
        ({"daskjob.io/rerun": "2"}, "2"),
        ({"daskjob.io/rerun": "x" * 5000}, "x" * 4096),
    ],
)
def test_the_text_that_asks_for_another_run(annotations: dict[str, str] | None, rerun: str | None) -> None:
    assert read_job(a_job(annotations=annotations), NOW).rerun == rerun


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (a_job(), None),
        (a_job(managedBy="daskjob.io/operator"), None),
        (a_job(managedBy="example.org/other"), "spec.managedBy is example.org/other"),
        (a_job(phase="Queued"), None),
        (a_job(phase="Dreaming"), "phase 'Dreaming' is not known to this version"),
    ],
)
def test_what_is_left_alone(body: dict[str, Any], words: str | None) -> None:
    assert read_job(body, NOW).unmanaged == words


def owned(kind: str, attempt: int, status: dict[str, Any] | None = None, uid: str = UID) -> dict[str, Any]:
    labels = {c.JOB_UID_LABEL: uid, c.JOB_LABEL: "sum", c.ATTEMPT_LABEL: str(attempt), c.COMPONENT_LABEL: "runner"}
    name, token = f"sum-{attempt}", tokens(attempt).runner
    owner = {"apiVersion": c.DASK_API_VERSION, "kind": "DaskCluster", "name": name, "uid": "of-cluster"}
    metadata: dict[str, Any] = {"namespace": "team", "name": name, "uid": f"uid-{attempt}", "labels": labels}
    if kind == "DaskCluster":
        token = tokens(attempt).cluster
    elif kind == "Pod":
        metadata["name"] = f"{name}-runner"
    elif kind == "DaskWorkerGroup":
        metadata |= {"name": f"{name}-default", "ownerReferences": [{**owner, "controller": True}]}
    metadata["annotations"] = {c.TOKEN_ANNOTATION: token if uid == UID else "another"}
    return {"kind": kind, "metadata": metadata, "spec": {"containers": [{"name": "runner"}]}, "status": status or {}}


def seen(*bodies: dict[str, Any], attempt: int = 5) -> Observation:
    return observe(read_job(a_job(attempt), NOW), bodies, NOW)


def test_objects_of_another_job_of_that_name_are_passed_over() -> None:
    found = seen(owned("DaskCluster", 5, uid="another"), owned("Pod", 4, uid="another"))
    assert (found.attempt.cluster, found.stale_objects) == (None, ())


REFUSALS = {
    "a quota": ('{"status": 403, "message": "exceeded quota: q"}', (Reason.QUOTA_EXCEEDED, "exceeded quota: q", False)),
    "an invalid pod": ('{"status": 422, "message": "is invalid"}', (Reason.POD_REJECTED, "is invalid", True)),
    "one that is too long": (
        json.dumps({"status": 422, "message": "x" * 200_000}),
        (Reason.POD_REJECTED, "x" * 4096, True),
    ),
    "none": ("", None),
    "an empty one": ("{}", None),
    "no JSON": ("refused", None),
    "a list": ("[1]", None),
    "a number": ("9" * 5000, None),
    "no message": ('{"status": 422}', None),
    "no status": ('{"message": "is invalid"}', None),
    "an endless status": ('{"status": 1e999, "message": "m"}', None),
    "one that is too deep": ("[" * 100_000, None),
}


@pytest.mark.parametrize(("text", "refusal"), REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("kind", ["DaskCluster", "DaskWorkerGroup"])
def test_why_kubernetes_refused_a_pod(kind: str, text: str, refusal: tuple[Reason, str, bool] | None) -> None:
    """Who may edit the object may write anything."""
    body = owned(kind, 5)
    body["metadata"]["annotations"] |= {c.REFUSED_ANNOTATION: text}
    attempt = seen(body).attempt
    found = attempt.scheduler_refusal if kind == "DaskCluster" else attempt.groups[DEFAULT_GROUP].refusal
    assert found == (Blocker(*refusal) if refusal is not None else None)


def test_a_refused_worker_group_is_told_apart_from_a_refused_scheduler() -> None:
    body = owned("DaskCluster", 5)
    text = {"status": 403, "message": "exceeded quota: q", "kind": "DaskWorkerGroup"}
    body["metadata"]["annotations"] |= {c.REFUSED_ANNOTATION: json.dumps(text)}
    attempt = seen(body).attempt
    assert attempt.scheduler_refusal is None
    assert attempt.group_refusal == Blocker(Reason.QUOTA_EXCEEDED, "exceeded quota: q")


def test_what_earlier_attempts_left_is_told_apart_from_what_belongs_to_this_one() -> None:
    found = seen(owned("DaskCluster", 5), owned("DaskCluster", 4), owned("Pod", 5), owned("Pod", 4))
    assert found.attempt.cluster is not None
    assert found.attempt.cluster.attempt == 5
    assert found.attempt.runner is not None
    assert found.attempt.runner.attempt == 5
    assert [(each.kind, each.attempt) for each in found.stale_objects] == [("DaskCluster", 4), ("Pod", 4)]


def test_the_logs_of_the_last_runners_are_kept() -> None:
    runners = [owned("Pod", attempt, {"phase": "Failed"}) for attempt in range(1, 6)]
    assert [each.attempt for each in seen(*runners).stale_objects] == list(range(1, 6 - KEPT_RUNNERS))
    reports = [owned("DaskJobReport", attempt) for attempt in range(1, 6)]
    assert [each.attempt for each in seen(*reports).stale_objects] == [1, 2, 3, 4], "what they said is in the status"


PODS_REFUSED = {
    "invalid": (422, 'Pod "a" is invalid: spec.volumes', Reason.POD_REJECTED, True),
    "unreadable": (400, "Pod in version v1 cannot be handled", Reason.POD_REJECTED, True),
    "too large": (413, "Request entity too large", Reason.POD_REJECTED, True),
    "too large for etcd": (500, "etcdserver: request is too large", Reason.POD_REJECTED, True),
    "pod security": (403, 'pods "a" is forbidden: violates PodSecurity "restricted"', Reason.POD_REJECTED, True),
    "a quota": (403, 'pods "a" is forbidden: exceeded quota: q', Reason.QUOTA_EXCEEDED, False),
    "a webhook": (403, 'admission webhook "w" denied the request', Reason.POD_REJECTED, False),
    "a name": (409, 'pods "a" already exists', Reason.NAME_CONFLICT, False),
    "a webhook that is down": (500, "failed calling webhook: no endpoints", Reason.KUBERNETES_FAILED, False),
    "too many requests": (429, "slow down", Reason.KUBERNETES_FAILED, False),
}


@pytest.mark.parametrize("kind", ["DaskCluster", "DaskWorkerGroup"])
@pytest.mark.parametrize(("status", "message", "reason", "permanent"), PODS_REFUSED.values(), ids=PODS_REFUSED)
def test_what_a_refusal_of_kubernetes_means(
    kind: str, status: int, message: str, reason: Reason, permanent: bool
) -> None:
    body = owned(kind, 5)
    body["metadata"]["annotations"] |= {c.REFUSED_ANNOTATION: json.dumps({"status": status, "message": message})}
    attempt = seen(body).attempt
    found = attempt.scheduler_refusal if kind == "DaskCluster" else attempt.groups["default"].refusal
    assert found == Blocker(reason, message, permanent)
    down = FailureClass.INFRASTRUCTURE if reason == Reason.KUBERNETES_FAILED else FailureClass.APPLICATION
    assert found.failure_class == down
