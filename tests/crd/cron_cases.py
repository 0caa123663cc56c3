"""Manifests of DaskCronJobs that are accepted or refused: one table for the offline validator and the API server."""

from __future__ import annotations

from typing import Any

import yaml

from .cases import Refused, _laid_over


def a_cron_job(spec: str | dict[str, Any] = "{}", **metadata: Any) -> dict[str, Any]:
    """A small valid cron job; `spec` (YAML text or a mapping) is laid over it field by field."""
    changes = yaml.safe_load(spec) if isinstance(spec, str) else spec
    base = {
        "schedule": "30 2 * * *",
        "jobTemplate": {"spec": {"graph": {"entrypoint": "square_sum:graph"}}},
    }
    return {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskCronJob",
        "metadata": {"name": "nightly"} | metadata,
        "spec": _laid_over(base, changes),
    }


def refused(title: str, spec: str, field: str, words: str, server: str = "", **metadata: Any) -> Refused:
    return Refused(title, a_cron_job(spec, **metadata), field, words, server or words)


SCHEDULES = [
    *("* * * * *", "*/15 * * * *", "0 2 * * *", "0 8-18/2 * * MON-FRI", "5,35 0,12 1,15 * *", "0 0 ? jan,JUL ?"),
    *("  0   2 * *  0 ", "59 23 31 12 6", "00 02 01 01 *", "2/10 * * * *", "@hourly", "@daily", "@midnight", "@weekly"),
    *("@monthly", "@yearly", "@annually"),
]
ZONES = ["UTC", "Etc/UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "America/Port-au-Prince"]

ACCEPTED: dict[str, dict[str, Any]] = {
    "smallest": a_cron_job(),
    **{f"schedule {text!r}": a_cron_job({"schedule": text}) for text in SCHEDULES},
    **{f"zone {name}": a_cron_job({"timeZone": name}) for name in ZONES},
    "name of 31": a_cron_job(name="a" * 31),
    "everything": a_cron_job(
        "{concurrencyPolicy: Replace, startingDeadlineSeconds: 1, suspend: true, successfulJobsHistoryLimit: 0,"
        " failedJobsHistoryLimit: 1000, jobTemplate: {metadata: {labels: {team: a, example.com/b-c: D_e.1, d: ''},"
        " annotations: {example.com/x: any text}}}}"
    ),
    "nulls": a_cron_job("{timeZone: null, startingDeadlineSeconds: null, suspend: null, concurrencyPolicy: null}"),
    "a job with most fields": a_cron_job(
        "{jobTemplate: {spec: {graph: {args: [1, {a: [2.0]}], source: {files: {square_sum.py: 'graph = 1'}}},"
        " cluster: {workers: {adaptive: {maximum: 4}, resources: {limits: {cpu: 1, memory: 1Gi}}},"
        " env: [{name: A, value: b}]}, activeDeadlineSeconds: 60, backoffLimit: 2}}}"
    ),
}

_FIELDS = "write five fields (minute, hour, day of month, month, day of week)"
_FIELD = "write each field as *, a number, a name of three letters"
_ZONE = "write the name of a time zone, e.g. Europe/Berlin"
_KEY = "write each name as letters, digits, '-', '_' and '.'"
_LABELS = "spec.jobTemplate.metadata.labels"

REFUSED: list[Refused] = [
    refused("name of 32", "{}", "metadata.name", "use at most 31 characters", name="a" * 32),
    refused("name with a digit first", "{}", "metadata.name", "use lower-case letters, digits and '-'", name="1a"),
    # Schedules
    refused(
        "no schedule", "{schedule: null}", "spec.schedule", "is missing: schedule in the manner of cron", "Required"
    ),
    refused("four fields", "{schedule: '* * * *'}", "spec.schedule", _FIELDS),
    refused("six fields", "{schedule: '0 * * * * *'}", "spec.schedule", _FIELDS),
    refused("unknown macro", "{schedule: '@reboot'}", "spec.schedule", _FIELDS),
    refused("macro in capitals", "{schedule: '@Hourly'}", "spec.schedule", _FIELDS),
    refused("every so often", "{schedule: '@every 5m'}", "spec.schedule", _FIELDS),
    refused("words", "{schedule: 'daily at two in the morning, please'}", "spec.schedule", _FIELDS),
    refused(
        "zone in the schedule", "{schedule: 'TZ=UTC * * * * *'}", "spec.schedule", "write the time zone into timeZone"
    ),
    refused(
        "the same for cron", "{schedule: 'CRON_TZ=UTC @daily'}", "spec.schedule", "write the time zone into timeZone"
    ),
    refused("last day", "{schedule: '0 0 L * *'}", "spec.schedule", _FIELD),
    refused("a nearby weekday", "{schedule: '0 0 15W * *'}", "spec.schedule", _FIELD),
    refused("second Monday", "{schedule: '0 0 * * MON#2'}", "spec.schedule", _FIELD),
    refused("whole name", "{schedule: '0 0 * * monday'}", "spec.schedule", _FIELD),
    refused("three digits", "{schedule: '100 0 * * *'}", "spec.schedule", _FIELD),
    refused("comma at the end", "{schedule: '1, 0 * * *'}", "spec.schedule", _FIELD),
    refused("range without an end", "{schedule: '1- 0 * * *'}", "spec.schedule", _FIELD),
    refused("step of nothing", "{schedule: '*/ 0 * * *'}", "spec.schedule", _FIELD),
    refused("negative", "{schedule: '-1 0 * * *'}", "spec.schedule", _FIELD),
    refused(
        "schedule as a number", "{schedule: 5}", "spec.schedule", 'put it in quotes, "5"', "must be of type string"
    ),
    # Time zones
    refused("empty zone", "{timeZone: ''}", "spec.timeZone", _ZONE),
    refused("local zone", "{timeZone: Local}", "spec.timeZone", _ZONE),
    refused("zone of the machine", "{timeZone: localtime}", "spec.timeZone", _ZONE),
    refused("zone with a blank", "{timeZone: 'Europe Berlin'}", "spec.timeZone", _ZONE),
    refused("zone by path", "{timeZone: /etc/passwd}", "spec.timeZone", _ZONE),
    # The rest
    refused(
        "other policy", "{concurrencyPolicy: forbid}", "spec.concurrencyPolicy", "did you mean Forbid?", "Unsupported"
    ),
    refused(
        "deadline of 0", "{startingDeadlineSeconds: 0}", "spec.startingDeadlineSeconds", "at least 1", "greater than"
    ),
    refused(
        "history of -1", "{failedJobsHistoryLimit: -1}", "spec.failedJobsHistoryLimit", "at least 0", "greater than"
    ),
    refused("no template", "{jobTemplate: null}", "spec.jobTemplate", "is missing: jobTemplate is what", "Required"),
    refused(
        "template without a spec", "{jobTemplate: {spec: null}}", "spec.jobTemplate.spec", "is missing", "Required"
    ),
    refused("label's name", "{jobTemplate: {metadata: {labels: {'a b': c}}}}", _LABELS, _KEY),
    refused(
        "label's value", "{jobTemplate: {metadata: {labels: {a: 'b c'}}}}", f"{_LABELS}[a]", "malformed", "should match"
    ),
    refused(
        "name for the jobs",
        "{jobTemplate: {metadata: {name: x}}}",
        "spec.jobTemplate.metadata.name",
        "unknown field",
        "",
    ),
    refused("misspelt", "{shedule: '* * * * *'}", "spec.shedule", "did you mean schedule?", "unknown field"),
    # A job's own rules
    refused(
        "entry point",
        "{jobTemplate: {spec: {graph: {entrypoint: x}}}}",
        "spec.jobTemplate.spec.graph.entrypoint",
        "write package.module:attribute",
    ),
    refused(
        "two sizes",
        "{jobTemplate: {spec: {cluster: {workers: {replicas: 1, adaptive: {maximum: 2}}}}}}",
        "spec.jobTemplate.spec.cluster.workers",
        "not both",
    ),
    refused(
        "two sources",
        "{jobTemplate: {spec: {graph: {source: {inline: x, configMap: {name: y}}}}}}",
        "spec.jobTemplate.spec.graph.source",
        "give exactly one of",
    ),
    refused(
        "payload",
        {"jobTemplate": {"spec": {"graph": {"source": {"payload": {"sha256": "0a" * 32}}}}}},
        "spec.jobTemplate.spec.graph.source.payload",
        "a payload belongs to one job",
    ),
    refused(
        "request above the limit",
        "{jobTemplate: {spec: {runner: {resources: {requests: {cpu: 2}, limits: {cpu: 1}}}}}}",
        "spec.jobTemplate.spec.runner.resources.requests",
        "a request is larger than the limit",
    ),
    refused(
        "field of a job that there is not",
        "{jobTemplate: {spec: {cluster: {workers: {replica: 1}}}}}",
        "spec.jobTemplate.spec.cluster.workers.replica",
        "did you mean replicas?",
        "unknown field",
    ),
]
