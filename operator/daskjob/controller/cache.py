"""What the watches told: the last known state of every object that belongs to a job.

A cache, never the truth: writes carry resource versions, deletions carry UIDs, and conclusions from something being
absent are drawn only after asking the API server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from daskjob.api import constants as c
from daskjob.kube.client import Body
from daskjob.kube.resources import DASK_JOBS, Resource

Key = tuple[str, str]
"""(namespace, name) of a job."""

#: Late news of what was deleted come within moments; older ends need not be known.
REMEMBERED_ENDS = 1_000


class Cache:
    """Bodies by kind, namespace and name, and all those of one job (or of whatever else they belong to)."""

    def __init__(self, root: Resource = DASK_JOBS, belongs: Callable[[Body], Key | None] | None = None) -> None:
        """`root`: the kind of what they belong to; `belongs`: to which one a body does, None: by the job's label."""
        self._root = root.kind
        self._belongs = belongs or job_of
        self._bodies: dict[tuple[str, str, str], Body] = {}
        self._by_job: dict[Key, set[tuple[str, str, str]]] = {}
        #: The versions at which objects of these names were deleted, the latest names last.
        self._ends: dict[tuple[str, str, str], int] = {}

    def job_bodies(self) -> Iterator[tuple[Key, Body]]:
        """All DaskJobs."""
        for key in self._by_job:
            body = self.job(key)
            if body is not None:
                yield key, body

    def put(self, body: Body) -> Key | None:
        """Takes in an object, unless something later is known of it or a namesake. Returns the job that it belongs to.

        Watches and answers to requests overtake each other: what is late must not bring back what is gone.
        """
        identity, job = _identity(body), self._belongs(body)
        if job is None:
            return None
        known = self._bodies.get(identity)
        later = max(_version(known) if known is not None else 0, self._ends.get(identity, 0))
        if later > _version(body):
            return job
        self._bodies[identity] = body
        self._by_job.setdefault(job, set()).add(identity)
        return job

    def drop(self, body: Body) -> Key | None:
        """Forgets an object that was deleted; one of the same name that came after it stays."""
        identity, job = _identity(body), self._belongs(body)
        known, end = self._bodies.get(identity), _version(body)
        if known is not None and (_same(known, body) or _version(known) < end):
            self._forget(identity)
        self._ends[identity] = max(end, self._ends.pop(identity, 0))
        while len(self._ends) > REMEMBERED_ENDS:
            del self._ends[next(iter(self._ends))]
        return job

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

    def job(self, key: Key) -> Body | None:
        return self._bodies.get((self._root, *key))

    def owned(self, key: Key) -> Iterator[Body]:
        """All objects labelled with that job's name, of whichever job of that name."""
        for identity in sorted(self._by_job.get(key, ())):
            if identity[0] != self._root:
                yield self._bodies[identity]

    def jobs(self) -> list[Key]:
        return list(self._by_job)

    def replace(self, kind: str, bodies: Iterable[Body], known: Collection[str]) -> None:
        """Makes the store say of that kind what a list said.

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
        job = self._belongs(self._bodies.pop(identity))
        if job is not None:
            identities = self._by_job.get(job, set())
            identities.discard(identity)
            if not identities:
                self._by_job.pop(job, None)


def job_of(body: Body) -> Key | None:
    """The job that an object is, or belongs to by its label; None if to none."""
    metadata = body["metadata"]
    namespace = metadata.get("namespace", "")
    if body.get("kind") == DASK_JOBS.kind:
        return namespace, metadata["name"]
    name = (metadata.get("labels") or {}).get(c.JOB_LABEL)
    return (namespace, name) if name else None


def _identity(body: Body) -> tuple[str, str, str]:
    return body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]


def _same(one: Body, other: Body) -> bool:
    return bool(one["metadata"]["uid"] == other["metadata"]["uid"])


def _version(body: Body) -> int:
    """Resource versions of one kind can be compared as numbers (Kubernetes promises it since 1.35, and before that
    they have always been etcd's revisions)."""
    text = body["metadata"].get("resourceVersion", "")
    return int(text) if text.isdigit() else 0
