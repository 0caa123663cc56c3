"""A status without the details that came from outside: what is left when the API server refuses the whole."""

from __future__ import annotations

from dataclasses import replace

from daskjob.api.status import DaskJobStatus, Failure, Result

LENGTH = 1000


def reduce(status: DaskJobStatus, refusal: str) -> DaskJobStatus:
    """The same end, for the same reason, said with what the operator itself knows. `refusal`: the server's words."""
    note = f"(details left out, the API server refused them: {refusal[:LENGTH]})"
    failure, result = status.failure, status.result
    if failure is not None:
        failure = Failure(
            reason=failure.reason,
            failure_class=failure.failure_class,
            message=f"{_plain(failure.message or '')} {note}",
            exit_code=failure.exit_code,
        )
    if result is not None:
        result = Result(type=_plain(result.type)[:100])
    conditions = tuple(replace(each, message=_plain(each.message)) for each in status.conditions)
    attempts = tuple(
        replace(each, message=_plain(each.message) if each.message else None) for each in status.attempts
    )
    return replace(
        status,
        summary=_plain(status.summary or "")[:60],
        failure=failure,
        result=result,
        progress=None,
        conditions=conditions,
        attempts=attempts,
        history=tuple(replace(each, message=None, result=None) for each in status.history),
        timings=replace(
            status.timings, connected=None, first_worker=None, graph_started=None, graph_finished=None
        ),
    )


def _plain(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text[:LENGTH])
