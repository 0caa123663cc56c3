"""What kopf remembers of an object, to detect changes: only the fields that a handler waits for, and only in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable
from typing import Any

import kopf

from daskjob.streams.bounded_dict import BoundedDict

PHASE = ("status", "phase")
#: The fields of a cluster and of a worker group that handlers name.
FIELDS = (PHASE, ("spec", "worker", "replicas"))
#: The one phase that a handler waits for, and the one that a cluster gets when its objects were created.
AWAITED_PHASE, LAST_PHASE = "Created", "Pending"
#: Of how many objects the process remembers what it handled. One that it forgot is handled as when the process starts.
MOST_OBJECTS = 20_000


class HandledFields(kopf.DiffBaseStorage):
    """Remembers what was handled of clusters and worker groups, and writes nothing about it to the API server: kopf's
    annotations would be two patches of each job.

    A process that starts knows as much from what exists:

    - A cluster whose worker group exists was handled: the handler creates the group last.
    - A worker group was not: its handler compares the workers with the number that is wanted, and does no harm to a
      group that has them. That costs one list for each group.

    Of the whole spec, kopf's own class would make a copy, and take a change of a label for one that has to be handled.
    """

    def __init__(self, complete: Callable[[], Container[str]]) -> None:
        """`complete`: gives the UIDs of the clusters whose worker group exists."""
        super().__init__()
        self._complete = complete
        #: What was handled, as JSON, by the objects' UIDs.
        self._handled: BoundedDict[str, str] = BoundedDict(MOST_OBJECTS)

    def build(self, *, body: Any, extra_fields: Iterable[Any] | None = None) -> Any:
        """The fields of `body` that `extra_fields` (tuples of keys) name, nested as in `body`. Every phase but
        `Created` counts as none."""
        essence: dict[str, Any] = {}
        for field in extra_fields or ():
            value: Any = body
            for key in field:
                value = value.get(key) if hasattr(value, "get") else None
            if value is None or (tuple(field) == PHASE and value != AWAITED_PHASE):
                continue
            place = essence
            for key in field[:-1]:
                place = place.setdefault(key, {})
            place[field[-1]] = value
        return essence

    def fetch(self, *, body: Any) -> Any:
        """What was handled of the object; None: nothing yet, as far as this process knows."""
        uid = body["metadata"]["uid"]
        if uid not in self._handled and body.get("kind") == "DaskCluster" and uid in self._complete():
            self._remember(uid, self.build(body=body, extra_fields=FIELDS))
        known = self._handled.get(uid)
        return None if known is None else json.loads(known)

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        """Remembers `essence`. The phase that says that a cluster's objects were created is not written: nobody waits
        for it."""
        self._remember(body["metadata"]["uid"], essence)
        if (patch.get("status") or {}).get("phase") == LAST_PHASE:
            del patch["status"]["phase"]
            if not patch["status"]:
                del patch["status"]

    def _remember(self, uid: str, essence: Any) -> None:
        self._handled[uid] = json.dumps(essence)
