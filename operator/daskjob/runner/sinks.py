"""Sinks, to which the reporter sends a report: the status of a DaskJobReport, or a file."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from typing import Any, Optional, Protocol
from urllib.parse import quote

TOKEN_FOLDER = "/var/run/secrets/daskjob"
#: Seconds that one request may take.
TIMEOUT = 10.0
MAX_ANSWER = 8 * 1024 * 1024

RETRY = "retry"
MISSING = "missing"
FORBIDDEN = "forbidden"
REJECTED = "rejected"
SEALED = "sealed"


class SinkError(Exception):
    """The sink did not accept a report.

    Attributes: `kind`, one of RETRY (a later try may succeed), MISSING (404), FORBIDDEN (401, 403), REJECTED (400, 413,
    422), SEALED (the report has an outcome already); `retry_after`, seconds that the server asks to wait, None: it does
    not.
    """

    def __init__(self, kind: str, message: str, retry_after: Optional[float] = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after


class Sink(Protocol):
    def patch(self, status: dict[str, Any]) -> dict[str, Any]:
        """Merges `status` into the report's status. Returns the report's spec. Raises SinkError."""


class FileSink:
    """Writes the status as JSON into a file, which every patch replaces."""

    def __init__(self, path: str) -> None:
        self._path = path

    def patch(self, status: dict[str, Any]) -> dict[str, Any]:
        new = f"{self._path}.new"
        try:
            with open(new, "w", encoding="utf-8") as file:
                json.dump(status, file, indent=1)
            os.replace(new, self._path)
        except OSError as error:
            raise SinkError(RETRY, f"cannot write {self._path}: {error}") from None
        return {}


class DiscardSink:
    """Drops every report, for an installation whose runners get no token: only the termination message has the
    outcome."""

    def patch(self, status: dict[str, Any]) -> dict[str, Any]:
        return {}


class UnavailableSink:
    """Refuses every report, for a job file from which the runner cannot read where its report is."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def patch(self, status: dict[str, Any]) -> dict[str, Any]:
        raise SinkError(FORBIDDEN, self._reason)


class KubernetesSink:
    """Sends merge patches of a DaskJobReport's status over one open connection, with the pod's projected token.

    It reads the token for every request and the CA certificate for every connection, because the kubelet renews both.
    """

    def __init__(self, namespace: str, report: str) -> None:
        self._folder = os.environ.get("DASKJOB_TOKEN_FOLDER", TOKEN_FOLDER)
        group = "/apis/daskjob.io/v1alpha1"
        self._path = (
            f"{group}/namespaces/{quote(namespace, safe='')}/daskjobreports/{quote(report, safe='')}/status"
            "?fieldManager=daskjob-runner"
        )
        self._connection: Optional[http.client.HTTPSConnection] = None

    def patch(self, status: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps({"status": status}, separators=(",", ":")).encode()
        kept = self._connection is not None
        try:
            try:
                code, retry_after, answer = self._request(body)
            except (http.client.RemoteDisconnected, ConnectionError):
                # The server may close an open connection at any moment. A patch that arrives twice does no harm.
                if not kept:
                    raise
                code, retry_after, answer = self._request(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._close()
            raise SinkError(RETRY, f"{type(error).__name__}: {error}") from None
        if code == 200:
            spec = _json_object(answer).get("spec")
            return spec if isinstance(spec, dict) else {}
        message = f"{code} {_json_object(answer).get('message', '')}"[:500]
        raise SinkError(_kind(code, message), message, _seconds(retry_after))

    def _request(self, body: bytes) -> tuple[int, Optional[str], bytes]:
        with open(os.path.join(self._folder, "token"), encoding="ascii") as file:
            token = file.read().strip()
        if self._connection is None:
            host = os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
            port = int(os.environ.get("KUBERNETES_SERVICE_PORT", "443"))
            context = ssl.create_default_context(cafile=os.path.join(self._folder, "ca.crt"))
            # Kubernetes' own CA certificates do not pass the strict checks of Python 3.13.
            context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
            self._connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/merge-patch+json",
            "Accept": "application/json",
            "User-Agent": "daskjob-runner",
        }
        try:
            self._connection.request("PATCH", self._path, body, headers)
            response = self._connection.getresponse()
            answer = response.read(MAX_ANSWER)
        except BaseException:
            self._close()
            raise
        if response.will_close or not response.isclosed():
            self._close()
        return response.status, response.headers.get("Retry-After"), answer

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _kind(code: int, message: str) -> str:
    if code == 404:
        return MISSING
    if code in (401, 403):
        return FORBIDDEN
    if code in (400, 413, 415, 422):
        return SEALED if "sealed" in message else REJECTED
    return RETRY


def _seconds(retry_after: Optional[str]) -> Optional[float]:
    if retry_after is None or not retry_after.isdigit():
        return None
    return float(retry_after[:4])


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
