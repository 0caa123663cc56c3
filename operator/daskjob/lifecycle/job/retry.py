"""Whether another attempt follows a failed one, and when."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta

import re2

from daskjob.api.constants import FailureClass, Reason, RetryAction
from daskjob.api.spec import DaskJobSpec, FailureRule
from daskjob.api.status import Failure, Retries

#: These end the job whatever its policy: the user cancelled it, its time is over, or its spec can never run.
FINAL = frozenset({Reason.INVALID_SPEC, Reason.DEADLINE_EXCEEDED, Reason.CANCELLED})
#: Another attempt would fail for the same reason: only a rule of `failurePolicy` makes the operator try one.
MISTAKES = frozenset(
    {
        Reason.MODULE_NOT_FOUND,
        Reason.ENTRYPOINT_NOT_FOUND,
        Reason.INVALID_JOB,
        Reason.NO_SUITABLE_WORKERS,
        Reason.PRELOAD_FAILED,
        Reason.DASK_CUDA_MISSING,
        Reason.WRONG_GPU_COUNT,
        Reason.RESULT_NOT_SERIALIZABLE,
        Reason.RESULT_TOO_LARGE,
        Reason.STORE_DRIVER_MISSING,
        Reason.STORE_NOT_FOUND,
        Reason.STORE_FORBIDDEN,
        Reason.VERSION_MISMATCH,
        Reason.PAYLOAD_UNREADABLE,
        Reason.PAYLOAD_MISSING,
        Reason.CONFIG_MAP_NOT_FOUND,
        Reason.SERVICE_ACCOUNT_NOT_FOUND,
        Reason.IMAGE_PULL_FAILED,
        Reason.UNSCHEDULABLE,
        Reason.QUOTA_EXCEEDED,
        Reason.POD_REJECTED,
        Reason.CONTAINER_START_FAILED,
        Reason.VOLUME_MOUNT_FAILED,
        Reason.OPERATOR_FORBIDDEN,
        Reason.NAME_CONFLICT,
        Reason.SOURCE_NOT_FOUND,
        Reason.REVISION_NOT_FOUND,
        Reason.SOURCE_FORBIDDEN,
        Reason.SOURCE_REFUSED,
        Reason.GIT_MISSING,
    }
)


#: What Python says of code that it cannot read.
UNREADABLE = frozenset({"SyntaxError", "IndentationError", "TabError"})
#: How many failures of a run rules with action Ignore may ignore: an ignored failure must not repeat for ever.
MOST_IGNORED = 1000
#: Seconds before another attempt, whatever `spec.backoff` says: the least, and what they grow to, doubled with each
#: failure, while attempts are quick to fail. An attempt makes a dozen objects.
FLOOR, HIGHEST_FLOOR = 1.0, 10.0
#: An attempt that took this long was not quick to fail.
QUICK = timedelta(minutes=1)


@dataclass(frozen=True)
class Verdict:
    """`retries`: the counts including this failure, if another attempt follows; None if the job ends. `note`: added to
    the failure's message."""

    retries: Retries | None
    note: str = ""


def judge(spec: DaskJobSpec, before: Retries, failure: Failure) -> Verdict:
    """Whether another attempt follows this failure, by the rules and limits of the spec."""
    if failure.reason in FINAL:
        return Verdict(None)
    rules = spec.failure_policy.rules if spec.failure_policy is not None else ()
    for index, rule in enumerate(rules):
        if matches(rule, failure):
            where = f"spec.failurePolicy.rules[{index}]"
            if rule.action is RetryAction.IGNORE:
                if before.ignored < MOST_IGNORED:
                    return Verdict(replace(before, ignored=before.ignored + 1))
                return Verdict(None, f"{where} says Ignore, which ends after {MOST_IGNORED} ignored failures of a run")
            if rule.action is RetryAction.FAIL:
                return Verdict(None, f"{where} says Fail" if spec.backoff_limit or before.total else "")
            return _application(spec, before)
    if failure.failure_class is FailureClass.INFRASTRUCTURE:
        if before.infrastructure < spec.infrastructure_retries:
            return Verdict(replace(before, infrastructure=before.infrastructure + 1))
        return Verdict(None, _reached("infrastructureRetries", spec.infrastructure_retries))
    if failure.reason in MISTAKES or _cannot_be_read(failure):
        return Verdict(None, "not tried again: it would be the same" if spec.backoff_limit else "")
    return _application(spec, before)


def _cannot_be_read(failure: Failure) -> bool:
    """Whether Python cannot read the code."""
    return failure.reason == Reason.ENTRYPOINT_FAILED and failure.exception_type in UNREADABLE


def _application(spec: DaskJobSpec, before: Retries) -> Verdict:
    if before.application < spec.backoff_limit:
        return Verdict(replace(before, application=before.application + 1))
    return Verdict(None, _reached("backoffLimit", spec.backoff_limit))


def _reached(name: str, limit: int) -> str:
    return f"spec.{name} ({limit}) is reached" if limit else ""


def matches(rule: FailureRule, failure: Failure) -> bool:
    """Whether the failure meets all conditions of the rule."""
    if rule.on_reasons and failure.reason not in rule.on_reasons:
        return False
    codes = rule.on_exit_codes
    if codes is not None and (
        failure.exit_code is None or (failure.exit_code in codes.values) != (codes.operator == "In")
    ):
        return False
    kind = failure.exception_type or ""
    if rule.on_exception_types and not {kind, kind.rpartition(".")[2]} & set(rule.on_exception_types) - {""}:
        return False
    return rule.on_message_pattern is None or _found(rule.on_message_pattern, failure.message or "")


def _found(pattern: str, text: str) -> bool:
    # RE2 takes linear time whatever the pattern. A pattern that RE2 does not support matches nothing.
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.search(pattern, text, options) is not None
    except re2.error:
        return False


def pause(spec: DaskJobSpec, uid: str, failures: int, took: timedelta) -> timedelta:
    """How long to wait after that many failures in this run (1 or more). `took`: how long the last attempt took."""
    doubled = 2.0 ** min(failures - 1, 30)
    seconds = min(float(spec.backoff.maximum_seconds), spec.backoff.initial_seconds * doubled)
    # Jobs that failed together start their next attempts apart. Drawn from the UID, so that every pass decides the
    # same.
    drawn = hashlib.sha256(f"{uid}:{failures}".encode()).digest()[0] / 255
    floor = min(HIGHEST_FLOOR, FLOOR * doubled) if took < QUICK else FLOOR
    return timedelta(seconds=max(floor, seconds * (1.0 - 0.25 * drawn)))
