"""What must be true of every status that an operator writes, compared with the status that it replaces."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from daskjob.api import constants as c
from daskjob.api.constants import ConditionType, FailureClass, Outcome, Phase, Reason, RetryAction, RunPolicy
from daskjob.api.spec import DaskJobSpec, digest
from daskjob.api.status import Attempt, DaskJobStatus, Retries, Run
from daskjob.api.times import from_text
from daskjob.api.tokens import ALPHABET
from daskjob.lifecycle.job.retry import FINAL, MISTAKES

SECOND = timedelta(seconds=1)
#: What only a later run may change once a job has ended.
FOR_GOOD = (
    *("phase", "run", "start_time", "completion_time", "summary", "attempt", "retries"),
    *("result", "failure", "history", "spec_digest", "rerun"),
)
#: Parts of a result that are kept of any size.
FIGURES = ("type", "size", "sha256")


@dataclass(frozen=True)
class Change:
    """One write of a status: of which job, from what, to what, and when by the writer's clock."""

    name: str
    uid: str
    generation: int
    spec: DaskJobSpec
    #: The text of the annotation that asks for another run.
    rerun: str | None
    old: DaskJobStatus
    new: DaskJobStatus
    now: datetime
    #: Of the run that the whole spec asks for, if `spec` is not all of it.
    digest: str = ""

    @property
    def edited(self) -> bool:
        known = self.old.spec_digest
        return (
            self.spec.run_policy is RunPolicy.ON_CHANGE
            and known is not None
            and known != (self.digest or digest(self.spec))
        )

    @property
    def wanted(self) -> bool:
        """Whether somebody asked for another run of a job that has ended, and does not want it cancelled at once."""
        if self.spec.cancel:
            return False
        asked = self.rerun is not None and self.rerun != self.old.rerun
        return (asked or self.edited) and not self.spec.cancel

    @property
    def same_run(self) -> bool:
        return (self.old.run or 1) == (self.new.run or 1)

    @property
    def started(self) -> bool:
        """Whether it records another attempt."""
        return self.new.attempt != self.old.attempt

    @property
    def closed(self) -> Attempt | None:
        """The attempt whose end it records."""
        before = self.old.open
        after = next((each for each in self.new.attempts if before and each.number == before.number), None)
        return after if after is not None and after.completion_time is not None else None


def check(change: Change) -> None:
    assert change.spec.managed_by == c.MANAGED_BY, "a job of another controller was written to"
    assert change.new.observed_generation == change.generation, "it does not say of which spec it is"
    check_phase(change.new)
    check_conditions(change)
    check_attempts(change)
    check_runs(change)
    check_retries(change)
    if change.started:
        check_start(change)
    if change.closed is not None:
        check_close(change, change.closed)


def check_phase(status: DaskJobStatus) -> None:
    complete, failed = status.is_true(ConditionType.COMPLETE), status.is_true(ConditionType.FAILED)
    assert not (complete and failed)
    if status.finished:
        assert status.phase == (Phase.SUCCEEDED if complete else Phase.FAILED)
        assert (status.failure is None) == complete
        assert status.result is not None or failed
        assert status.completion_time
        assert status.timings.finished
    elif status.open is not None:
        assert status.phase in (Phase.PENDING, Phase.STARTING, Phase.RUNNING)
    elif status.is_true(ConditionType.SUSPENDED):
        assert status.phase is Phase.SUSPENDED
    elif status.is_true(ConditionType.QUEUED):
        assert status.phase is Phase.QUEUED
    elif status.next_attempt_time is not None:
        assert status.phase is Phase.RETRYING
    else:
        assert status.phase is Phase.PENDING
    waits = status.open is None and not status.finished and not status.is_true(ConditionType.SUSPENDED)
    assert waits or status.queue_position is None
    assert waits or status.next_attempt_time is None
    assert waits or not status.is_true(ConditionType.QUEUED)
    assert (status.queue_position is not None) == status.is_true(ConditionType.QUEUED)


def check_conditions(change: Change) -> None:
    new = change.new
    for condition in new.conditions:
        known = change.old.condition(ConditionType(condition.type))
        if change.same_run and known is not None and known.status == condition.status:
            assert condition.last_transition_time == known.last_transition_time
        assert (condition.observed_generation or 0) <= change.generation
    if not new.finished and new.is_true(ConditionType.SUSPENDED):
        assert change.spec.suspend, "suspended, and nobody wants it"
        assert new.open is None
    # kstatus: Ready is always there; the others only while they are true.
    ready, complete = new.condition(ConditionType.READY), new.is_true(ConditionType.COMPLETE)
    assert ready is not None
    assert ready.status == str(complete)
    assert ready.reason
    assert ready.observed_generation == change.generation
    failed = new.is_true(ConditionType.FAILED)
    on_its_way = not new.finished and not new.is_true(ConditionType.SUSPENDED)
    for kind, holds in ((ConditionType.STALLED, failed), (ConditionType.RECONCILING, on_its_way)):
        condition = new.condition(kind)
        assert (condition is not None) == holds, f"{kind} is there: {condition is not None}"
        assert condition is None or condition.status == "True"


def check_attempts(change: Change) -> None:
    old, new = change.old, change.new
    numbers = [each.number for each in new.attempts]
    assert len(numbers) <= 10
    last = new.attempt or 0
    assert numbers == list(range(last - len(numbers) + 1, last + 1))
    assert all(each.completion_time and each.outcome for each in new.attempts[:-1])
    before = {each.number: each for each in old.attempts}
    for attempt in new.attempts:
        known = before.get(attempt.number)
        closed = known is not None and known.completion_time is not None
        assert not closed or known == without_news(known, attempt), "a closed attempt changed"
        if known is not None:
            check_identity(known, attempt)
    assert set(before) <= set(numbers) or len(numbers) == 10
    assert last in (old.attempt or 0, (old.attempt or 0) + 1)
    # None ends without its end being recorded.
    goes_on = old.open is not None and new.open is not None and new.open.number == old.open.number
    assert old.open is None or goes_on or change.closed is not None


def check_identity(known: Attempt, attempt: Attempt) -> None:
    """What is recorded of an attempt stays, unless it gets another name, with which all else of its identity goes."""
    assert (known.run, known.start_time) == (attempt.run, attempt.start_time)
    if known.draw == attempt.draw:
        assert (known.name, known.token_digest) == (attempt.name, attempt.token_digest)
        assert known.cluster_uid in (None, attempt.cluster_uid)
        assert known.runner_uid in (None, attempt.runner_uid)
        return
    assert attempt.draw == known.draw + 1
    assert known.completion_time is None
    assert attempt.completion_time is None
    assert known.name != attempt.name
    assert known.token_digest != attempt.token_digest
    assert (attempt.cluster_uid, attempt.runner_uid) == (None, None)
    assert known.runner_uid is None, "another name, though there was a runner"
    assert attempt.message, "another name, and the user does not know why"


def check_start(change: Change) -> None:
    old, new, spec = change.old, change.new, change.spec
    attempt = new.current
    assert attempt is not None
    assert re.fullmatch(rf"{change.name}-{change.uid[:5]}-{attempt.number}-[{ALPHABET}]{{8}}", attempt.name)
    assert re.fullmatch("[0-9a-f]{64}", attempt.token_digest or "")
    assert attempt.draw == 1
    assert attempt.run == new.run
    assert attempt.completion_time is None
    assert abs((from_text(attempt.start_time) or change.now) - change.now) <= SECOND
    assert not spec.cancel, "another attempt of a job that was cancelled"
    assert not spec.suspend, "an attempt of a job that is suspended"
    assert spec.run_policy is RunPolicy.ONCE or new.spec_digest == digest(spec), "an attempt of another spec's run"
    due = from_text(old.next_attempt_time)
    if due is not None and change.same_run:
        assert change.now >= due, "an attempt before its time"


def check_close(change: Change, attempt: Attempt) -> None:
    new, spec = change.new, change.spec
    complete = new.is_true(ConditionType.COMPLETE) and change.same_run
    assert (attempt.outcome is Outcome.SUCCEEDED) == complete
    if attempt.outcome is Outcome.SUSPENDED:
        assert spec.suspend
    if attempt.outcome is Outcome.SUPERSEDED:
        assert change.edited
        assert not change.same_run
    if attempt.outcome is Outcome.FAILED:
        assert attempt.reason
        assert attempt.failure_class is not None
    else:
        assert attempt.failure_class is None


def without_news(old: Attempt | None, attempt: Attempt) -> Attempt:
    """An attempt without what may still be heard of it after its end: what is kept of it."""
    return replace(attempt, report=None) if old is not None and old.report is None else attempt


def check_runs(change: Change) -> None:
    old, new = change.old, change.new
    assert len(new.history) <= 5
    if change.same_run:
        assert new.history == old.history
        # Until its first attempt, or an end without one, a run is of whatever is asked for.
        begun = old.spec_digest is not None and any(each.run == (old.run or 1) for each in old.attempts)
        assert new.rerun == old.rerun or not begun, "a request for another run was lost"
        assert new.spec_digest == old.spec_digest or not begun
        if old.finished:
            attempts = [without_news(*both) for both in zip(old.attempts, new.attempts, strict=True)]
            assert attempts == list(old.attempts), "attempts changed after the end"
            for part in FOR_GOOD:
                assert getattr(old, part) == getattr(new, part), f"{part} changed after the end"
        return
    assert (new.run or 1) == (old.run or 1) + 1
    assert change.wanted if old.finished else change.edited, "a run that nobody asked for"
    assert new.spec_digest == digest(change.spec)
    assert new.rerun == change.rerun
    was = new.history[0]
    assert new.history[1:] == old.history[:4]
    assert was.run == (old.run or 1)
    check_history(old, was)


def check_history(old: DaskJobStatus, was: Run) -> None:
    if not old.finished:
        assert was.outcome is Outcome.SUPERSEDED
        assert was.result is None
        return
    assert was.outcome is (Outcome.FAILED if old.failure else Outcome.SUCCEEDED)
    assert (was.start_time, was.completion_time) == (old.start_time, old.completion_time)
    assert was.reason == (old.failure.reason if old.failure else None)
    assert (was.result is None) == (old.result is None)
    if was.result is not None and old.result is not None:
        assert all(getattr(was.result, part) == getattr(old.result, part) for part in FIGURES)
        assert was.result.value == old.result.value or (was.result.value is None and len(old.result.value or "") > 1024)


def check_retries(change: Change) -> None:
    """A failed attempt counts once, as what it was, and only within the limits; nothing else counts."""
    spec, attempt = change.spec, change.closed
    before = change.old.retries or Retries()
    after = change.new.retries or Retries()
    if not change.same_run:
        assert after.total == 0
        return
    failed = attempt is not None and attempt.outcome is Outcome.FAILED
    if not failed:
        assert before == after
        return
    assert attempt is not None
    grown = [getattr(after, each) - getattr(before, each) for each in ("application", "infrastructure", "ignored")]
    rules = spec.failure_policy.rules if spec.failure_policy is not None else ()
    rule = next((each.action for each in rules if attempt.reason in each.on_reasons), None)
    infrastructure = attempt.failure_class is FailureClass.INFRASTRUCTURE and rule is not RetryAction.RETRY
    if sum(grown) == 0:
        assert change.new.finished, "neither the end nor another attempt"
        if not change.spec.cancel and attempt.reason not in FINAL and rule is not RetryAction.FAIL:
            assert rule is not RetryAction.IGNORE or before.ignored >= 1000
            used, limit = (
                (before.infrastructure, spec.infrastructure_retries)
                if infrastructure
                else (before.application, spec.backoff_limit)
            )
            permanent = rule is None and not infrastructure and attempt.reason in MISTAKES
            assert used >= limit or permanent, "given up too early"
        return
    assert sum(grown) == 1
    assert not change.spec.cancel
    assert attempt.reason not in FINAL
    assert attempt.reason not in MISTAKES or rule is not None or infrastructure
    assert rule is not RetryAction.FAIL
    assert (rule is RetryAction.IGNORE) == (grown[2] == 1)
    assert grown[1] == 0 or (infrastructure and after.infrastructure <= spec.infrastructure_retries)
    assert grown[0] == 0 or (not infrastructure and after.application <= spec.backoff_limit)
    due = from_text(change.new.next_attempt_time)
    if due is not None:
        full = min(spec.backoff.initial_seconds * 2.0 ** (after.total - 1), float(spec.backoff.maximum_seconds))
        pause = (due - change.now).total_seconds()
        began = from_text(attempt.start_time)
        quick = began is None or (change.now - began).total_seconds() < 60
        floor = min(10.0, 2.0 ** (after.total - 1)) if quick else 1.0
        least, most = max(floor, 0.75 * full), max(floor, full) + 1
        assert least <= pause <= most, f"a pause of {pause} s, where {least} to {most} s are due"


def reason_of(status: DaskJobStatus) -> str:
    return str(status.failure.reason if status.failure is not None else Reason.SUCCEEDED)
