"""Turns an error answer of the API server into an `ApiError`."""

from __future__ import annotations

import json
import re

from daskjob.errors import ApiError, ErrorKind
from daskjob.wire import clean


def classify(status: int, body: str, headers: dict[str, str] | None = None) -> ApiError:
    """The `ApiError` for an HTTP answer. `body`: a Kubernetes `Status` as JSON, or any text."""
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = {}
    if not isinstance(parsed, dict):
        parsed = {}
    message = clean(str(parsed.get("message") or body)[:2000])
    details = parsed.get("details") if isinstance(parsed.get("details"), dict) else {}
    causes = (details or {}).get("causes") or ()
    reasons = {cause.get("reason") for cause in causes if isinstance(cause, dict)}
    retry = (headers or {}).get("Retry-After") or (headers or {}).get("retry-after")
    retry_after = float(retry) if retry and retry.isdigit() else None
    kind = _kind(status, str(parsed.get("reason") or ""), message, reasons)
    return ApiError(kind, status, message, retry_after)


def unknown_fields(message: str) -> list[str]:
    """The fields that the API server's strict decoding does not know, as it writes them: `spec.containers[0].x`."""
    return re.findall(r'unknown field "((?:[^"\\]|\\.)*)"', message) if "strict decoding error" in message else []


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
    # The API server answers 500 if etcd refuses an object as too large: the same request never succeeds.
    if status == 500 and "request is too large" in message:
        return ErrorKind.INVALID
    return ErrorKind.TRANSIENT
