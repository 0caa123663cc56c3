"""One pass over one root object, whatever its kind: observe, decide, record, post events, act."""

from __future__ import annotations

import logging
from typing import Any, Generic

from daskjob.api.resource import EVENTS
from daskjob.controller import metrics
from daskjob.controller.cache import Key
from daskjob.controller.error_policy import after_error
from daskjob.controller.events import event_body
from daskjob.controller.fair_queue import Urgency
from daskjob.controller.kind import D, Kind, Look, M, O, PassState, R
from daskjob.controller.work_queue import WorkQueue
from daskjob.errors import ApiError, ErrorKind, SpecError
from daskjob.kube.client import Body
from daskjob.lifecycle.blocker import is_news
from daskjob.lifecycle.event import Event
from daskjob.wire import clean

#: Seconds until the next try when the API server refuses even a status without details.
NOT_RECORDED_RETRY = 300.0

logger = logging.getLogger(__name__)


class Controller(Generic[R, O, D, M]):
    """Runs passes over the root objects of one kind. Its state only saves requests: losing it changes no decision."""

    def __init__(self, kind: Kind[R, O, D, M]) -> None:
        self.kind = kind
        self.queue = WorkQueue(kind.name, kind.urgency)
        kind.wake = self.queue.add
        self._states: dict[Key, PassState[M]] = {}

    async def run(self, workers: int) -> None:
        """Runs passes for the keys of the queue until cancelled; `workers`: how many at a time."""
        await self.queue.run(self.process, workers)

    async def process(self, key: Key) -> None:
        """Runs one pass and queues the next one. Logs every error, and tries the key again after a growing pause."""
        try:
            with metrics.reconciling(self.kind.name):
                requeue_after = await self.reconcile(key)
        except Exception as error:
            policy = after_error(error)
            if policy.tries_again:
                pause = self.queue.add_failed(key, at_least=policy.at_least)
                if policy.requeue_after is not None:
                    self.queue.add_after(key, policy.requeue_after)
                text = "%s/%s: %s; again in %.1f s"
                logger.log(policy.level, text, *key, policy.words, pause, exc_info=error if policy.traceback else None)
            return
        self.queue.forget_failures(key)
        if requeue_after is not None:
            self.queue.add_after(key, requeue_after)

    async def reconcile(self, key: Key) -> float | None:
        """Runs one pass. Returns in how many seconds the next one runs if no watch event brings it earlier (None: only
        a watch event does).

        Raises ApiError if the API server refused the status, or an action that a later try may carry out unchanged.
        """
        with self.kind.passing(key):
            body = self.kind.cache.root(key)
            await self.kind.tidy(key, body)
            if body is None:
                self._states.pop(key, None)
                return None
            requeue_after = await self._pass(key, body)
            if self.kind.urgency(key) is Urgency.RESTS:
                self._states.pop(key, None)
            return requeue_after

    async def _pass(self, key: Key, body: Body) -> float | None:
        root = self.kind.read(body)
        state = self._state(key, root)
        decision = await self._decide(key, root, state, live=False)
        if decision.needs_live_read:
            await self._read_live(key, root)
            state.last_live_read = self.kind.clock()
            current = self.kind.cache.root(key)
            if current is None or current["metadata"]["uid"] != root.uid:
                return 0.0
            body, root = current, self.kind.read(current)
            decision = await self._decide(key, root, state, live=True)
        if decision.status != root.status:
            # An action on the root object itself (deleting it) must name the version that this pass wrote.
            root = self.kind.read(await self._record(body, root, decision.status, state))
            state.last_status_write = self.kind.clock()
        await self._post(root, state, decision.events)
        requeue_after = self._pause(decision)
        try:
            return await self._execute(root, decision, state, requeue_after)
        except ApiError as error:
            # The pause before the next try must not outlast a deadline.
            error.requeue_after = requeue_after
            raise

    def _pause(self, decision: D) -> float | None:
        """Seconds until the next pass if no watch event brings it earlier; None: only a watch event does."""
        pauses = [each for each in (decision.requeue_after, self.kind.longest_pause) if each is not None]
        return min(pauses).total_seconds() if decision.requeue_after is not None else None

    def _state(self, key: Key, root: R) -> PassState[M]:
        state = self._states.get(key)
        if state is None or state.uid != root.uid:
            state = self._states[key] = PassState(root.uid, self.kind.new_memory())
        return state

    async def _decide(self, key: Key, root: R, state: PassState[M], live: bool) -> D:
        objects = tuple(self.kind.cache.owned(key))
        look = Look(root, objects, state, self.kind.clock(), live)
        return self.kind.decide(key, await self.kind.observe(look))

    async def _read_live(self, key: Key, root: R) -> None:
        """Updates the cache with a live read of the root object and all that belongs to it."""
        cache, client = self.kind.cache, self.kind.client
        for watched in self.kind.watched:
            kind = watched.resource.kind
            if watched.resource is self.kind.root:
                known = {each["metadata"]["uid"] for each in (cache.root(key),) if each is not None}
                found = await client.get(watched.resource, *key)
                bodies = [] if found is None else [watched.keep(found)]
            else:
                parts = [each for each in cache.owned(key) if each["kind"] == kind and self.kind.is_part(each, root)]
                known = {each["metadata"]["uid"] for each in parts}
                selector = self.kind.selector_of(root)
                bodies = await client.list(watched.resource, key[0], labels=selector, keep=watched.keep)
            for each in bodies:
                cache.put(each)
            cache.remove_missing(kind, {each["metadata"]["uid"] for each in bodies}, known)

    async def _record(self, body: Body, root: R, status: Any, state: PassState[M]) -> Body:
        """Writes the status if the object's version is still the observed one. Returns what is kept of the object as
        written."""
        try:
            written = await self._write(body, root, status)
        except ApiError as error:
            if error.kind is not ErrorKind.INVALID:
                raise
            status = self.kind.reduced(root, status, error)
            logger.error("%s/%s: the status was refused, leaving details out: %s", root.namespace, root.name, error)
            try:
                written = await self._write(body, root, status)
            except ApiError as refused:
                if refused.kind is ErrorKind.INVALID:
                    # Only an edit of the object changes that, and the watch delivers it.
                    refused.retry_after = NOT_RECORDED_RETRY
                    await self._post(root, state, self.kind.not_recorded(root, refused))
                raise
        kept = self.kind.cache.put_whole(written)
        # The watch's echo of this write brings no pass: what follows from the new status is decided in the next one.
        self.queue.add_changed((root.namespace, root.name))
        self.kind.recorded(root, status)
        return kept

    async def _write(self, body: Body, root: R, status: Any) -> Body:
        resource = self.kind.root
        metadata = {key: body["metadata"][key] for key in ("namespace", "name", "uid", "resourceVersion")}
        document = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
        content = await self.kind.document_of(root, status)
        return await self.kind.client.apply_status(resource, {**document, "status": content})

    async def _post(self, root: R, state: PassState[M], events: tuple[Event, ...]) -> None:
        """Posts every Kubernetes Event once. If the API server refuses one, the pass goes on. What a warning says is
        then in the log: nobody can read the status of a job that goes, in a namespace that takes no Events any more."""
        for event in events:
            key = self.kind.event_key(root, event)
            if key in state.posted:
                continue
            state.posted.append(key)
            try:
                body = event_body(self.kind.root, root.namespace, root.name, root.uid, key, event, self.kind.clock())
                await self.kind.client.create(EVENTS, body)
            except ApiError as error:
                level = logging.WARNING if event.warning else logging.DEBUG
                words = "event not posted for %s/%s: %s: %s (%s)"
                logger.log(level, words, root.namespace, root.name, event.reason, clean(event.message), error)

    async def _execute(self, root: R, decision: D, state: PassState[M], requeue_after: float | None) -> float | None:
        """Carries out the actions in order. If the API server refuses one for a reason that the user must know, the
        pass ends, and the next one, at once, writes the reason into the status."""
        for action in decision.actions:
            try:
                events = await self.kind.execute(action, root, decision, state)
            except (ApiError, SpecError) as error:
                blocker = self.kind.blocker_of(error)
                if blocker is None:
                    raise
                await self._post(root, state, self.kind.refused(root, action, blocker))
                if not is_news(state.refusal, blocker):
                    raise
                state.refusal = blocker
                return 0.0
            await self._post(root, state, events)
        if state.refusal is not None and not decision.keeps_refusal:
            # The status still has the refusal: the next pass, at once, removes it.
            state.refusal, requeue_after = None, 0.0
        return requeue_after
