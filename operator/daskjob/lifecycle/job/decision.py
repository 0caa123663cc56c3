"""The result of a pass: what the controller records and does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from daskjob.api.status import DaskJobStatus
from daskjob.lifecycle.event import Event
from daskjob.lifecycle.job.actions import Action
from daskjob.lifecycle.job.observation import Observation


@dataclass(frozen=True)
class Decision:
    """The status to write, the events to post and the actions to carry out.

    The order is part of the contract: the controller writes the status first, if it differs from the recorded one. Only
    if that write succeeds does it post the events and carry out the actions, one after the other, in their order. So
    the status has an attempt before any of its objects exists, and an outcome before anything is deleted; if the
    process dies in between, the next pass does the rest. (A cron job's decision has the opposite order: see
    `lifecycle.cron.decide`.)
    """

    status: DaskJobStatus
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    #: When the next pass runs if no watch event brings it earlier; None: only a watch event does.
    requeue_after: timedelta | None = None
    #: The decision rests on the absence of an object in the cache: the controller does a live read and decides anew. It
    #: ignores the rest of this decision.
    needs_live_read: bool = False
    #: What the API server refused is not tried again yet, so the refusal holds.
    keeps_refusal: bool = False
    #: The names of the rules that decided, in order, for docs/lifecycle.md and `daskjob explain`.
    rules: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Advance:
    """A rule's answer that changes the status and does not end the pass: the same pass applies the rules again to this
    observation. `rules`: names of the rules that decided within the rule."""

    observation: Observation
    events: tuple[Event, ...] = ()
    rules: tuple[str, ...] = ()
