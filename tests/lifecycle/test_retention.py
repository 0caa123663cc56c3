"""Results that go with their job: who holds the job, what deletes them, and when it goes all the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from daskjob.api.constants import EventReason, Reason
from daskjob.api.status import Removal
from daskjob.api.tokens import Draw, Tokens, follows_from
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.job.actions import CreateRemover, Delete, DeleteJob, Hold, LetGo
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.proof import Proof
from daskjob.lifecycle.job.retention import LIMIT, MOST_PODS
from daskjob.lifecycle.pods import Pod
from daskjob.wire import failure, termination_message

from .builders import ATTEMPT, NOW, Scene, a_job, ended, running

DRAW = Draw("n" * 8, "d" * 64, "s" * 64)


def keeping(retention: str = "DeleteWithJob") -> Scene:
    store = {"url": "s3://results"}
    return a_job().with_spec(result={"store": store, "retention": retention}).live().sees(draw=DRAW)


def deleted(scene: Scene | None = None, ago: float = 1, **changes: Any) -> Scene:
    scene = scene if scene is not None else keeping().accepted().finished().gone()
    return scene.that_is(deleting=True, held=True, deleted=NOW - timedelta(seconds=ago), **changes)


def kinds(decision: Decision) -> list[type]:
    return [type(each) for each in decision.actions]


def removing(number: int = 1, digest: str | None = DRAW.source_digest) -> Scene:
    scene = deleted()
    return scene.with_status(removal=Removal(number, f"{ATTEMPT}-remove-{number}", digest))


def test_the_first_attempt_holds_the_job_before_it_creates_anything() -> None:
    assert kinds(keeping().decide())[0] is Hold
    assert Hold not in kinds(keeping().that_is(held=True).decide())
    assert Hold not in kinds(keeping("Keep").decide())
    assert Hold not in kinds(a_job().decide())
    finished = keeping().accepted().finished().gone()
    assert Hold in kinds(finished.decide())
    assert LetGo in kinds(finished.with_spec(result={}).that_is(held=True).decide())


def test_a_job_that_never_had_an_attempt_is_not_held() -> None:
    assert Hold not in kinds(keeping().with_spec(suspend=True).decide())


def test_who_holds_one_all_the_same_has_no_pod_run_for_it() -> None:
    """A finalizer may stand in the manifest. Neither a job that is suspended nor one that was refused runs a pod."""
    for scene in (keeping().with_spec(suspend=True), keeping().that_is(spec_problem="spec: refused")):
        for live in (False, True):
            decision = deleted(scene).sees(live=live).decide()
            assert (kinds(decision), decision.events, decision.status.removal) == ([LetGo], (), None)


def test_the_removal_is_recorded_with_the_pod_that_is_created() -> None:
    decision = deleted().decide()
    removal = decision.status.removal
    assert removal is not None
    assert (removal.number, removal.token_digest) == (1, DRAW.source_digest)
    assert decision.actions == (CreateRemover(removal),)
    assert (DRAW.nonce in removal.name, removal.name.endswith("-remove-1")) == (True, True)


def test_nothing_is_deleted_while_something_may_write() -> None:
    scene = deleted(keeping().accepted().cluster().runner())
    decision = scene.decide()
    assert CreateRemover not in kinds(decision)
    assert LetGo not in kinds(decision)
    assert Delete in kinds(decision)


def test_absence_needs_a_live_read() -> None:
    assert deleted().sees(live=False).decide().needs_live_read


def test_while_the_pod_works_nothing_happens() -> None:
    decision = removing().sees(remover=running("remove")).decide()
    assert (decision.actions, decision.requeue_after is not None) == ((), True)


def test_when_the_pod_has_done_it_the_job_goes() -> None:
    decision = removing().sees(remover=ended("remove")).decide()
    assert kinds(decision) == [Delete, LetGo]
    assert decision.events == ()


def test_a_pod_that_was_not_created_is_created_by_who_has_its_token() -> None:
    scene = removing()
    assert scene.decide().actions == (CreateRemover(scene.status.removal),)  # type: ignore[arg-type]
    # An operator that was restarted draws another name: it could not prove that the pod is its own.
    other = removing(digest="o" * 64).decide()
    assert other.status.removal is not None
    assert (other.status.removal.number, other.status.removal.token_digest) == (2, DRAW.source_digest)
    # Of one that exists, any operator waits for the end.
    assert removing(digest="o" * 64).sees(remover=running("remove")).decide().actions == ()


def says(reason: str) -> Pod:
    message = termination_message("Failed", failure=failure(reason, "in words"))
    return ended("remove", 1, message=message)


def test_one_that_failed_is_followed_by_another_and_by_no_fourth() -> None:
    pod = says("StoreUnavailable")
    for number in range(1, MOST_PODS):
        decision = removing(number).sees(remover=pod).decide()
        assert kinds(decision) == [Delete, CreateRemover]
        assert decision.status.removal is not None
        assert decision.status.removal.number == number + 1
    decision = removing(MOST_PODS).sees(remover=pod).decide()
    assert kinds(decision) == [Delete, LetGo]
    (event,) = decision.events
    assert (event.reason, event.warning) == (EventReason.RESULTS_LEFT, True)
    assert "StoreUnavailable: in words" in event.message


LEFT = Blocker(Reason.POD_REJECTED, "no such thing", permanent=True)


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        (deleted(ago=LIMIT.total_seconds()), "longer than 10 minutes"),
        (deleted(keeping().accepted().cluster().runner(), ago=LIMIT.total_seconds()), "longer than 10 minutes"),
        (deleted().sees(namespace_going=True), "no pod can be created"),
        (deleted().sees(served=False), "excludeNamespaces"),
        (deleted().sees(refusal=LEFT), "no such thing"),
    ],
    ids=["late", "late while it runs", "namespace", "not served", "refused for good"],
)
def test_a_job_that_goes_all_the_same_says_what_is_left(scene: Scene, words: str) -> None:
    decision = scene.decide()
    assert decision.actions[-1] == LetGo()
    (event,) = decision.events
    assert (event.reason, words in event.message) == (EventReason.RESULTS_LEFT, True)
    job = scene.observe().job
    assert f"at s3://results/{job.namespace}/{job.name}/{job.uid}: " in event.message


def test_a_refusal_that_may_pass_is_tried_again() -> None:
    quota = Blocker(Reason.QUOTA_EXCEEDED, "exceeded quota")
    assert CreateRemover in kinds(deleted().sees(refusal=quota).decide())


def test_who_no_longer_asks_for_it_is_let_go() -> None:
    decision = deleted(keeping("Keep").accepted().finished().gone()).decide()
    assert (kinds(decision), decision.events) == ([LetGo], ())


def test_a_job_of_another_controller_is_left_alone() -> None:
    assert deleted(unmanaged="theirs").decide().actions == ()


def test_a_ttl_deletes_the_job_and_the_finalizer_does_the_rest() -> None:
    scene = keeping().with_spec(ttlSecondsAfterFinished=0).accepted().finished().gone().that_is(held=True)
    assert DeleteJob in kinds(scene.decide())


def test_only_who_has_the_token_is_the_pod_that_deletes() -> None:
    token = Tokens("secret").source
    removal = Removal(1, f"{ATTEMPT}-remove-1", follows_from(token))
    status = keeping().accepted().with_status(removal=removal).status

    def pod(token: str, name: str = removal.name) -> dict[str, Any]:
        metadata = {"name": name, "uid": "u", "annotations": {"daskjob.io/token": token}}
        return {"kind": "Pod", "metadata": metadata}

    (proven,) = Proof(status, [pod(token)]).objects
    assert proven.component == "remove"
    for each in (pod("other"), pod(follows_from(token)), pod(token, f"{ATTEMPT}-remove-2")):
        assert Proof(status, [each]).strangers
