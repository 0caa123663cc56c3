"""The errors that cross a border between parts of this package.

DaskJobError
├── SpecError      a manifest asks for something that cannot be: names the field and what to write instead
└── ApiError       the Kubernetes API refused or did not answer; `ErrorKind` says what that means
    └── NameConflictError   a name that the operator needs is taken by somebody else's object
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


class NameConflictError(ApiError):
    """An object that is not ours has a name that we need."""

    def __init__(self, kind: str, name: str, owner: str = "this job") -> None:
        super().__init__(
            ErrorKind.INVALID,
            409,
            f"a {kind} named {name!r} exists and does not belong to {owner}; delete or rename it",
        )
