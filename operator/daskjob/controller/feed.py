"""What becomes of an object that a list or a watch brings: it goes into the caches, its root object's key into the
queue. One that cannot be read is reported here."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from daskjob.controller import metrics
from daskjob.controller.controller import Controller
from daskjob.controller.kind import Watched
from daskjob.kube.client import Body
from daskjob.streams.depth import UNREADABLE
from daskjob.streams.unreadable_objects import UnreadableObjects

AnyController = Controller[Any, Any, Any, Any]

logger = logging.getLogger(__name__)


def watched_by(controllers: Sequence[AnyController]) -> dict[Watched, list[AnyController]]:
    """All that any controller watches, each with those that watch it, in the order of the kinds."""
    watched = dict.fromkeys(each for one in controllers for each in one.kind.watched)
    return {each: [one for one in controllers if each in one.kind.watched] for each in watched}


class Feed:
    """Feeds all controllers. `watched`: what any of them watches, each with those that watch it."""

    def __init__(self, controllers: Sequence[AnyController]) -> None:
        self.controllers = controllers
        self.watched: Mapping[Watched, Sequence[AnyController]] = watched_by(controllers)
        self._listeners = {each.resource.kind: found for each, found in self.watched.items()}
        self._unreadable = UnreadableObjects(_report_unreadable)

    def read(self, watched: Watched, body: Body) -> Body:
        """What is kept of an object. One that cannot be read is counted, and named in the log, once a version."""
        kept = watched.keep(watched.resource.stamp(body))
        if UNREADABLE in kept:
            self._unreadable.note(watched.resource.plural, kept, kept[UNREADABLE])
        return kept

    def keep(self, watched: Watched, body: Body) -> Body:
        """What is kept of an object as a watch brings it."""
        kept = self.read(watched, body)
        if UNREADABLE not in kept:
            for controller in self._listeners[watched.resource.kind]:
                if controller.kind.root is watched.resource:
                    controller.kind.arrived(body)
        return kept

    def take(self, watched: Watched, body: Body) -> None:
        """Takes an item of a list. kopf does not get it: it would remember each object for ever, and most of a list are
        jobs that ended long ago."""
        self.note(watched, "ADDED", self.keep(watched, body))

    def is_known(self, body: Body) -> bool:
        """Whether a watch event brings nothing. Most are of changes of which nothing is kept, or echo what the operator
        itself wrote: kopf's work on them would be in vain. `body`: what is kept of the object."""
        return all(controller.kind.cache.has(body) for controller in self._listeners[body["kind"]])

    def note(self, watched: Watched, change: str, body: Body) -> None:
        """Updates the caches, and queues the root object's key. `change`: as in a watch event; `body`: what is kept."""
        metrics.WATCH_EVENTS.labels(watched.resource.plural).inc()
        for controller in self._listeners[watched.resource.kind]:
            cache = controller.kind.cache
            key = cache.drop(body) if change == "DELETED" else cache.put(body)
            if key is not None:
                controller.queue.add_changed(key, watched.settles(body))


def _report_unreadable(plural: str, name: str, problem: str) -> None:
    metrics.UNREADABLE_OBJECTS.labels(plural).inc()
    logger.warning("%s %s cannot be read, and is left alone: it %s", plural, name, problem)
