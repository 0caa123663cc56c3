"""What comes out of a look at a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from daskjob.api.status import DaskJobStatus
from daskjob.lifecycle.event import Event
from daskjob.lifecycle.job.actions import Action
from daskjob.lifecycle.job.observation import Observation


@dataclass(frozen=True)
class Decision:
    """What to record, then to do, then to say.

    The order is part of the contract: the controller writes the status first, if it differs from the recorded one. Only
    if that write succeeds it posts the events and carries the actions out, one after the other, in their order. So an
    attempt is recorded before anything is made for it, and an outcome before anything is destroyed; a process that dies
    in between leaves work that the next pass finds. (A cron job's decision has the opposite order: see
    `lifecycle.cron.decide`.)
    """

    status: DaskJobStatus
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    #: When to look again if nothing happens before; None: no need to.
    requeue_after: timedelta | None = None
    #: The conclusion rests on something being absent: read the API server itself, then decide anew. Nothing else of
    #: this decision counts.
    needs_live_read: bool = False
    #: The names of the rules that decided, in their order, for docs/lifecycle.md and `daskjob explain`.
    rules: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Advance:
    """A rule's answer that is not the last word of a pass: the job goes on from this status, and the same pass decides
    about it again. `rules`: what decided within the rule."""

    observation: Observation
    events: tuple[Event, ...] = ()
    rules: tuple[str, ...] = ()
