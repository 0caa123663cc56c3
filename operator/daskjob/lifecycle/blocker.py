"""What keeps a job or a cron job from going on, and what a refusal of the API server means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from daskjob.api.constants import Reason


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
