"""The errors that cross a border between parts of this package.

DaskJobError
├── SpecError      the operator cannot accept a field of a manifest: names the field and what to write instead
└── ApiError       the Kubernetes API refused or did not answer; `ErrorKind` says what that means
    └── NameConflictError   an object of somebody else has a name that the operator needs
"""

from __future__ import annotations

from enum import Enum


class DaskJobError(Exception):
    """Base of all errors of this package."""


class SpecError(DaskJobError):
    """A field of a DaskJob that the operator cannot accept.

    Attributes: `path`, the field as a user would write it (`spec.runner.template.spec.hostNetwork`), and
    `message`, what is wrong with it and what to do.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


class ErrorKind(Enum):
    """What an error answer of the API server means for the next try."""

    NOT_FOUND = "not found"
    #: The name is taken.
    EXISTS = "already exists"
    #: Another client wrote the object since it was read: read it and decide anew.
    CONFLICT = "conflict"
    #: 403: a quota, a policy, or missing rights, as the message says (`lifecycle.blocker.read_refusal`).
    FORBIDDEN = "forbidden"
    #: The namespace is being deleted: no further try.
    TERMINATING = "namespace is terminating"
    #: The object itself is wrong, or too large: the same request will never succeed.
    INVALID = "invalid"
    #: The server is busy or down, or did not answer: the same request may succeed later.
    TRANSIENT = "transient"


def kind_of(status: int, message: str, reason: str = "", causes: frozenset[str] = frozenset()) -> ErrorKind:
    """What an error answer of the API server means. `status`: of HTTP; `message`, `reason` and `causes` (their
    reasons): of the answer, as far as they are known."""
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


class ApiError(DaskJobError):
    """A request that the API server refused or did not answer.

    Attributes: `kind`; `status`, the HTTP status (0: no answer); `message`, of the server; `retry_after`, seconds that
    the server asks to wait, None: it does not; `requeue_after`, seconds after which the next pass runs, also if the
    backoff is longer, None: the backoff decides.
    """

    requeue_after: float | None = None

    def __init__(self, kind: ErrorKind, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{kind.value} ({status}): {message}")
        self.kind = kind
        self.status = status
        self.message = message
        self.retry_after = retry_after


class NameConflictError(ApiError):
    """An object of somebody else has a name that the operator needs.

    Attribute: `attempt`, the name of the attempt whose object would have that name; empty: it follows from something
    else.
    """

    def __init__(self, kind: str, name: str, owner: str = "this job", attempt: str = "") -> None:
        super().__init__(
            ErrorKind.INVALID,
            409,
            f"a {kind} named {name!r} exists and does not belong to {owner}; delete or rename it",
        )
        self.attempt = attempt
