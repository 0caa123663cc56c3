"""What the API server's answers mean, from bodies that real ones sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daskjob.errors import ErrorKind
from daskjob.kube.refusal import classify


def status(code: int, reason: str, message: str, **details: Any) -> str:
    return json.dumps(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            **({"details": details} if details else {}),
            "code": code,
        }
    )


ETCD_TOO_LARGE = "etcdserver: request is too large"
QUOTA = 'pods "a-1-runner" is forbidden: exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4'
SECURITY = (
    'pods "a-1-runner" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false '
    '(container "runner" must set securityContext.allowPrivilegeEscalation=false)'
)
CASES: dict[str, tuple[int, str, ErrorKind]] = {
    "not found": (404, status(404, "NotFound", 'pods "a" not found', name="a", kind="pods"), ErrorKind.NOT_FOUND),
    "no such kind": (404, "404 page not found\n", ErrorKind.NOT_FOUND),
    "exists": (409, status(409, "AlreadyExists", 'pods "a" already exists', name="a"), ErrorKind.EXISTS),
    "modified": (
        409,
        status(409, "Conflict", 'Operation cannot be fulfilled on daskjobs "a": the object has been modified'),
        ErrorKind.CONFLICT,
    ),
    "another UID": (
        409,
        status(409, "Conflict", "Precondition failed: UID in precondition: 1, UID in object meta: 2"),
        ErrorKind.CONFLICT,
    ),
    "quota": (403, status(403, "Forbidden", QUOTA, name="a-1-runner", kind="pods"), ErrorKind.FORBIDDEN),
    "pod security": (403, status(403, "Forbidden", SECURITY), ErrorKind.FORBIDDEN),
    "rights": (
        403,
        status(403, "Forbidden", 'pods is forbidden: User "system:serviceaccount:a:b" cannot list resource "pods"'),
        ErrorKind.FORBIDDEN,
    ),
    "namespace going": (
        403,
        status(
            403,
            "Forbidden",
            'pods "a" is forbidden: unable to create new content in namespace team because it is being terminated',
            causes=[{"reason": "NamespaceTerminating", "message": "namespace team is being terminated"}],
        ),
        ErrorKind.TERMINATING,
    ),
    "namespace going, old words": (
        403,
        status(403, "Forbidden", "x because it is being terminated"),
        ErrorKind.TERMINATING,
    ),
    "invalid": (422, status(422, "Invalid", 'Pod "a" is invalid: spec.containers: Required value'), ErrorKind.INVALID),
    "bad request": (
        400,
        status(400, "BadRequest", "the body of the request was in an unknown format"),
        ErrorKind.INVALID,
    ),
    "too large for the server": (413, status(413, "RequestEntityTooLarge", "limit is 3145728"), ErrorKind.INVALID),
    "too large for etcd": (500, status(500, "", ETCD_TOO_LARGE), ErrorKind.INVALID),
    "an error inside": (
        500,
        status(500, "InternalError", "Internal error occurred: failed calling webhook"),
        ErrorKind.TRANSIENT,
    ),
    "too many": (
        429,
        status(429, "TooManyRequests", "Too many requests, please try again later."),
        ErrorKind.TRANSIENT,
    ),
    "starting": (503, "", ErrorKind.TRANSIENT),
    "timeout": (504, status(504, "Timeout", "Timeout: request did not complete"), ErrorKind.TRANSIENT),
    "token expired": (401, status(401, "Unauthorized", "Unauthorized"), ErrorKind.TRANSIENT),
    "gone": (410, status(410, "Expired", "The provided continue parameter is too old"), ErrorKind.TRANSIENT),
}


@pytest.mark.parametrize(("code", "body", "kind"), CASES.values(), ids=CASES)
def test_kind(code: int, body: str, kind: ErrorKind) -> None:
    error = classify(code, body)
    assert (error.kind, error.status) == (kind, code)
    if body.startswith("{"):
        assert error.message == json.loads(body)["message"]


@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", "7", "null", '{"message": null}', '{"details": 5}', '{"details": {"causes": [1]}}']
)
@pytest.mark.parametrize("code", [403, 404, 409, 500])
def test_no_body_is_too_odd(code: int, body: str) -> None:
    assert classify(code, body).status == code


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "1"}, 1.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_retry_after(headers: dict[str, str] | None, expected: float | None) -> None:
    assert classify(429, "", headers).retry_after == expected


def test_a_long_message_is_cut() -> None:
    assert len(classify(500, "x" * 100_000).message) == 2000
