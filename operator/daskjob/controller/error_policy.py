"""What the controller does after a pass that failed. Pure."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from daskjob.errors import ApiError, ErrorKind, SpecError


@dataclass(frozen=True)
class ErrorPolicy:
    """`at_least`: seconds before the next try, also if the backoff is shorter; `requeue_after`: seconds after which the
    next pass runs, also if the backoff is longer; `level`: of the log line; `traceback`: for an unexpected error."""

    words: str
    level: int = logging.WARNING
    at_least: float = 0.0
    requeue_after: float | None = None
    tries_again: bool = True
    traceback: bool = False


def after_error(error: Exception) -> ErrorPolicy:
    """The policy for the error of a pass."""
    if isinstance(error, ApiError):
        if error.kind is ErrorKind.TERMINATING:
            # The namespace is being deleted, and Kubernetes deletes all that is in it.
            return ErrorPolicy(str(error), tries_again=False)
        at_least = error.retry_after or 0.0
        again = max(error.requeue_after, at_least) if error.requeue_after is not None else None
        # A conflict is normal: another client wrote the object between the observation and the write.
        level = logging.DEBUG if error.kind is ErrorKind.CONFLICT else logging.WARNING
        return ErrorPolicy(str(error), level, at_least, again)
    if isinstance(error, SpecError):
        return ErrorPolicy(str(error))
    return ErrorPolicy("unexpected", logging.ERROR, traceback=True)
