"""Why code or packages cannot be had, in words for the job's author."""

from __future__ import annotations

#: The reasons, with whether the same would happen again: then nothing is gained by another try.
NOT_FOUND, REVISION_NOT_FOUND, FORBIDDEN = "SourceNotFound", "RevisionNotFound", "SourceForbidden"
REFUSED, UNREACHABLE, TIMED_OUT = "SourceRefused", "SourceUnreachable", "SourceTimedOut"
GIT_MISSING, PIP_FAILED = "GitMissing", "PipFailed"
FINAL = (NOT_FOUND, REVISION_NOT_FOUND, FORBIDDEN, REFUSED, GIT_MISSING, PIP_FAILED)


class FetchProblem(Exception):
    """`reason`: one of those above; `message`: what was wrong, where, and what to do. It holds no credentials."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
