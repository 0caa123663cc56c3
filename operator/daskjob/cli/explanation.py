"""What `daskjob explain` prints: the decision about an observation, and the rules that made it."""

from __future__ import annotations

from collections.abc import Iterator

from daskjob.lifecycle.job.actions import Action, Delete
from daskjob.lifecycle.job.between_attempts import WAITING
from daskjob.lifecycle.job.deadlines import DEADLINES
from daskjob.lifecycle.job.decide import STATES, decide
from daskjob.lifecycle.job.endings import ENDINGS
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.rules import name_of, sentence_of


def explain(observation: Observation) -> Iterator[str]:
    """The lines."""
    job, decision = observation.job, decide(observation)
    yield f"{job.namespace}/{job.name} at {observation.now:%Y-%m-%dT%H:%M:%SZ}"
    yield "decided by:"
    for rule in decision.rules:
        sentence = SENTENCES.get(rule)
        yield f"  {rule}: {sentence}" if sentence else f"  {rule}"
    if decision.needs_live_read:
        yield "then: the operator reads the API server itself, and decides anew; nothing else of this decision counts"
        return
    before, after = job.status.phase or "new", decision.status.phase or "new"
    yield f"phase: {after}" if before == after else f"phase: {before} -> {after}"
    known = {condition.type: condition for condition in job.status.conditions}
    for condition in decision.status.conditions:
        mark = " " if known.get(condition.type) == condition else "*"
        yield f"  {mark} {condition.type}={condition.status} {condition.reason}: {condition.message}"
    for action in decision.actions:
        yield f"action: {_action(action)}"
    for event in decision.events:
        yield f"event: {'Warning' if event.warning else 'Normal'} {event.reason}: {event.message}"
    again = decision.requeue_after
    yield f"looks again: {'when something happens' if again is None else f'in {again.total_seconds():g} s'}"


def _action(action: Action) -> str:
    if isinstance(action, Delete):
        return f"Delete {action.target.kind} {action.target.name}: {action.why}"
    details = ", ".join(f"{name}={value}" for name, value in vars(action).items())
    return f"{type(action).__name__} {details}".rstrip()


#: What each rule says, by its name.
SENTENCES = {
    **{name_of(rule): sentence_of(rule) for rule in (*STATES, *WAITING, *ENDINGS)},
    **{deadline.field: deadline.sentence for deadline in DEADLINES},
}
