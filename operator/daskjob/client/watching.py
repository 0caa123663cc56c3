"""Follows objects of the API server for as long as somebody looks, over anything that a connection may go through."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from daskjob.api.resource import Resource
from daskjob.client.deep_json import parse
from daskjob.client.problems import ClusterUnreachable, Expired, Forbidden, NotFound, Unavailable
from daskjob.client.transport import CHANCE, Body, Transport

#: Objects of a page of a list.
PAGE = 100
#: Seconds between two looks where watching is forbidden.
POLL = 2.0
#: Seconds without a byte after which a watch counts as dropped: an API server sends a bookmark each minute.
SILENCE = 75.0
#: Seconds after which the API server itself ends a watch.
LIFETIME = 280
#: The pause before the second and any later try, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.3, 20.0


@dataclass(frozen=True)
class Change:
    """What happened to an object; of one that is deleted, as it was last."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Body


@dataclass(frozen=True)
class Selection:
    """Which objects: of a namespace (None: all), with that name, with these labels."""

    endpoint: Resource
    namespace: str | None
    name: str | None = None
    labels: str | None = None

    def query(self) -> dict[str, str | None]:
        return {
            "labelSelector": self.labels,
            "fieldSelector": f"metadata.name={self.name}" if self.name is not None else None,
        }


def list_all(transport: Transport, selection: Selection, **more: Any) -> tuple[list[Body], str]:
    """The objects, and the version from which to watch. `more`: further arguments of `Transport.request`."""
    endpoint = selection.endpoint
    while True:
        items: list[Body] = []
        query = {**selection.query(), "limit": str(PAGE)}
        try:
            while True:
                answer = transport.request("list", endpoint, selection.namespace, query=query, **more)
                items += answer.get("items") or ()
                metadata = answer.get("metadata") or {}
                if not metadata.get("continue"):
                    break
                query["continue"] = metadata["continue"]
        except Expired:
            # The list took longer than the API server keeps its version.
            continue
        return [endpoint.stamp(item) for item in items], str(metadata.get("resourceVersion") or "")


@dataclass
class Watch:
    """`note` is called with words when the connection was lost, and when it is there again. `deadline`: of
    `time.monotonic`, after which an idle watch yields an empty batch at once; `patience`: seconds of failures in a row
    after which it gives up; `reached`: the cluster has answered before, so that a first list without an answer is a
    failure like any other, and not a wrong address."""

    transport: Transport
    selection: Selection
    deadline: float | None = None
    patience: float = 600.0
    reached: bool = False
    note: Callable[[str], None] = lambda text: None
    polls: bool = field(default=False, init=False)
    _known: dict[str, Body] = field(default_factory=dict, init=False)
    _listed: bool = field(default=False, init=False)
    _version: str | None = field(default=None, init=False)
    _failing_since: float | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)

    def batches(self) -> Iterator[list[Change]]:
        """First all that there is, as ADDED, which may be nothing; then each change. A batch may be empty: so that
        who waits can look at the clock. Never ends by itself.

        An object that was deleted and made anew while the connection was lost is first DELETED, then ADDED: they have
        different UIDs. Raises ClientError: what the first list raises, and later Unauthorized, Forbidden, NotInstalled,
        or ClusterUnreachable when its patience is over.
        """
        while True:
            try:
                if self._version is None:
                    items, self._version = self._list()
                    self._works()
                    yield self._compared(items)
                if self.polls:
                    time.sleep(min(POLL, self._remaining()))
                    self._version = None
                else:
                    yield from self._watched()
            except Expired:
                self._version = None
            except Forbidden as error:
                if error.verb != "watch":
                    raise
                self.polls = True
            except ClusterUnreachable as error:
                if not (self._listed or self.reached):
                    raise
                self._fails(error)
                yield []

    def known(self, uid: str) -> Body | None:
        """The object as it was delivered last; None: it was not, or is deleted. Any thread may ask."""
        return self._known.get(uid)

    def _watched(self) -> Iterator[list[Change]]:
        """One connection's changes; returns when the API server ends it."""
        query = {
            **self.selection.query(),
            "watch": "true",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(LIFETIME),
        }
        silence = max(0.05, min(SILENCE, self._remaining()))
        began = time.monotonic()
        opened = self.transport.lines(
            "watch", self.selection.endpoint, self.selection.namespace, query=query, silence=silence
        )
        try:
            with opened as lines:
                for line in lines:
                    changes = self._changes(line)
                    self._works()
                    yield changes
        except Unavailable:
            if time.monotonic() - began < silence * 0.9:
                raise
            # Nothing happened for so long.
            yield []
            return
        self._works()
        yield []
        if time.monotonic() - began < 1.0:
            # It would be opened and closed all the time.
            time.sleep(min(1.0, self._remaining()))

    def _changes(self, line: bytes) -> list[Change]:
        try:
            event = parse(line)
            kind, changed = event["type"], event["object"]
            metadata = changed.get("metadata") or {}
        except (ValueError, KeyError, TypeError, AttributeError):
            # The end of a connection in the middle of a line: the next one begins before it.
            raise Unavailable("the connection was closed in the middle of an event") from None
        if kind == "ERROR":
            if changed.get("code") == 410:
                raise Expired(str(changed.get("message") or ""))
            self._version = None
            raise Unavailable(f"the API server ended the watch: {changed.get('message')}")
        self._version = metadata.get("resourceVersion") or self._version
        if kind not in ("ADDED", "MODIFIED", "DELETED"):
            return []
        uid = str(metadata.get("uid"))
        if kind == "DELETED":
            self._known.pop(uid, None)
        else:
            kind = "MODIFIED" if uid in self._known else "ADDED"
            self._known[uid] = changed
        return [Change(kind, changed)]

    def _list(self) -> tuple[list[Body], str]:
        selection = self.selection
        try:
            return list_all(self.transport, selection)
        except Forbidden:
            if selection.name is None:
                raise
        # Who may get an object, but not list: looks at it again and again.
        try:
            found = self.transport.request("get", selection.endpoint, selection.namespace, selection.name)
        except NotFound:
            return [], ""
        self.polls = True
        return [found], ""

    def _compared(self, items: list[Body]) -> list[Change]:
        """What changed since the last list, or since the watch was lost."""
        self._listed = True
        now = {str(each["metadata"].get("uid")): each for each in items}
        changes = [Change("DELETED", each) for uid, each in self._known.items() if uid not in now]
        for uid, each in now.items():
            before = self._known.get(uid)
            if before is None:
                changes.append(Change("ADDED", each))
            elif before["metadata"].get("resourceVersion") != each["metadata"].get("resourceVersion"):
                changes.append(Change("MODIFIED", each))
        self._known = now
        return changes

    def _remaining(self) -> float:
        return SILENCE if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def _works(self) -> None:
        if self._failures > 1:
            self.note("the API server answers again")
        self._failing_since, self._failures = None, 0

    def _fails(self, error: ClusterUnreachable) -> None:
        """Waits a moment; the longer the more it failed. Raises the error when the patience is over."""
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        if now - self._failing_since > self.patience:
            raise error
        self._failures += 1
        if self._failures == 2:
            self.note(f"{error}; trying again")
        longest = min(FIRST_PAUSE * 2**self._failures, LONGEST_PAUSE)
        asked = error.pause if isinstance(error, Unavailable) and error.pause else 0.0
        time.sleep(min(max(asked, CHANCE.uniform(longest / 2, longest)), self._remaining()))
