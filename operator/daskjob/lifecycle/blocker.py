"""What keeps a job or a cron job from going on, and what a refusal of the API server means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from daskjob.api.constants import RUNNER_ACCOUNT, FailureClass, Reason
from daskjob.errors import ApiError, ErrorKind, NameConflictError, SpecError

#: Reasons by which an attempt fails without a fault of the job's author.
NOBODYS_FAULT = frozenset({Reason.KUBERNETES_FAILED})
#: What the chart's policies on objects of jobs say to those who may not create any.
OBJECT_POLICY = "is for objects that the operator of DaskJobs creates"
#: How the API server refuses a pod whose service account does not exist.
_NO_ACCOUNT = re.compile(r'error looking up service account \S+: serviceaccount "([^"]*)" not found')
#: How it refuses a pod for what the pod itself asks for, by pod security or a LimitRange: only another spec helps, or
#: another rule of the namespace.
_UNFIT = re.compile(r"violates PodSecurity|(minimum|maximum) .* usage per|limit to request ratio per")


@dataclass(frozen=True)
class Blocker:
    """Why an attempt or a run cannot start: the reason, and the message of the component that refused (kubelet,
    scheduler, API server)."""

    reason: Reason
    message: str
    #: Waiting does not help: the attempt fails at once, without waiting for the startup deadline.
    permanent: bool = False
    #: The name of the attempt for which somebody else has a name that it needs: under another name it may start.
    #: Empty: no other name helps.
    attempt: str = ""

    @property
    def failure_class(self) -> FailureClass:
        """The class of the failure, if the attempt ends by it."""
        return FailureClass.INFRASTRUCTURE if self.reason in NOBODYS_FAULT else FailureClass.APPLICATION

    @property
    def needs_runner_account(self) -> bool:
        """Whether a pod was refused because the account of jobs' pods, which the operator creates, does not exist."""
        missing = _NO_ACCOUNT.search(self.message) if self.reason is Reason.SERVICE_ACCOUNT_NOT_FOUND else None
        return missing is not None and missing[1] == RUNNER_ACCOUNT


def read_refusal(message: str, permanent: bool = False) -> Blocker:
    """The blocker that the API server's message means when it refuses a pod or an operator's object. `permanent`: it
    calls the object invalid, and will never accept it."""
    if permanent:
        return Blocker(Reason.POD_REJECTED, message, permanent=True)
    if "exceeded quota" in message:
        return Blocker(Reason.QUOTA_EXCEEDED, message)
    if (missing := _NO_ACCOUNT.search(message)) is not None:
        ours = missing[1] == RUNNER_ACCOUNT
        words = "the operator creates it again" if ours else "create it in this namespace, or name another one"
        return Blocker(Reason.SERVICE_ACCOUNT_NOT_FOUND, f"{message}; {words}")
    if "must specify" in message and "quota: " in message:
        words = (
            "give each component a number (spec.cluster.scheduler.resources, spec.cluster.workers.resources, "
            "spec.runner.resources), or the namespace a LimitRange with defaults"
        )
        return Blocker(Reason.POD_REJECTED, f"{message}; {words}", permanent=True)
    if "admission webhook" in message or _UNFIT.search(message):
        return Blocker(Reason.POD_REJECTED, message, permanent=_UNFIT.search(message) is not None)
    if OBJECT_POLICY in message:
        words = (
            "if another installation of the operator serves this namespace, too, uninstall one of them, or give each "
            "its own namespaces (watchNamespaces)"
        )
        return Blocker(Reason.OPERATOR_FORBIDDEN, f"{message}; {words}")
    if "daskjobreports" in message and "ValidatingAdmissionPolicy" in message:
        words = (
            "the policy is that of another installation of the operator, which serves this namespace, too: uninstall "
            "one of them, or give each its own namespaces (watchNamespaces)"
        )
        return Blocker(Reason.OPERATOR_FORBIDDEN, f"{message}; {words}")
    if "cannot" in message and "is forbidden: User" in message:
        return Blocker(Reason.OPERATOR_FORBIDDEN, message)
    return Blocker(Reason.POD_REJECTED, message)


def blocker_of(error: ApiError | SpecError) -> Blocker | None:
    """The blocker to show the user when the API server refuses an action; None if a later try may succeed unchanged."""
    if isinstance(error, SpecError):
        return Blocker(Reason.INVALID_SPEC, str(error), permanent=True)
    if error.kind is ErrorKind.FORBIDDEN:
        return read_refusal(error.message)
    if error.kind is ErrorKind.INVALID:
        if isinstance(error, NameConflictError):
            return Blocker(Reason.NAME_CONFLICT, error.message, attempt=error.attempt)
        return read_refusal(error.message, permanent=True)
    return None


def is_news(known: Blocker | None, blocker: Blocker) -> bool:
    """Whether a refusal has another reason than the recorded one, or is of another name. If so, the controller runs the
    next pass at once, which writes it into the status; else the controller backs off.

    The message does not count: it may differ with every try (a quota's counts, a webhook's request), and every write
    of it would trigger the next try.
    """
    return known is None or (known.reason, known.attempt) != (blocker.reason, blocker.attempt)
