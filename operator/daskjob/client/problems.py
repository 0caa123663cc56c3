"""The errors of the client. Each message says what is wrong, where, and what to do.

ClientError
├── ClusterUnreachable   no kubeconfig, no answer, or an answer that is none of an API server's
├── Unauthorized         the API server does not know the user
├── Forbidden            the user has no right to do that
├── Rejected             a quota, a policy, a webhook or a conflict stands in the way
├── NotInstalled         the cluster has no DaskJobs
├── NotFound             no such object; JobNotFound names those with a similar name
├── JobDeleted           the job was deleted, or another one has its name now
├── AlreadyExists        the name is taken
├── InvalidJob           the API server refuses the manifest
└── WrongState           the job is not in the state in which that can be done
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from daskjob.errors import DaskJobError
from daskjob.wire import clean

#: How an API server refuses a change of an object that has another UID than the one that was meant.
_ANOTHER_UID = re.compile(r"UID in (the )?precondition")
#: The command that lists objects of a kind.
_LISTS = {"DaskCronJob": "cron list"}


class ClientError(DaskJobError):
    """Base of the client's errors."""


class ClusterUnreachable(ClientError):
    """The API server cannot be reached, or nothing says where it is."""


class Unauthorized(ClientError):
    """The API server does not accept the credentials, also when they are read anew."""


class Forbidden(ClientError):
    """The user has no right to do that. Attributes: `verb`, `resource` (plural), `namespace` (None: all)."""

    def __init__(self, verb: str, resource: str, namespace: str | None, message: str = "") -> None:
        where = f"in namespace {namespace}" if namespace else "in all namespaces"
        words = f": {message}" if message else ""
        super().__init__(
            f"you may not {verb} {resource} {where}{words}; ask an administrator for a Role with that right, or give "
            "another namespace (-n)"
        )
        self.verb, self.resource, self.namespace = verb, resource, namespace


class Rejected(ClientError):
    """A quota, an admission policy, a webhook or a conflict stands in the way; the message has its words."""


class NotInstalled(ClientError):
    """The cluster does not have that resource."""

    def __init__(self, resource: str) -> None:
        super().__init__(
            f"this cluster has no {resource}: the operator's definitions are not installed; install its chart, or "
            "choose another cluster (--context)"
        )


class NotFound(ClientError):
    """There is no such object. Attributes: `kind`, `name`, `namespace`."""

    def __init__(self, kind: str, name: str, namespace: str | None, hint: str = "") -> None:
        where = f" in namespace {namespace}" if namespace else ""
        super().__init__(f"there is no {kind} {name}{where}{hint}")
        self.kind, self.name, self.namespace = kind, name, namespace


class JobNotFound(NotFound):
    """There is no such job. `close`: names of jobs that are similar; `lists`: what shows those that exist, default the
    command."""

    def __init__(self, kind: str, name: str, namespace: str | None, close: Sequence[str] = (), lists: str = "") -> None:
        lists = lists or f"`daskjob {_LISTS.get(kind, 'list')} -A`"
        names = f"; did you mean {' or '.join(close)}?" if close else f"; {lists} shows those that exist"
        super().__init__(kind, name, namespace, names)
        self.close = tuple(close)


class JobDeleted(ClientError):
    """The job was deleted meanwhile. `replaced`: another job has its name now."""

    def __init__(self, name: str, replaced: bool = False) -> None:
        words = f"{name} was deleted, and another job has its name now" if replaced else f"{name} was deleted"
        super().__init__(words)
        self.name, self.replaced = name, replaced


class AlreadyExists(ClientError):
    """The name is taken."""

    def __init__(self, kind: str, name: str, namespace: str | None) -> None:
        super().__init__(
            f"a {kind} {name} exists in namespace {namespace}; delete it (daskjob delete {name}, in Python .delete() "
            "of its future), or give metadata.generateName (in Python generate_name) instead of a name"
        )


class InvalidJob(ClientError):
    """The API server refuses the manifest. `problems`: one text a mistake, each with its field."""

    def __init__(self, name: str, problems: Sequence[str]) -> None:
        super().__init__("\n".join(f"{name}: {each}" for each in problems))
        self.problems = tuple(problems)


class WrongState(ClientError):
    """The job is not in the state in which that can be done."""


class Unavailable(ClusterUnreachable):
    """The API server is busy, restarts, or closed the connection: the same request may succeed later. `pause`:
    seconds that it asks to wait; `throttled`: it had too much to do, and did nothing of it."""

    def __init__(self, message: str, pause: float | None = None, throttled: bool = False) -> None:
        super().__init__(message)
        self.pause, self.throttled = pause, throttled


class Expired(ClientError):
    """HTTP 410: the version from which to go on is too old. List anew."""


def problem_of(
    status: int, body: bytes, headers: Mapping[str, str], *, verb: str, resource: str, kind: str, path: Sequence[str]
) -> ClientError:
    """The error for an HTTP answer. `path`: namespace ("" for all) and name ("" for none) that were asked for."""
    answer = _status(body)
    message = clean(str(answer.get("message") or body[:300].decode(errors="replace")), lines=False).strip()
    details = answer.get("details")
    details = details if isinstance(details, dict) else {}
    namespace, name = path[0] or None, path[1]
    match status:
        case 401:
            return Unauthorized(
                f"the API server does not accept your credentials ({message or 'Unauthorized'}): log in anew, or give "
                "another context (--context)"
            )
        case 403 if "cannot " in message and "resource" in message:
            return Forbidden(verb, resource, namespace, message)
        case 404 if details.get("kind") == "namespaces":
            return NotFound("namespace", clean(str(details.get("name") or namespace)), None)
        case 404 if not details.get("name") and resource.startswith("dask"):
            return NotInstalled(resource)
        case 404:
            return NotFound(kind, name, namespace)
        case 409 if answer.get("reason") == "AlreadyExists":
            return AlreadyExists(kind, name or clean(str(details.get("name") or "")), namespace)
        case 409 if _ANOTHER_UID.search(message):
            return JobDeleted(name, replaced=True)
        case 410:
            return Expired(message)
        case 400 | 413 | 415 | 422:
            return InvalidJob(name or kind, _causes(details) or [message])
        case 429 | 500 | 502 | 503 | 504:
            pause = headers.get("Retry-After") or ""
            seconds = float(pause) if pause.isdigit() else None
            return Unavailable(f"the API server answers {status}: {message}", seconds, status == 429)
        case _:
            return Rejected(f"the API server refuses to {verb} {resource} ({status}): {message}")


def port_problem(error: Exception, namespace: str, pod: str) -> ClientError:
    """The error for a port-forward that the API server did not open."""
    text = " ".join(str(getattr(error, "reason", None) or error).split())
    if "status 403" in text:
        return Forbidden("create", "pods/portforward", namespace, "the role edit has that right, view has not")
    if "status 404" in text:
        return NotFound("pod", pod, namespace)
    return ClusterUnreachable(f"no connection to pod {pod} through the API server: {text[:300]}")


def _status(body: bytes) -> dict[str, Any]:
    """A Kubernetes `Status`; empty if the text is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else {}


def _causes(details: Mapping[str, Any]) -> list[str]:
    found = []
    for cause in details.get("causes") or ():
        if isinstance(cause, dict) and cause.get("field") != "<nil>":
            field, message = str(cause.get("field") or ""), str(cause.get("message") or "")
            text = clean(f"{field}: {message}" if field else message)
            if text not in found:
                found.append(text)
    return found
