"""Reports that are not believed, because the policy that lets only their runner write them is not in force."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from daskjob.api.constants import ConditionType, FailureClass, Outcome, Phase, Reason
from daskjob.api.long_texts import shorten
from daskjob.lifecycle.job.claims import UPGRADE
from daskjob.lifecycle.job.decision import Decision

from .builders import NOW, Scene, a_job, end_of, ended, message, running

WHY = "the admission policy on reports is not in force: spec.validations[0] is absent"
FORGED = {"outcome": "Succeeded", "result": {"type": "int", "value": "666"}}


def distrusted(scene: Scene) -> Scene:
    return scene.sees(report=replace(scene.seen["report"], distrust=WHY))


def condition(decision: Decision) -> tuple[str, str, str] | None:
    found = decision.status.condition(ConditionType.REPORTING_DEGRADED)
    return (found.status, found.reason, found.message) if found is not None else None


def runner_left(scene: Scene, text: str, code: int = 0) -> Scene:
    return scene.runner(ended("runner", exit_code=code, message=text, finished=NOW)).live()


def test_a_sealed_report_does_not_end_the_attempt_and_the_job_says_why() -> None:
    decision = distrusted(a_job().started().says(**FORGED).live()).decide()
    assert not decision.status.finished
    told = condition(decision)
    assert told is not None
    assert told[:2] == ("True", "PolicyNotInForce")
    assert told[2].startswith(WHY)


def test_while_it_is_believed_nothing_is_said() -> None:
    assert condition(a_job().started().decide()) is None


def test_believed_again_after_an_upgrade_nothing_is_said_any_more() -> None:
    degraded = a_job().started().with_condition(ConditionType.REPORTING_DEGRADED, "True", "PolicyNotInForce", 5)
    assert condition(degraded.decide()) is None
    assert condition(degraded.says(outcome="Succeeded").live().decide()) is None


@pytest.mark.parametrize(
    ("text", "end", "value"),
    [
        (message("Succeeded", result={"type": "int", "value": "42"}), ("Succeeded", None), "42"),
        (message("Failed", failure={"reason": "TaskFailed"}), ("TaskFailed", FailureClass.APPLICATION), None),
        ("", ("ExitedEarly", FailureClass.APPLICATION), None),
    ],
)
def test_only_the_termination_message_counts(text: str, end: tuple[str, object], value: str | None) -> None:
    scene = runner_left(distrusted(a_job().started().says(**FORGED)), text)
    assert end_of(scene) == end
    decision = scene.decide()
    assert (decision.status.result.value if decision.status.result else None) == value
    told = condition(decision)
    assert told is not None
    assert told[:2] == ("True", "PolicyNotInForce")


@pytest.mark.parametrize("long", [False, True], ids=["short", "kept as a stand-in"])
@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, True),
        ({"value": '"forged"'}, False),
        # Python's types have no digest.
        ({"types": {"": "datetime.date"}}, False),
        ({"type": "list"}, False),
    ],
)
def test_a_value_with_no_room_in_the_message_is_the_reports_if_the_message_has_its_digest(
    change: dict[str, Any], kept: bool, long: bool
) -> None:
    value = json.dumps("a" * (5000 if long else 50))
    digest = hashlib.sha256(value.encode()).hexdigest()
    short = {"type": "str", "size": len(value), "sha256": digest}
    result = {"type": "str", "value": value, "size": len(value)} | change
    result["sha256"] = hashlib.sha256(result["value"].encode()).hexdigest()
    result["value"] = shorten(result["value"])
    scene = distrusted(a_job().started().says(outcome="Succeeded", result=result))
    last = runner_left(scene, message("Succeeded", result=short, truncated=True))
    decision = last.decide()
    # An operator that was upgraded with the policy may believe it in a moment.
    assert decision.status.finished is kept
    assert kept or decision.requeue_after == UPGRADE
    decision = last.sees(now=NOW + UPGRADE).decide()
    assert decision.status.is_true(ConditionType.COMPLETE)
    assert decision.status.result is not None
    assert decision.status.result.value == (result["value"] if kept else None)
    told = condition(decision)
    assert told is not None
    assert ("no room" in told[2]) is not kept


def test_progress_stays_and_what_is_forged_changes_nothing() -> None:
    known = a_job().started().decide().status
    scene = (
        a_job()
        .started()
        .with_status(phase=known.phase, progress=known.progress, markers=known.markers, conditions=known.conditions)
    )
    forged = {"progress": {"total": 10, "done": 9}, "workers": {"connected": 7, "retired": ["sum-3f2a9-1-worker-1"]}}
    decision = distrusted(scene.says(**forged)).decide()
    assert decision.status.phase == Phase.RUNNING
    assert decision.status.progress == known.progress
    assert decision.status.cluster is not None
    assert decision.status.cluster.workers.ready == 2, "as their pods show"
    assert not [each for each in decision.actions if type(each).__name__ in ("Delete", "Scale")]


def test_another_attempt_begins_without_the_condition() -> None:
    scene = runner_left(distrusted(a_job().with_spec(backoffLimit=1).started()), "", code=3)
    after = scene.decide().status
    assert after.phase == Phase.RETRYING
    again = a_job().accepted().closed(Outcome.FAILED).gone().live()
    again = again.with_condition(ConditionType.REPORTING_DEGRADED, "True", Reason.POLICY_NOT_IN_FORCE, 5)
    assert again.decide().status.condition(ConditionType.REPORTING_DEGRADED) is None


def test_a_job_whose_graph_runs_is_not_ended_for_silence() -> None:
    scene = a_job().with_spec(stallTimeoutSeconds=10).started()
    later = scene.runner(running("runner", since=3600)).accepted(3600)
    assert end_of(distrusted(later.sees(report=scene.seen["report"])).live()) == ("", None)
