"""A branch's commit: found before anything else is created, recorded, and the same for all attempts of a run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from daskjob.api.constants import ConditionType, FailureClass, Outcome, Reason
from daskjob.api.status import Attempt
from daskjob.api.tokens import Draw, Tokens, follows_from
from daskjob.lifecycle.job.actions import CreateCluster, CreateResolver, CreateRunner, Delete
from daskjob.lifecycle.job.proof import Proof, is_resolver
from daskjob.lifecycle.pods import Container, Pod, Termination
from daskjob.wire import termination_message

from .builders import ATTEMPT, Scene, a_job, a_pod, ended, running, waiting

COMMIT = "0123456789" * 4
GIT: dict[str, Any] = {"url": "https://host/team/code", "revision": "main"}


def from_git(**git: Any) -> Scene:
    graph = {"entrypoint": "m:f", "source": {"git": {**GIT, **git}}}
    return a_job().with_spec(graph=graph).live()


def found(value: object = COMMIT, **changes: Any) -> Pod:
    message = termination_message("Succeeded", {"type": "commit", "value": json.dumps(value)})
    return ended("source", message=message, **changes)


def fails(reason: str, code: int = 1, **changes: Any) -> Pod:
    message = termination_message("Failed", failure={"reason": reason, "message": "in words"})
    return ended("source", code, message=message, **changes)


def test_a_branch_is_looked_up_before_anything_else() -> None:
    first = from_git().decide()
    assert first.actions == (CreateResolver(1),)
    assert first.status.current is not None
    assert first.status.current.commit is None
    waits = from_git().accepted().sees(resolver=running("source")).decide()
    assert waits.actions == ()
    ready = waits.status.condition(ConditionType.CLUSTER_READY)
    assert ready is not None
    assert "finds the commit" in ready.message


def test_what_was_found_is_recorded_in_the_pass_that_creates_the_cluster() -> None:
    decision = from_git().accepted().sees(resolver=found()).decide()
    assert decision.status.current is not None
    assert decision.status.current.commit == COMMIT
    created = [each for each in decision.actions if not isinstance(each, Delete)]
    assert created == [CreateCluster(1), CreateRunner(1)]
    (removed,) = [each for each in decision.actions if isinstance(each, Delete)]
    assert removed.target.name == f"{ATTEMPT}-source"


@pytest.mark.parametrize("value", ["main", "0123", None, 7, COMMIT + "\n", "-" * 40])
def test_only_a_commit_is_taken_for_one(value: object) -> None:
    decision = from_git().accepted().sees(resolver=found(value)).decide()
    assert not [each for each in decision.actions if isinstance(each, CreateCluster)]
    assert decision.status.failure is not None


def test_a_commit_that_the_spec_names_needs_nobody_to_find_it() -> None:
    decision = from_git(revision=COMMIT).decide()
    assert decision.actions == (CreateCluster(1), CreateRunner(1))
    assert decision.status.current is not None
    assert decision.status.current.commit == COMMIT


def test_the_next_attempt_of_the_run_has_the_same_commit() -> None:
    before = from_git().accepted()
    pinned = before.with_status(attempts=(replace(before.status.attempts[0], commit=COMMIT),))
    decision = pinned.retrying(due_in=-1).decide()
    assert decision.status.attempt == 2
    assert decision.actions == (CreateCluster(2), CreateRunner(2))
    assert decision.status.current is not None
    assert decision.status.current.commit == COMMIT


def test_another_run_finds_its_own() -> None:
    before = from_git().accepted()
    pinned = before.with_status(attempts=(replace(before.status.attempts[0], commit=COMMIT),))
    decision = pinned.finished().gone().that_is(rerun="again").decide()
    assert (decision.status.run, decision.actions) == (2, (CreateResolver(2),))


@pytest.mark.parametrize(
    ("pod", "reason", "kind"),
    [
        (fails("SourceNotFound"), Reason.SOURCE_NOT_FOUND, FailureClass.APPLICATION),
        (fails("SourceTimedOut"), Reason.SOURCE_TIMED_OUT, FailureClass.APPLICATION),
        # It runs in the user's image, so it can claim what it likes of itself.
        (fails("SchedulerLost"), Reason.INIT_CONTAINER_FAILED, FailureClass.APPLICATION),
        (ended("source", 0), Reason.INIT_CONTAINER_FAILED, FailureClass.APPLICATION),
        (ended("source", 137, "OOMKilled"), Reason.INIT_CONTAINER_FAILED, FailureClass.APPLICATION),
        (ended("source", 137), Reason.RUNNER_LOST, FailureClass.INFRASTRUCTURE),
        (a_pod("source", phase="Failed", disrupted=True), Reason.RUNNER_LOST, FailureClass.INFRASTRUCTURE),
    ],
)
def test_an_attempt_whose_commit_is_not_found(pod: Pod, reason: Reason, kind: FailureClass) -> None:
    failure = from_git().accepted().sees(resolver=pod).decide().status.failure
    assert failure is not None
    assert (failure.reason, failure.failure_class) == (reason, kind)


def test_mistakes_are_not_tried_again_and_silence_is() -> None:
    scene = from_git().with_spec(backoffLimit=1).accepted()
    for reason, again in (("SourceNotFound", False), ("SourceRefused", False), ("SourceUnreachable", True)):
        status = scene.sees(resolver=fails(reason)).decide().status
        assert (status.failure is None) == again, reason


def test_a_pod_that_cannot_start_says_why() -> None:
    pod = waiting("source", "InvalidImageName", "no such name")
    failure = from_git().accepted().sees(resolver=pod).decide().status.failure
    assert failure is not None
    assert failure.reason == Reason.IMAGE_PULL_FAILED


@pytest.mark.parametrize("change", [{"cancel": True}, {"suspend": True}])
def test_it_is_removed_with_the_attempt(change: dict[str, bool]) -> None:
    decision = from_git().with_spec(**change).accepted().sees(resolver=running("source")).decide()
    assert [each.target.name for each in decision.actions if isinstance(each, Delete)] == [f"{ATTEMPT}-source"]
    left = from_git().accepted().closed(Outcome.SUSPENDED).sees(resolver=running("source", deleting=True)).decide()
    assert left.status.attempt == 1


def test_an_operator_that_was_restarted_meanwhile_draws_another_name_when_the_commit_is_there() -> None:
    scene = from_git().accepted().sees(draw=Draw("n" * 8, "d" * 64, "s" * 64), holds_token=False)
    recorded = replace(scene.status.attempts[0], token_digest="t" * 64, source_digest="u" * 64)
    scene = scene.with_status(attempts=(recorded,))
    assert scene.sees(resolver=running("source")).decide().actions == ()
    removed = scene.sees(resolver=found()).decide()
    assert [each.target.name for each in removed.actions if isinstance(each, Delete)] == [f"{ATTEMPT}-source"]
    assert removed.status.current is not None
    assert removed.status.current.commit == COMMIT
    after = replace(scene, status=removed.status).decide()
    assert after.status.current is not None
    assert (after.status.current.draw, after.status.current.commit) == (2, COMMIT)


def test_only_who_has_the_token_is_the_pod_that_finds_the_commit() -> None:
    tokens = Tokens("secret")
    attempt = Attempt(1, ATTEMPT, token_digest=tokens.digest, source_digest=follows_from(tokens.source))

    def pod(token: str, name: str = f"{ATTEMPT}-source") -> dict[str, Any]:
        metadata = {"name": name, "uid": "u", "annotations": {"daskjob.io/token": token}}
        return {"kind": "Pod", "metadata": metadata}

    assert is_resolver(pod(tokens.source), attempt)
    assert not is_resolver(pod(tokens.source, f"{ATTEMPT}-runner"), attempt)
    status = from_git().accepted().with_status(attempts=(attempt,)).status
    for token in (tokens.cluster, tokens.runner, tokens.digest, "", follows_from(tokens.source)):
        assert Proof(status, [pod(token)]).strangers
    (proven,) = Proof(status, [pod(tokens.source)]).objects
    assert proven.component == "source"


def init(pod: Pod, name: str, message: str, restarts: int = 0) -> Pod:
    """The pod, of which an init container has ended badly."""
    last = Termination(1, "Error", message)
    waits = Container(
        name, initial=True, restarts=restarts, waiting=("CrashLoopBackOff", "back-off"), last_terminated=last
    )
    return replace(pod, phase="Pending", containers=(waits,))


@pytest.mark.parametrize(
    ("name", "reason", "expected", "ends"),
    [
        ("fetch-code", "RevisionNotFound", Reason.REVISION_NOT_FOUND, True),
        ("fetch-code", "SourceUnreachable", Reason.SOURCE_UNREACHABLE, False),
        ("fetch-code", "TaskFailed", Reason.INIT_CONTAINER_FAILED, False),
        # Another one's words decide nothing.
        ("theirs", "RevisionNotFound", Reason.INIT_CONTAINER_FAILED, False),
    ],
)
def test_a_scheduler_that_cannot_fetch_its_code(name: str, reason: str, expected: Reason, ends: bool) -> None:
    message = termination_message("Failed", failure={"reason": reason, "message": "in words"})
    pod = init(a_pod("scheduler"), name, message, restarts=1)
    scene = from_git(revision=COMMIT).accepted().cluster().schedulers(pod).runner().report()
    status = scene.decide().status
    ready = status.condition(ConditionType.CLUSTER_READY)
    assert (status.failure is not None) == ends
    if status.failure is not None:
        assert (status.failure.reason, "in words" in (status.failure.message or "")) == (expected, True)
    else:
        assert ready is not None
        assert ready.reason == expected
