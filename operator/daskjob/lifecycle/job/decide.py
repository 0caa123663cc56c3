"""The decision about a job: from one observation, the status to record, the actions, and when the next pass runs.

Pure: no I/O, no clock but the observation's. The rules stand in ordered tuples: `STATES` here, `WAITING` between
attempts, `ENDINGS` and `DEADLINES` of an open attempt. docs/lifecycle.md is generated from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from daskjob.api.constants import ConditionType, EventReason, Outcome, Reason
from daskjob.lifecycle.event import Event
from daskjob.lifecycle.job import (
    between_attempts,
    conclusion,
    finished,
    open_attempt,
    record,
    report_saved,
    retention,
    runs,
    teardown,
)
from daskjob.lifecycle.job.attempt_end import failed
from daskjob.lifecycle.job.decision import Advance, Decision
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.job.plain_texts import with_plain_texts
from daskjob.lifecycle.job.readiness import with_readiness
from daskjob.lifecycle.rules import first_hit

#: States that one pass may go through. A real pass needs fewer: a run ends, the next one begins, is resumed, and starts
#: an attempt.
MOST_STEPS = 10


def decide(observation: Observation) -> Decision:
    """The status to write for the job, and the actions of this pass. Raises nothing, whatever the observation."""
    job = observation.job
    if job.unmanaged is not None:
        return Decision(job.status, rules=("unmanaged",))
    if job.deleting:
        if job.held:
            return replace(retention.remove_results(observation), rules=("deleting", "remove_results"))
        # A user's finalizer may hold the job for long, and the garbage collector waits for it: the operator does not.
        return Decision(job.status, tuple(teardown.remove_all(observation)), rules=("deleting",))
    decision = _follow_states(observation)
    lingers = teardown.lingers(observation) and finished.kept_until(observation) is None
    if decision.needs_live_read or (not observation.live and (_concludes(observation, decision) or lingers)):
        return Decision(job.status, needs_live_read=True, rules=decision.rules)
    status = report_saved.follow(observation, decision.status)
    status = with_plain_texts(replace(status, observed_generation=job.generation))
    events = (*decision.events, *_warnings(observation))
    status = with_readiness(status, job.generation, observation.now)
    actions = (*retention.hold(job, status), *decision.actions)
    return replace(decision, status=status, actions=actions, events=events)


def _warnings(observation: Observation) -> tuple[Event, ...]:
    other = observation.other_installation
    if other is None:
        return ()
    words = f"installation {other} of the operator serves this namespace, too: tell your administrator"
    return (Event(EventReason.OTHER_INSTALLATION, words, warning=True),)


def _follow_states(observation: Observation) -> Decision:
    """Applies the rules of `STATES`, from one state to the next, until a rule answers with a Decision."""
    step = Advance(observation)
    for _ in range(MOST_STEPS):
        hit: tuple[str, Decision | Advance] | None = first_hit(STATES, step.observation)
        assert hit is not None, "the last state applies always"
        name, answer = hit
        events = (*step.events, *answer.events)
        rules = (*step.rules, name, *answer.rules)
        if isinstance(answer, Decision):
            return replace(answer, events=events, rules=rules)
        step = replace(answer, events=events, rules=rules)
    raise AssertionError(f"no end of states: {step.rules}")


def _concludes(observation: Observation, decision: Decision) -> bool:
    """Whether the decision ends an attempt otherwise than by a report of success. Nothing takes that back, so it needs
    a live read: the cache may be late, and a sealed report, which decides first, may already be on the API server."""
    last, report = decision.status.current, observation.attempt.report
    if observation.job.status.open is None or last is None or last.outcome is None:
        return False
    return last.outcome != Outcome.SUCCEEDED or report is None or not report.sealed


def finished_and_wanted_anew(observation: Observation) -> Advance | None:
    """The job has ended, and an annotation or an edit asks for another run: the run begins."""
    job = observation.job
    if not job.status.finished or not runs.wants_run(job):
        return None
    succeeded = job.status.is_true(ConditionType.COMPLETE)
    return runs.start_anew(observation, Outcome.SUCCEEDED if succeeded else Outcome.FAILED)


def finished_job(observation: Observation) -> Decision | None:
    """The job has ended: the operator removes what is left, and the job itself after `ttlSecondsAfterFinished`."""
    return finished.tend(observation) if observation.job.status.finished else None


def attempt_open(observation: Observation) -> Decision | Advance | None:
    """An attempt is open: it ends, is suspended or superseded, or goes on."""
    return open_attempt.follow(observation) if observation.job.status.open is not None else None


def edited_between_attempts(observation: Observation) -> Advance | None:
    """The spec was edited (`runPolicy: OnChange`) after the run's first attempt: that is another run."""
    job = observation.job
    if runs.is_edited(job) and record.has_begun(job.status):
        return runs.start_anew(observation, Outcome.SUPERSEDED)
    return None


def invalid_spec(observation: Observation) -> Decision | None:
    """The spec cannot be carried out: the job fails before the operator creates anything."""
    problem = observation.job.spec_problem
    return conclusion.finish(observation, failed(Reason.INVALID_SPEC, problem)) if problem is not None else None


def no_attempt(observation: Observation) -> Decision | Advance:
    """No attempt is open: the rules between attempts decide whether the next one starts."""
    return between_attempts.wait(observation)


#: Ordered: the first state that applies decides about the job.
STATES: tuple[Callable[[Observation], Decision | Advance | None], ...] = (
    finished_and_wanted_anew,
    finished_job,
    attempt_open,
    edited_between_attempts,
    invalid_spec,
    no_attempt,
)
