"""Why code or packages cannot be had, in words for the job's author."""

from __future__ import annotations

from daskjob.wire import FETCH_REASONS

NOT_FOUND, REVISION_NOT_FOUND, FORBIDDEN, REFUSED, UNREACHABLE, TIMED_OUT, GIT_MISSING, PIP_FAILED = FETCH_REASONS
#: Those that would come again: nothing is gained by another try.
FINAL = (NOT_FOUND, REVISION_NOT_FOUND, FORBIDDEN, REFUSED, GIT_MISSING, PIP_FAILED)


class FetchProblem(Exception):
    """`reason`: one of `wire.FETCH_REASONS`; `message`: what was wrong, where, and what to do, without
    credentials."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
