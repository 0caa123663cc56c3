"""docs/lifecycle.md says what the rules say, and every arrow of its diagram is one that `decide` follows."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest

from daskjob import wire
from daskjob.api.constants import ConditionType, Outcome, Phase, Reason
from daskjob.api.spec import parse_spec
from daskjob.lifecycle.job.between_attempts import WAITING
from daskjob.lifecycle.job.decide import STATES
from daskjob.lifecycle.job.endings import ENDINGS
from daskjob.lifecycle.job.observation import QueuePlace
from daskjob.lifecycle.job.phases import TRANSITIONS
from daskjob.lifecycle.rules import sentence_of

from .builders import Scene, a_job

ROOT = Path(__file__).resolve().parents[2]
RULES = (*STATES, *WAITING, *ENDINGS)

QUEUED = QueuePlace(3, Reason.NAMESPACE_LIMIT, "place 3")
FAILURE = {"reason": "TaskFailed", "message": "no"}


def waiting(phase: Phase) -> Scene:
    """A job of which no attempt was made, in that phase."""
    return a_job().with_status(phase=phase).live()


def suspended() -> Scene:
    return waiting(Phase.SUSPENDED).with_condition(ConditionType.SUSPENDED, "True", "JobSuspended", 5)


def starting() -> Scene:
    return a_job().accepted().with_status(phase=Phase.STARTING).cluster().runner().live()


def computing() -> Scene:
    return a_job().started().with_status(phase=Phase.RUNNING).live()


def lost(scene: Scene) -> Scene:
    """The DaskCluster of an attempt that has a report is gone: an infrastructure failure."""
    return scene.report().sees(cluster=None)


def ended(kind: ConditionType) -> Scene:
    scene = a_job().accepted().finished(kind).gone().live()
    return scene.that_is(rerun="again")


SCENES: dict[tuple[Phase | None, Phase], Scene] = {
    (None, Phase.PENDING): a_job().live(),
    (None, Phase.QUEUED): a_job().live().sees(queue_place=QUEUED),
    (None, Phase.SUSPENDED): a_job().live().with_spec(suspend=True),
    (None, Phase.FAILED): a_job().live().that_is(spec_problem="no"),
    (Phase.QUEUED, Phase.PENDING): waiting(Phase.QUEUED),
    (Phase.QUEUED, Phase.SUSPENDED): waiting(Phase.QUEUED).with_spec(suspend=True),
    (Phase.QUEUED, Phase.FAILED): waiting(Phase.QUEUED).with_spec(cancel=True),
    (Phase.PENDING, Phase.STARTING): a_job().accepted().cluster().runner().live(),
    (Phase.PENDING, Phase.FAILED): a_job().accepted().with_spec(cancel=True).live(),
    (Phase.STARTING, Phase.RUNNING): starting().report(stage="Running"),
    (Phase.STARTING, Phase.RETRYING): lost(starting()).with_spec(infrastructureRetries=3),
    (Phase.STARTING, Phase.SUSPENDED): starting().with_spec(suspend=True),
    (Phase.STARTING, Phase.FAILED): lost(starting()),
    (Phase.RUNNING, Phase.SUCCEEDED): computing().says(outcome="Succeeded"),
    (Phase.RUNNING, Phase.RETRYING): lost(computing()).with_spec(infrastructureRetries=3),
    (Phase.RUNNING, Phase.SUSPENDED): computing().with_spec(suspend=True),
    (Phase.RUNNING, Phase.FAILED): computing().says(outcome="Failed", failure=FAILURE),
    (Phase.RUNNING, Phase.PENDING): computing().with_spec(runPolicy="OnChange").with_status(spec_digest="other"),
    (Phase.RETRYING, Phase.PENDING): a_job().accepted().retrying(due_in=-1).gone().live(),
    (Phase.RETRYING, Phase.SUSPENDED): a_job().accepted().retrying().gone().live().with_spec(suspend=True),
    (Phase.RETRYING, Phase.FAILED): a_job().accepted().retrying().gone().live().with_spec(cancel=True),
    (Phase.SUSPENDED, Phase.PENDING): suspended(),
    (Phase.SUSPENDED, Phase.FAILED): suspended().with_spec(cancel=True),
    (Phase.SUCCEEDED, Phase.PENDING): ended(ConditionType.COMPLETE),
    (Phase.FAILED, Phase.PENDING): ended(ConditionType.FAILED),
}


def test_the_page_is_current() -> None:
    render = runpy.run_path(str(ROOT / "docs" / "generate_lifecycle.py"))["render"]
    written = (ROOT / "docs" / "lifecycle.md").read_text()
    assert written == render(), "stale: run python docs/generate_lifecycle.py"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_rule_says_in_a_sentence_what_it_is_for(rule: object) -> None:
    assert sentence_of(rule).endswith(".")  # type: ignore[arg-type]


def test_the_names_of_rules_are_unique() -> None:
    names = [rule.__name__ for rule in RULES]
    assert len(set(names)) == len(names)


def test_names_outside_the_lists_are_on_the_page_too() -> None:
    """`daskjob explain` may print them."""
    page, found = (ROOT / "docs" / "lifecycle.md").read_text(), set()
    for name in ("decide", "open_attempt"):
        tree = ast.parse((ROOT / "operator" / "daskjob" / "lifecycle" / "job" / f"{name}.py").read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                values = [each.value for each in node.keywords if each.arg == "rules"]
                tuples = [each for each in (*values, *node.args) if isinstance(each, ast.Tuple)]
                found |= {part.value for each in tuples for part in each.elts if isinstance(part, ast.Constant)}
    assert {"unmanaged", "deleting", "edited", "suspended", "something_missing"} <= found
    assert [name for name in found if f"`{name}`" not in page] == []


def test_every_arrow_has_its_scene() -> None:
    arrows = [(each.before, each.after) for each in TRANSITIONS]
    assert len(set(arrows)) == len(arrows)
    assert set(arrows) == set(SCENES)


@pytest.mark.parametrize(("before", "after"), SCENES, ids=lambda phase: str(phase))
def test_arrow(before: Phase | None, after: Phase) -> None:
    scene = SCENES[before, after]
    assert scene.status.phase == before
    decision = scene.decide()
    assert not decision.needs_live_read
    assert decision.status.phase == after
    assert decision.rules


def test_the_runners_words_are_the_operators() -> None:
    """`wire` goes into foreign images and cannot import `api`: the two lists are held to each other here."""
    reasons = [str(each) for each in Reason]
    assert reasons[: len(wire.REASONS)] == list(wire.REASONS), "the runner's reasons come first, in the same order"
    assert {str(Outcome.SUCCEEDED), str(Outcome.FAILED)} == {wire.SUCCEEDED, wire.FAILED}


def test_a_scene_has_a_valid_spec() -> None:
    for scene in SCENES.values():
        assert parse_spec(scene.spec).graph.entrypoint
