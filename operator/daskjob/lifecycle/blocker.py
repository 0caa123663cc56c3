"""What keeps a job or a cron job from going on, and what a refusal of the API server means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from daskjob.api.constants import Reason
from daskjob.errors import ApiError, ErrorKind, SpecError


@dataclass(frozen=True)
class Blocker:
    """The reason, and the words of whoever refused."""

    reason: Reason
    message: str
    #: Waiting does not help: no need to sit out the startup deadline.
    permanent: bool = False


def read_refusal(message: str) -> Blocker:
    """What the API server's words mean when pods, or an object of ours, may not be created."""
    if "exceeded quota" in message:
        return Blocker(Reason.QUOTA_EXCEEDED, message)
    if re.search(r"violates PodSecurity|admission webhook|LimitRange|(minimum|maximum) .* usage per", message):
        return Blocker(Reason.POD_REJECTED, message, permanent="violates PodSecurity" in message)
    if "cannot" in message and "is forbidden: User" in message:
        return Blocker(Reason.OPERATOR_FORBIDDEN, message)
    return Blocker(Reason.POD_REJECTED, message)


def blocker_of(error: ApiError | SpecError) -> Blocker | None:
    """What to tell the user of an action that was refused; None for what passes by itself."""
    if isinstance(error, SpecError):
        return Blocker(Reason.INVALID_SPEC, str(error), permanent=True)
    if error.kind is ErrorKind.FORBIDDEN:
        return read_refusal(error.message)
    if error.kind is ErrorKind.INVALID:
        if error.status == 409:
            return Blocker(Reason.NAME_CONFLICT, error.message)
        return Blocker(Reason.POD_REJECTED, error.message, permanent=True)
    return None


def is_news(known: Blocker | None, blocker: Blocker) -> bool:
    """Whether a refusal says something new: the next pass, at once, tells it then; else the controller backs off.

    Only the reason counts. The words may differ with every try (a quota's counts, a webhook's request), and each write
    of them would bring on the next try.
    """
    return known is None or known.reason != blocker.reason
