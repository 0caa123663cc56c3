"""That the judge sees what it is there to see: a good run, and the same with one thing wrong."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.api import constants as c

from .api import Body
from .endings import ENDINGS, Ending
from .judge import judge
from .namespace_view import NamespaceView, WatchEvent

JOB, UID = "sum", "job-uid"
END = {"type": "Complete", "status": "True"}


class History:
    """Two attempts, of which the second succeeds; each call is one event, in order."""

    def __init__(self) -> None:
        nobody: Any = None
        self.view = NamespaceView(nobody, "team")
        self.version = 0
        self.attempts: list[Body] = []
        self.ending = Ending("second-try", ("raises", "ok"), ("Failed", "Succeeded"))

    def event(self, event: str, kind: str, name: str, body: Body, uid: str = "") -> None:
        self.version += 1
        uid = uid or f"{kind}/{name}"
        metadata = {"name": name, "uid": uid, **body.pop("metadata", {})}
        full = {"kind": kind, "metadata": metadata, **body}
        self.view.history.append(WatchEvent(self.version, float(self.version), event, kind, name, uid, full))

    def job(self, *conditions: Body, phase: str = "Running", **status: Any) -> None:
        attempts = [dict(each) for each in self.attempts]
        body = {"status": {"phase": phase, "attempts": attempts, "conditions": list(conditions), **status}}
        self.event("MODIFIED", "DaskJob", JOB, body, UID)

    def made(self, kind: str, attempt: int, role: str = "", event: str = "ADDED", uid: str = "", **more: Any) -> None:
        labels = {c.JOB_LABEL: JOB, c.JOB_UID_LABEL: UID, c.ATTEMPT_LABEL: str(attempt)}
        if kind == "Pod":
            labels[c.COMPONENT_LABEL if role == "runner" else c.DASK_COMPONENT_LABEL] = role
        metadata = {"labels": labels, **more.pop("metadata", {})}
        name = f"sum-{attempt}-{role}" if role else f"sum-{attempt}"
        self.event(event, kind, name, {"metadata": metadata, **more}, uid)

    def gone(self, kind: str, attempt: int, role: str = "") -> None:
        self.made(kind, attempt, role, event="DELETED")

    def begin(self, attempt: int) -> None:
        self.attempts.append({"number": attempt})
        self.job()
        self.made("DaskCluster", attempt)
        self.made("Pod", attempt, "scheduler")
        self.made("Pod", attempt, "runner")
        self.made("DaskJobReport", attempt)

    def stop(self, attempt: int) -> None:
        self.made("Pod", attempt, "runner", event="MODIFIED", status={"phase": "Failed"})
        self.gone("DaskCluster", attempt)
        self.gone("Pod", attempt, "scheduler")

    def close(self, outcome: str) -> None:
        self.attempts[-1]["outcome"] = outcome

    def verdict(self) -> list[str]:
        return judge(self.view, JOB, self.ending)


def first_half(history: History) -> None:
    history.begin(1)
    history.close("Failed")
    history.job(phase="Retrying")
    history.stop(1)


def second_half(history: History) -> None:
    history.begin(2)
    history.close("Succeeded")
    history.job(END, phase="Succeeded", result={"value": "45"})
    history.stop(2)


@pytest.fixture
def history() -> History:
    return History()


def test_a_good_run(history: History) -> None:
    first_half(history)
    second_half(history)
    assert history.verdict() == []


def test_another_end(history: History) -> None:
    first_half(history)
    history.begin(2)
    history.close("Failed")
    history.job({"type": "Failed", "status": "True"}, phase="Failed", failure={"reason": "TaskFailed"})
    assert history.verdict() == [
        "ended as Failed TaskFailed, not as Succeeded ",
        "attempts ended as ('Failed', 'Failed'), not as ('Failed', 'Succeeded')",
    ]


def test_no_end(history: History) -> None:
    first_half(history)
    history.begin(2)
    assert history.verdict()[0] == "the job has not ended; it is Running"


def test_a_second_runner(history: History) -> None:
    first_half(history)
    second_half(history)
    history.made("Pod", 2, "runner", uid="another")
    assert history.verdict() == [
        "attempt 2 had 2 runner pods: ['Pod/sum-2-runner', 'another']",
        "Pod sum-2-runner was made after its attempt had ended",
    ]


def test_no_runner(history: History) -> None:
    first_half(history)
    history.attempts.append({"number": 2})
    history.job()
    history.close("Succeeded")
    history.job(END, phase="Succeeded", result={"value": "45"})
    assert [each for each in history.verdict() if "0 runner pods" in each]


def test_made_before_it_was_recorded(history: History) -> None:
    first_half(history)
    history.made("DaskCluster", 2)
    second_half(history)
    assert history.verdict() == ["DaskCluster sum-2 was made before its attempt was recorded"]


def test_overlapping_attempts(history: History) -> None:
    history.begin(1)
    history.close("Failed")
    history.job(phase="Retrying")
    history.begin(2)
    history.stop(1)
    history.close("Succeeded")
    history.job(END, phase="Succeeded", result={"value": "45"})
    verdict = history.verdict()
    assert "Pod sum-2-runner was made while Pod sum-1-scheduler was there" in verdict
    assert "DaskCluster sum-2 was made while DaskCluster sum-1 was there" in verdict


def test_attempts_beside_a_lost_node(history: History) -> None:
    """What is fenced may be there still."""
    history.begin(1)
    history.close("Failed")
    history.job(phase="Retrying")
    history.made("Pod", 1, "runner", event="MODIFIED", metadata={"deletionTimestamp": "now"})
    history.gone("DaskCluster", 1)
    history.gone("Pod", 1, "scheduler")
    history.view.lost.add("Pod/sum-1-runner")
    second_half(history)
    assert history.verdict() == []


def test_destroyed_before_it_was_recorded(history: History) -> None:
    first_half(history)
    history.begin(2)
    history.gone("DaskCluster", 2)
    history.close("Succeeded")
    history.job(END, phase="Succeeded", result={"value": "45"})
    assert history.verdict() == ["DaskCluster sum-2 was deleted before the outcome of its attempt was recorded"]


def test_what_the_world_breaks_is_not_the_operators_doing(history: History) -> None:
    first_half(history)
    history.begin(2)
    history.gone("Pod", 2, "scheduler")
    history.view.broken.add("Pod/sum-2-scheduler")
    history.close("Succeeded")
    history.job(END, phase="Succeeded", result={"value": "45"})
    assert history.verdict() == []


def test_an_outcome_that_changes(history: History) -> None:
    first_half(history)
    history.attempts[0]["outcome"] = "Suspended"
    second_half(history)
    assert [each for each in history.verdict() if each.startswith("the outcome of attempt 1 changed from")]


def test_an_outcome_that_is_taken_back(history: History) -> None:
    first_half(history)
    del history.attempts[0]["outcome"]
    second_half(history)
    assert "attempt 1 lost its outcome" in history.verdict()


def test_a_graph_computed_twice(history: History) -> None:
    first_half(history)
    second_half(history)
    history.view.computed += ["Pod/sum-2-runner"] * 2
    assert history.verdict() == ["runner Pod/sum-2-runner computed its graph twice"]


def test_finalizers(history: History) -> None:
    first_half(history)
    second_half(history)
    history.made("Secret", 2, metadata={"finalizers": ["x"]})
    assert history.verdict() == ["Secret sum-2 has finalizers"]


def test_a_cluster_that_was_to_be_kept(history: History) -> None:
    history.ending = Ending("kept", ("ok",), kept=10.0)
    history.begin(1)
    history.close("Succeeded")
    ended = {"completionTime": "1970-01-01T00:00:00Z"}
    history.job(END, phase="Succeeded", result={"value": "45"}, **ended)
    history.stop(1)
    assert history.verdict() == ["DaskCluster sum-1 was gone 8.0 s after the end, not 10"]


def test_a_cluster_under_a_name_that_was_given_up_is_not_kept(history: History) -> None:
    history.ending = Ending("kept", ("ok",), kept=10.0)
    history.attempts.append({"number": 1, "name": "sum-1-given-up"})
    history.job()
    history.made("DaskCluster", 1, "given-up")
    history.gone("DaskCluster", 1, "given-up")
    del history.attempts[0]
    history.begin(1)
    history.close("Succeeded")
    ended = {"completionTime": "1970-01-01T00:00:00Z"}
    history.job(END, phase="Succeeded", result={"value": "45"}, **ended)
    assert history.verdict() == []


def test_names_leave_room_for_numbers() -> None:
    assert all(len(name) <= 36 for name in ENDINGS)
