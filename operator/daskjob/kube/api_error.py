"""What the API server's refusals mean for what to do next."""

from __future__ import annotations

import json
from enum import Enum

from daskjob.errors import DaskJobError


class ErrorKind(Enum):
    NOT_FOUND = "not found"
    #: The name is taken.
    EXISTS = "already exists"
    #: Somebody wrote in between: read again, decide again.
    CONFLICT = "conflict"
    #: 403 for want of quota, for a policy, or for want of rights: the words matter.
    FORBIDDEN = "forbidden"
    #: The namespace is being deleted: nothing more to do there.
    TERMINATING = "namespace is terminating"
    #: The object itself is wrong, or too large: the same request will never succeed.
    INVALID = "invalid"
    #: Busy, down, or no answer: the same request later.
    TRANSIENT = "transient"


class ApiError(DaskJobError):
    """A request that the API server refused or did not answer.

    Attributes: `kind`; `status`, the HTTP status (0: no answer); `message`, the server's own words; `retry_after`, in
    seconds, where the server asks for it; `again`, in how many seconds to look again however long the request waits.
    """

    requeue_after: float | None = None

    def __init__(self, kind: ErrorKind, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{kind.value} ({status}): {message}")
        self.kind = kind
        self.status = status
        self.message = message
        self.retry_after = retry_after


def classify(status: int, body: str, headers: dict[str, str] | None = None) -> ApiError:
    """The error that an HTTP answer stands for. `body`: a Kubernetes `Status` as JSON, or any text."""
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = {}
    if not isinstance(parsed, dict):
        parsed = {}
    message = str(parsed.get("message") or body)[:2000]
    details = parsed.get("details") if isinstance(parsed.get("details"), dict) else {}
    causes = (details or {}).get("causes") or ()
    reasons = {cause.get("reason") for cause in causes if isinstance(cause, dict)}
    retry = (headers or {}).get("Retry-After") or (headers or {}).get("retry-after")
    retry_after = float(retry) if retry and retry.isdigit() else None
    kind = _kind(status, str(parsed.get("reason") or ""), message, reasons)
    return ApiError(kind, status, message, retry_after)


def _kind(status: int, reason: str, message: str, causes: set[object]) -> ErrorKind:
    if status == 404:
        return ErrorKind.NOT_FOUND
    if status == 409:
        return ErrorKind.EXISTS if reason == "AlreadyExists" else ErrorKind.CONFLICT
    if status == 403:
        terminating = "NamespaceTerminating" in causes or "because it is being terminated" in message
        return ErrorKind.TERMINATING if terminating else ErrorKind.FORBIDDEN
    if status in (400, 405, 413, 415, 422):
        return ErrorKind.INVALID
    # etcd refuses an object that is too large with a 500: no reason to try for ever.
    if status == 500 and "request is too large" in message:
        return ErrorKind.INVALID
    return ErrorKind.TRANSIENT
