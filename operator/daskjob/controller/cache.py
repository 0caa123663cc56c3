"""What the watches delivered: the last known state of every object that belongs to a root object.

A cache, never the truth: writes carry resource versions, deletions carry UIDs, and conclusions from something being
absent are drawn only after asking the API server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from daskjob.kube.client import Body
from daskjob.kube.resources import Resource

Key = tuple[str, str]
"""(namespace, name) of a root object: a job, a cron job."""

#: How many deletions are kept to reject late events of a watch, which come within moments.
REMEMBERED_ENDS = 1_000


class Cache:
    """Bodies by kind, namespace and name, and all those of one root object."""

    def __init__(self, root: Resource, owner_of: Callable[[Body], Key | None]) -> None:
        """`root`: the resource of the root objects; `owner_of`: the key of the one that an object is or belongs to."""
        self._root = root.kind
        self._owner_of = owner_of
        self._bodies: dict[tuple[str, str, str], Body] = {}
        self._by_root: dict[Key, set[tuple[str, str, str]]] = {}
        #: The versions at which objects of these names were deleted, the latest names last.
        self._ends: dict[tuple[str, str, str], int] = {}

    def roots(self) -> Iterator[tuple[Key, Body]]:
        """All root objects."""
        for key in self._by_root:
            body = self.root(key)
            if body is not None:
                yield key, body

    def put(self, body: Body) -> Key | None:
        """Takes in an object, unless something later is known of it or a namesake. Returns the key of its root object.

        Watches and answers to requests overtake each other: what is late must not bring back what is gone.
        """
        identity, root = _identity(body), self._owner_of(body)
        if root is None:
            return None
        known = self._bodies.get(identity)
        later = max(_version(known) if known is not None else 0, self._ends.get(identity, 0))
        if later > _version(body):
            return root
        self._bodies[identity] = body
        self._by_root.setdefault(root, set()).add(identity)
        return root

    def drop(self, body: Body) -> Key | None:
        """Forgets an object that was deleted; one of the same name that came after it stays."""
        identity, root = _identity(body), self._owner_of(body)
        known, end = self._bodies.get(identity), _version(body)
        if known is not None and (_same(known, body) or _version(known) < end):
            self._forget(identity)
        self._ends[identity] = max(end, self._ends.pop(identity, 0))
        while len(self._ends) > REMEMBERED_ENDS:
            del self._ends[next(iter(self._ends))]
        return root

    def mark_deleting(self, kind: str, namespace: str, name: str, uid: str, since: str) -> None:
        """An object was deleted just now; the watch will tell when it is gone."""
        known = self._bodies.get((kind, namespace, name))
        if known is not None and known["metadata"]["uid"] == uid:
            metadata = {"deletionTimestamp": since, **known["metadata"]}
            self._bodies[kind, namespace, name] = {**known, "metadata": metadata}

    def forget(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """The API server says that there is no such object (any more)."""
        known = self._bodies.get((kind, namespace, name))
        if known is not None and known["metadata"]["uid"] == uid:
            self._forget((kind, namespace, name))

    def root(self, key: Key) -> Body | None:
        """The root object of that name."""
        return self._bodies.get((self._root, *key))

    def owned(self, key: Key) -> Iterator[Body]:
        """All objects that belong to a root object of that name, whichever of that name."""
        for identity in sorted(self._by_root.get(key, ())):
            if identity[0] != self._root:
                yield self._bodies[identity]

    def root_keys(self) -> list[Key]:
        """Of all root objects, and of those that something that belongs to them is known of."""
        return list(self._by_root)

    def replace(self, kind: str, bodies: Iterable[Body], known: Collection[str]) -> None:
        """Makes the cache have of that kind what a list has.

        `known`: the UIDs of what the list would have had, if it still existed. What came in since the list was asked
        for is newer, and stays.
        """
        listed = {body["metadata"]["uid"]: body for body in bodies}
        for body in listed.values():
            self.put(body)
        for identity, body in list(self._bodies.items()):
            uid = body["metadata"]["uid"]
            if identity[0] == kind and uid in known and uid not in listed:
                self._forget(identity)

    def uids(self, kind: str, namespace: str | None) -> set[str]:
        """The UIDs of all known objects of a kind; `namespace`: of one namespace, or (None) of all."""
        return {
            body["metadata"]["uid"]
            for identity, body in self._bodies.items()
            if identity[0] == kind and namespace in (None, identity[1])
        }

    def _forget(self, identity: tuple[str, str, str]) -> None:
        root = self._owner_of(self._bodies.pop(identity))
        if root is not None:
            identities = self._by_root.get(root, set())
            identities.discard(identity)
            if not identities:
                self._by_root.pop(root, None)


def _identity(body: Body) -> tuple[str, str, str]:
    return body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]


def _same(one: Body, other: Body) -> bool:
    return bool(one["metadata"]["uid"] == other["metadata"]["uid"])


def _version(body: Body) -> int:
    """Resource versions of one kind can be compared as numbers (Kubernetes promises it since 1.35, and before that
    they have always been etcd's revisions)."""
    text = body["metadata"].get("resourceVersion", "")
    return int(text) if text.isdigit() else 0
