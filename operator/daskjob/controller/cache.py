"""The cache: what the operator keeps of the last state, as the watches delivered it, of every object of a root object.

The cache may be late. So every write has a resource version, every deletion a UID, and a decision that rests on the
absence of an object needs a live read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from daskjob.api.resource import Resource
from daskjob.kube.client import Body

Key = tuple[str, str]
"""Namespace and name of a root object (a job, a cron job)."""

Keep = Callable[[Body], Body]
"""What the operator keeps of an object."""

#: How many deletions the cache remembers, to reject late watch events. These come within moments.
REMEMBERED_ENDS = 1_000


def _never(_: Body) -> bool:
    return False


@dataclass(slots=True)
class _Entry:
    """What is kept of one object: as JSON values, or as JSON text in a quarter of the memory."""

    uid: str
    version: int
    content: Body | bytes

    @property
    def body(self) -> Body:
        if isinstance(self.content, bytes):
            unpacked: Body = json.loads(self.content)
            return unpacked
        return self.content


class Cache:
    """What is kept of objects, in the form of the API server's JSON: by kind, namespace, name, and by root object."""

    def __init__(
        self,
        root: Resource,
        owner_of: Callable[[Body], Key | None],
        keepers: Mapping[str, Keep] | None = None,
        rests: Callable[[Body], bool] = _never,
    ) -> None:
        """`root`: the resource of the root objects; `owner_of`: the key of the root object that an object is or belongs
        to; `keepers`: by kind of object; default: all of it is kept; `rests`: whether hardly anything will look at the
        object again, by what is kept of it: it is stored as text."""
        self._root = root.kind
        self._owner_of = owner_of
        self._keepers = keepers or {}
        self._rests = rests
        self._entries: dict[tuple[str, str, str], _Entry] = {}
        self._by_root: dict[Key, set[tuple[str, str, str]]] = {}
        self._by_uid: dict[str, tuple[str, str, str]] = {}
        #: The resource versions at which objects of these names were deleted, in the order of the deletions.
        self._ends: dict[tuple[str, str, str], int] = {}

    def roots(self) -> Iterator[tuple[Key, Body]]:
        """All root objects, with their keys."""
        for key in self._by_root:
            body = self.root(key)
            if body is not None:
                yield key, body

    def put_whole(self, body: Body) -> Body:
        """Stores what is kept of an object, as `put` does. Returns what is kept."""
        kept = self.kept(body)
        self.put(kept)
        return kept

    def kept(self, body: Body) -> Body:
        """What is kept of an object."""
        keep = self._keepers.get(body["kind"])
        return keep(body) if keep is not None else body

    def put(self, body: Body) -> Key | None:
        """Stores what is kept of an object, unless the cache has a later version of it or of another object of that
        name. Returns the key of its root object; None: it belongs to none.

        Watch events and answers to requests overtake each other: a late one must not bring a deleted object back.
        """
        identity, root = _identity(body), self._owner_of(body)
        if root is None:
            return None
        known = self._entries.get(identity)
        later = max(known.version if known is not None else 0, self._ends.get(identity, 0))
        if later > _version(body):
            return root
        if known is not None and known.uid != body["metadata"]["uid"]:
            self._forget(identity)
        entry = self._entry(body)
        self._entries[identity] = entry
        self._by_root.setdefault(root, set()).add(identity)
        self._by_uid[entry.uid] = identity
        return root

    def has(self, body: Body) -> bool:
        """Whether a change brings nothing new to the cache. `body`: what is kept of the object.

        Of a root object, the version is new as well: a status is written to the version that the cache has.
        """
        if self._owner_of(body) is None:
            return True
        known = self._body(_identity(body))
        if known is None or body["kind"] == self._root:
            return known == body
        return _without_version(known) == _without_version(body)

    def drop(self, body: Body) -> Key | None:
        """Removes a deleted object; a later object of the same name stays. Returns the key of its root object."""
        identity, root = _identity(body), self._owner_of(body)
        known, end = self._entries.get(identity), _version(body)
        if known is not None and (known.uid == body["metadata"]["uid"] or known.version < end):
            self._forget(identity)
        self._ends[identity] = max(end, self._ends.pop(identity, 0))
        while len(self._ends) > REMEMBERED_ENDS:
            del self._ends[next(iter(self._ends))]
        return root

    def mark_deleting(self, kind: str, namespace: str, name: str, uid: str, since: str) -> None:
        """Marks an object that this process just deleted; a watch event removes it when it is gone."""
        known = self._entries.get((kind, namespace, name))
        if known is not None and known.uid == uid:
            body = known.body
            known.content = {**body, "metadata": {"deletionTimestamp": since, **body["metadata"]}}

    def forget(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """Removes an object that does not exist, as the API server answered."""
        known = self._entries.get((kind, namespace, name))
        if known is not None and known.uid == uid:
            self._forget((kind, namespace, name))

    def root(self, key: Key) -> Body | None:
        """The root object of that name."""
        return self._body((self._root, *key))

    def find(self, kind: str, namespace: str, name: str) -> Body | None:
        """The object of that kind and name."""
        return self._body((kind, namespace, name))

    def owned(self, key: Key) -> Iterator[Body]:
        """All objects that belong to a root object of that name, also to an earlier one of the same name."""
        for identity in sorted(self._by_root.get(key, ())):
            if identity[0] != self._root:
                yield self._entries[identity].body

    def root_keys(self) -> list[Key]:
        """The keys of all root objects, and of those that only have objects of theirs in the cache."""
        return list(self._by_root)

    def remove_missing(self, kind: str, listed: Collection[str], known: Iterable[str]) -> set[Key]:
        """Removes the objects of that kind that a list lacks. `listed`: the UIDs of the objects in it. Returns the keys
        of the root objects whose objects it removed.

        `known`: the UIDs that the cache had before the request, within the scope of the list: those that the list lacks
        are gone. An object that a watch delivered since the request stays.
        """
        touched: set[Key] = set()
        for uid in known:
            identity = self._by_uid.get(uid)
            if identity is not None and identity[0] == kind and uid not in listed:
                root = self._forget(identity)
                touched.update(() if root is None else (root,))
        return touched

    def uids(self, kind: str, namespace: str | None) -> set[str]:
        """The UIDs of all cached objects of a kind; `namespace`: of one namespace, None: of all."""
        return {
            entry.uid
            for identity, entry in self._entries.items()
            if identity[0] == kind and namespace in (None, identity[1])
        }

    def _entry(self, body: Body) -> _Entry:
        content = json.dumps(body, separators=(",", ":")).encode() if self._rests(body) else body
        return _Entry(body["metadata"]["uid"], _version(body), content)

    def _body(self, identity: tuple[str, str, str]) -> Body | None:
        entry = self._entries.get(identity)
        return entry.body if entry is not None else None

    def _forget(self, identity: tuple[str, str, str]) -> Key | None:
        """Removes an object. Returns the key of its root object."""
        entry = self._entries.pop(identity)
        self._by_uid.pop(entry.uid, None)
        root = self._owner_of(entry.body)
        if root is not None:
            identities = self._by_root.get(root, set())
            identities.discard(identity)
            if not identities:
                self._by_root.pop(root, None)
        return root


def _identity(body: Body) -> tuple[str, str, str]:
    return body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]


def _without_version(body: Body) -> Body:
    return {**body, "metadata": {**body["metadata"], "resourceVersion": None}}


def _version(body: Body) -> int:
    """The resource version as a number. Those of one kind are comparable: Kubernetes promises it since 1.35, and before
    that they have always been etcd's revisions."""
    text = body["metadata"].get("resourceVersion", "")
    return int(text) if text.isdigit() else 0
