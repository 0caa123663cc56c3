"""A status without texts of user code, for when the API server refuses the whole status.

It keeps what later passes decide by: `markers`, and the counts of `progress` with `lastChange` (`stallTimeoutSeconds`).
"""

from __future__ import annotations

from dataclasses import replace

from daskjob.api.constants import ConditionType
from daskjob.api.status import Condition, DaskJobStatus, Failure, Result

LENGTH = 1000


def reduce(status: DaskJobStatus, before: DaskJobStatus, refusal: str) -> DaskJobStatus:
    """The same status with the same outcome and reason, but only texts that the API server cannot refuse. `before`: the
    recorded status, whose parts stay as they are; `refusal`: the API server's message."""
    note = f"(details left out, the API server refused them: {refusal[:LENGTH]})"
    failure, result = status.failure, status.result
    if failure is not None and failure != before.failure:
        failure = Failure(
            reason=failure.reason,
            failure_class=failure.failure_class,
            message=f"{_plain(failure.message or '')} {note}",
            exit_code=failure.exit_code,
        )
    # A success without its result must say why.
    lost = note if result is not None and result != before.result and result.value is not None else ""
    if result is not None and result != before.result:
        result = Result(type=_plain(result.type)[:100])
    conditions = tuple(
        each if each in before.conditions else _reduced(each, lost if each.type == ConditionType.COMPLETE else "")
        for each in status.conditions
    )
    attempts = tuple(
        each if each in before.attempts else replace(each, message=_plain(each.message or "") or None, report=None)
        for each in status.attempts
    )
    return replace(
        status,
        summary=status.summary if status.summary == before.summary else _plain(status.summary or "")[:60],
        failure=failure,
        result=result,
        # User code chooses the names of the prefixes; the rest are numbers and the operator's text.
        progress=replace(status.progress, prefixes=()) if status.progress is not None else None,
        conditions=conditions,
        attempts=attempts,
        timings=replace(status.timings, connected=None, first_worker=None, graph_started=None, graph_finished=None),
    )


def _reduced(condition: Condition, note: str) -> Condition:
    return replace(condition, message=f"{_plain(condition.message)} {note}".strip())


def _plain(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text[:LENGTH])
