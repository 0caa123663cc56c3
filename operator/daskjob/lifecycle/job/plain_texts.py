"""Texts of a status that come from others: the kubelet, the logs of containers, admission webhooks, user code.

A terminal obeys escape sequences, and shows text after a direction mark in another order than it is in. So what
`kubectl describe` or `daskjob run` prints has neither. Texts of the runner's report are cleaned as it is read (`wire`).
"""

from __future__ import annotations

from dataclasses import replace

from daskjob.api.status import Attempt, DaskJobStatus
from daskjob.wire import clean


def with_plain_texts(status: DaskJobStatus) -> DaskJobStatus:
    """The status without control, direction and unassigned characters in its messages; line ends and tabs stay."""
    failure, summary = status.failure, status.summary
    if failure is not None and failure.message is not None:
        failure = replace(failure, message=clean(failure.message))
    return replace(
        status,
        summary=clean(summary, lines=False) if summary is not None else None,
        failure=failure,
        conditions=tuple(replace(each, message=clean(each.message)) for each in status.conditions),
        attempts=tuple(map(_plain, status.attempts)),
    )


def _plain(attempt: Attempt) -> Attempt:
    report = attempt.report
    if report is not None and report.message is not None:
        attempt = replace(attempt, report=replace(report, message=clean(report.message, lines=False)))
    return replace(attempt, message=clean(attempt.message)) if attempt.message is not None else attempt
