"""Whole jobs as the watch brought them, until their first attempt: most are needed within a second of that."""

from __future__ import annotations

import json
from collections import OrderedDict

from daskjob.kube.client import Body

#: Bytes of JSON that are kept, and the most of one job. The API server is asked for those that were let go.
MOST_BYTES, MOST_OF_ONE = 4 * 2**20, 64 * 2**10


class RecentSpecs:
    """Jobs by UID, the latest last, as JSON: as dicts they would take several times the memory."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self._bytes = 0

    def put(self, body: Body) -> None:
        """Keeps a job that has had no attempt."""
        metadata, status = body["metadata"], body.get("status")
        uid, generation = metadata["uid"], metadata.get("generation") or 0
        if (isinstance(status, dict) and status.get("attempts")) or self._texts.get(uid, (None,))[0] == generation:
            return
        self.take(uid, generation)
        try:
            text = json.dumps(body, separators=(",", ":")).encode()
        except RecursionError:
            # The check of the spec asks for it, and tells the user how deep it is.
            return
        if len(text) > MOST_OF_ONE:
            return
        self._texts[uid] = generation, text
        self._bytes += len(text)
        while self._bytes > MOST_BYTES:
            _, (_, oldest) = self._texts.popitem(last=False)
            self._bytes -= len(oldest)

    def take(self, uid: str, generation: int) -> Body | None:
        """The whole job, once; None: that generation of it is not kept."""
        known = self._texts.pop(uid, None)
        if known is None:
            return None
        self._bytes -= len(known[1])
        found: Body | None = json.loads(known[1]) if known[0] == generation else None
        return found
