"""More manifests that are accepted or refused (see `cases`): retries, time, control of a run, its queue."""

from __future__ import annotations

from typing import Any

from .cases import Refused, a_job, refused

ACCEPTED: dict[str, dict[str, Any]] = {
    "retries": a_job("{backoffLimit: 1000, infrastructureRetries: 0, backoff: {initialSeconds: 0, maximumSeconds: 0}}"),
    "backoff in part": a_job("{backoff: {maximumSeconds: 10}}"),
    "backoff null": a_job("{backoff: null, cleanup: null, failurePolicy: null, backoffLimit: null}"),
    "rule by reason": a_job("{failurePolicy: {rules: [{action: Fail, onReasons: [TaskFailed, WorkerOOMKilled]}]}}"),
    "rule by exit code": a_job(
        "{failurePolicy: {rules: [{action: Ignore, onExitCodes: {operator: NotIn, values: [0, 137, -255, 255]}}]}}"
    ),
    "rule by exception": a_job("{failurePolicy: {rules: [{action: Fail, onExceptionTypes: [a.b.Timeout, Timeout]}]}}"),
    "rule by message": a_job(
        "{failurePolicy: {rules: [{action: Fail, onMessagePattern: '(?i)reset|a{3}[[:alpha:]]$'}]}}"
    ),
    "rule by all of them, retried": a_job(
        "{backoffLimit: 1, failurePolicy: {rules: [{action: Retry, onReasons: [A], onExitCodes: {operator: In,"
        " values: [3]}, onExceptionTypes: [E], onMessagePattern: x}, {action: Ignore, onReasons: [B]}]}}"
    ),
    "most rules": a_job({"failurePolicy": {"rules": [{"action": "Fail", "onReasons": ["A"] * 64}] * 20}}),
    "times": a_job(
        "{activeDeadlineSeconds: 315360000, attemptDeadlineSeconds: 1, stallTimeoutSeconds: 30,"
        " ttlSecondsAfterFinished: 0}"
    ),
    "long ttl": a_job(f"{{ttlSecondsAfterFinished: {2**31 - 1}}}"),
    "suspended": a_job("{suspend: true}"),
    "cancelled from the start": a_job("{cancel: true}"),
    "cleanup": a_job("{cleanup: {afterSuccessSeconds: 0, afterFailureSeconds: 604800}}"),
    "cleanup in part": a_job("{cleanup: {afterFailureSeconds: 60}}"),
    "run policy": a_job("{runPolicy: OnChange}"),
    "priorities": a_job("{priority: -1000000, priorityClassName: batch.low-1}"),
    "managed by another": a_job("{managedBy: kueue.x-k8s.io/multikueue}"),
    "start with some of the workers": a_job("{cluster: {workers: {replicas: 4, minWorkers: 4}}}"),
    "start with some of an adaptive cluster": a_job(
        "{cluster: {workers: {adaptive: {minimum: 3, maximum: 9}, minWorkers: 3}}}"
    ),
    "start with the one": a_job("{cluster: {workers: {minWorkers: 1}}}"),
}

_LEAST = "greater than or equal to"
_MOST = "less than or equal to"
_RULE = "spec.failurePolicy.rules[0]"
_START = "make minWorkers at most the number of workers that the cluster starts with"
_PATTERN = "write a regular expression that RE2 understands"
_MATCHERS = "say what the rule matches: give onReasons, onExitCodes, onExceptionTypes or onMessagePattern"
_MANAGER = "write a domain-prefixed path, e.g. kueue.x-k8s.io/multikueue"


def bound(title: str, field: str, spec: str, words: str) -> Refused:
    """A number beyond its bound: in both sides' words."""
    return refused(title, spec, field, f"must be {words}", _LEAST if "least" in words else _MOST)


def pattern(title: str, expression: str) -> Refused:
    rule = {"action": "Fail", "onMessagePattern": expression}
    manifest = a_job({"failurePolicy": {"rules": [rule]}})
    return Refused(title, manifest, f"{_RULE}.onMessagePattern", _PATTERN, _PATTERN)


REFUSED: list[Refused] = [
    # Retries
    bound("negative limit", "spec.backoffLimit", "{backoffLimit: -1}", "at least 0, not -1"),
    bound("endless limit", "spec.backoffLimit", "{backoffLimit: 1001}", "at most 1000, not 1001"),
    bound("negative retries", "spec.infrastructureRetries", "{infrastructureRetries: -1}", "at least 0"),
    bound("long pause", "spec.backoff.maximumSeconds", "{backoff: {maximumSeconds: 86401}}", "at most 86400"),
    refused(
        "limit in quotes",
        "{backoffLimit: '3'}",
        "spec.backoffLimit",
        "write 3 without quotes",
        "must be of type integer",
    ),
    refused(
        "pauses the wrong way round",
        "{backoff: {initialSeconds: 20, maximumSeconds: 10}}",
        "spec.backoff.initialSeconds",
        "make initialSeconds at most maximumSeconds",
    ),
    refused(
        "first pause beyond the default of the last",
        "{backoff: {initialSeconds: 301}}",
        "spec.backoff.initialSeconds",
        "make initialSeconds at most maximumSeconds",
    ),
    # The failure policy
    refused("no rules", "{failurePolicy: {}}", "spec.failurePolicy.rules", "is missing: rules are tried", "Required"),
    refused(
        "empty rules",
        "{failurePolicy: {rules: []}}",
        "spec.failurePolicy.rules",
        "must not be empty",
        "at least 1 items",
    ),
    refused(
        "no action",
        "{failurePolicy: {rules: [{onReasons: [A]}]}}",
        f"{_RULE}.action",
        "is missing: action: Fail ends the job",
        "Required",
    ),
    refused(
        "a Job's action",
        "{failurePolicy: {rules: [{action: FailJob, onReasons: [A]}]}}",
        f"{_RULE}.action",
        "did you mean Fail?",
        'supported values: "Fail", "Retry", "Ignore"',
    ),
    refused("a rule for everything", "{failurePolicy: {rules: [{action: Fail}]}}", _RULE, _MATCHERS),
    refused(
        "no reasons",
        "{failurePolicy: {rules: [{action: Fail, onReasons: []}]}}",
        f"{_RULE}.onReasons",
        "must not be empty",
        "at least 1 items",
    ),
    refused(
        "no operator",
        "{failurePolicy: {rules: [{action: Fail, onExitCodes: {values: [1]}}]}}",
        f"{_RULE}.onExitCodes.operator",
        "is missing",
        "Required",
    ),
    bound(
        "no exit code",
        f"{_RULE}.onExitCodes.values[0]",
        "{failurePolicy: {rules: [{action: Fail, onExitCodes: {operator: In, values: [256]}}]}}",
        "at most 255, not 256",
    ),
    refused(
        "retried, but never",
        "{failurePolicy: {rules: [{action: Ignore, onReasons: [A]}, {action: Retry, onReasons: [B]}]}}",
        "spec.backoffLimit",
        "give a backoffLimit of 1 or more, or use action Ignore",
    ),
    pattern("open parenthesis", "(reset"),
    pattern("lookahead, which RE2 does not have", "a(?=b)"),
    pattern("backreference, which RE2 does not have", r"(a)\1"),
    pattern("nothing to repeat", "*"),
    pattern("wrong bounds of a repetition", "a{2,1}"),
    refused(
        "empty pattern",
        "{failurePolicy: {rules: [{action: Fail, onMessagePattern: ''}]}}",
        f"{_RULE}.onMessagePattern",
        "must not be empty",
        "at least 1 chars",
    ),
    # Time
    bound("short stall", "spec.stallTimeoutSeconds", "{stallTimeoutSeconds: 29}", "at least 30, not 29"),
    bound("no time for an attempt", "spec.attemptDeadlineSeconds", "{attemptDeadlineSeconds: 0}", "at least 1"),
    bound("negative ttl", "spec.ttlSecondsAfterFinished", "{ttlSecondsAfterFinished: -1}", "at least 0"),
    bound("kept for ever", "spec.cleanup.afterFailureSeconds", "{cleanup: {afterFailureSeconds: 604801}}", "at most"),
    bound("negative cleanup", "spec.cleanup.afterSuccessSeconds", "{cleanup: {afterSuccessSeconds: -1}}", "at least"),
    # Control
    refused("suspend in words", "{suspend: 'yes'}", "spec.suspend", "must be true or false", "of type boolean"),
    refused(
        "cancel in quotes",
        "{cancel: 'true'}",
        "spec.cancel",
        "write true without quotes",
        "must be of type boolean",
    ),
    refused(
        "run policy",
        "{runPolicy: onchange}",
        "spec.runPolicy",
        "must be one of Once, OnChange",
        'supported values: "Once", "OnChange"',
    ),
    refused("manager without a domain", "{managedBy: me}", "spec.managedBy", _MANAGER),
    refused("manager without a name", "{managedBy: example.org/}", "spec.managedBy", _MANAGER),
    bound("top priority", "spec.priority", "{priority: 1000001}", "at most 1000000, not 1000001"),
    refused(
        "priority by name",
        "{priority: high}",
        "spec.priority",
        'must be a whole number, not the text "high"',
        "must be of type integer",
    ),
    refused(
        "priority class", "{priorityClassName: Low}", "spec.priorityClassName", "write the name of a PriorityClass"
    ),
    # What a run starts with
    refused(
        "start with more than there are",
        "{cluster: {workers: {replicas: 2, minWorkers: 3}}}",
        "spec.cluster.workers.minWorkers",
        _START,
    ),
    refused(
        "start with more than the one",
        "{cluster: {workers: {minWorkers: 2}}}",
        "spec.cluster.workers.minWorkers",
        _START,
    ),
    refused(
        "start with more than the least of an adaptive cluster",
        "{cluster: {workers: {adaptive: {maximum: 9}, minWorkers: 2}}}",
        "spec.cluster.workers.minWorkers",
        _START,
    ),
    bound(
        "start with none",
        "spec.cluster.workers.minWorkers",
        "{cluster: {workers: {replicas: 2, minWorkers: 0}}}",
        "at least 1, not 0",
    ),
]
