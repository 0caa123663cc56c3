"""Observations as text, to be logged by the operator and decided about again by `daskjob explain`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from daskjob import wire
from daskjob.api.resource_json import from_dict, to_dict
from daskjob.api.spec import DaskJobSpec
from daskjob.api.status import DaskJobStatus, Failure, Result
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.pods import Container, Pod, Termination

HIDDEN = "(hidden)"


def dump(observation: Observation) -> str:
    """The observation as one line of JSON, without what may be secret (`without_secrets`)."""
    return json.dumps(to_dict(without_secrets(observation)), separators=(",", ":"))


def load(text: str) -> Observation:
    """The observation of a text: of `dump`, or of one line of the operator's log, plain or JSON, that has it.

    Raises ValueError.
    """
    try:
        data = _json(text)
        if "job" not in data and "message" in data:
            # A line of a log in JSON: the message has the observation.
            data = _json(data["message"])
        # What is empty was left out.
        return from_dict(Observation, {**data, "job": {"spec": {}, "status": {}, **data["job"]}})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"this is no observation: {error}") from None


def _json(text: str) -> Any:
    """The JSON that begins with the first brace of the text."""
    return json.loads(text[max(text.find("{"), 0) :])


def without_secrets(observation: Observation) -> Observation:
    """The observation without arguments, code, environment, pod templates, results and tracebacks. No decision looks at
    them, but that a recorded result would have its value."""
    attempt, job = observation.attempt, observation.job
    report = attempt.report
    if report is not None and report.content is not None:
        content = replace(
            report.content, result=_result(report.content.result), failure=_failure(report.content.failure)
        )
        report = replace(report, content=content)
    attempt = replace(
        attempt,
        report=report,
        schedulers=tuple(map(_pod, attempt.schedulers)),
        workers=tuple(map(_pod, attempt.workers)),
        runner=_pod(attempt.runner) if attempt.runner is not None else None,
        resolver=_pod(attempt.resolver) if attempt.resolver is not None else None,
    )
    return replace(observation, attempt=attempt, job=replace(job, spec=_spec(job.spec), status=_status(job.status)))


def _spec(spec: DaskJobSpec) -> DaskJobSpec:
    graph, cluster = spec.graph, spec.cluster
    source = graph.source
    if source is not None:
        inline = HIDDEN if source.inline is not None else None
        files = dict.fromkeys(source.files, HIDDEN) if source.files is not None else None
        source = replace(source, inline=inline, files=files)
    hidden = replace(
        graph,
        args=(HIDDEN,) * len(graph.args),
        kwargs=dict.fromkeys(graph.kwargs, HIDDEN),
        keys=(HIDDEN,) * len(graph.keys),
        source=source,
    )
    # No decision reads environment or templates: arguments, probes, annotations and volumes may have secrets as well.
    cluster = replace(
        cluster,
        env=(),
        scheduler=replace(cluster.scheduler, template={}),
        workers=replace(cluster.workers, template={}),
        worker_groups=tuple(replace(each, template={}, env=()) for each in cluster.worker_groups),
    )
    return replace(spec, graph=hidden, cluster=cluster, runner=replace(spec.runner, template={}))


def _status(status: DaskJobStatus) -> DaskJobStatus:
    history = tuple(replace(run, result=_result(run.result)) for run in status.history)
    summary = status.summary if status.result is None else None
    return replace(
        status, result=_result(status.result), failure=_failure(status.failure), history=history, summary=summary
    )


def _result(result: Result | None) -> Result | None:
    return replace(result, value=None, types={}) if result is not None else None


def _failure(failure: Failure | None) -> Failure | None:
    return replace(failure, traceback=None, exception_args=None) if failure is not None else None


def _pod(pod: Pod) -> Pod:
    return replace(pod, containers=tuple(map(_container, pod.containers)))


def _container(container: Container) -> Container:
    ends = (container.terminated, container.last_terminated)
    terminated, last_terminated = (_termination(end) if end is not None else None for end in ends)
    return replace(container, terminated=terminated, last_terminated=last_terminated)


def _termination(end: Termination) -> Termination:
    """A runner's outcome without value and traceback; other last words, which are a log's, are hidden but for whether
    there are any."""
    shape = wire.parse_termination_message(end.message)
    if not shape:
        return replace(end, message=HIDDEN if end.message.strip() else "")
    for name, part in (
        ("result", "value"),
        ("result", "types"),
        ("failure", "traceback"),
        ("failure", "exceptionArgs"),
    ):
        if name in shape:
            shape[name] = {key: value for key, value in shape[name].items() if key != part}
    return replace(end, message=json.dumps(shape))
