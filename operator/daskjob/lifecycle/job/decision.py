"""What comes out of a look at a job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from daskjob.api.status import DaskJobStatus
from daskjob.lifecycle.job.actions import Action


@dataclass(frozen=True)
class Event:
    """A Kubernetes Event on the job."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True)
class Decision:
    status: DaskJobStatus
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    #: When to look again if nothing happens before.
    requeue_after: timedelta | None = None
    #: The conclusion rests on something being absent: observe the API server itself, then decide anew.
    needs_live_read: bool = False
