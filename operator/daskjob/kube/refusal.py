"""Turns an error answer of the API server into an `ApiError`."""

from __future__ import annotations

import json
import re

from daskjob.errors import ApiError, kind_of
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
    reasons = frozenset(str(cause.get("reason")) for cause in causes if isinstance(cause, dict))
    retry = (headers or {}).get("Retry-After") or (headers or {}).get("retry-after")
    retry_after = float(retry) if retry and retry.isdigit() else None
    kind = kind_of(status, message, str(parsed.get("reason") or ""), reasons)
    return ApiError(kind, status, message, retry_after)


def unknown_fields(message: str) -> list[str]:
    """The fields that the API server's strict decoding does not know, as it writes them: `spec.containers[0].x`."""
    return re.findall(r'unknown field "((?:[^"\\]|\\.)*)"', message) if "strict decoding error" in message else []
