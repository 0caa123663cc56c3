"""How every kind creates, finds, changes and deletes objects: repeatable without harm, and the cache learns at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from daskjob.api.resource import Resource
from daskjob.api.times import to_seconds_text
from daskjob.controller.cache import Cache
from daskjob.errors import ApiError, ErrorKind, NameConflictError
from daskjob.kube.client import Body, KubeClient


class Objects:
    """Writes objects to the API server, and what it answers into one kind's cache."""

    def __init__(self, client: KubeClient, cache: Cache, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._cache = cache
        self._clock = clock

    async def create_or_find(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        is_ours: Callable[[Body], bool],
        attempt: str = "",
    ) -> Body:
        """Creates the object, or finds the one of that name. Raises NameConflictError (with `attempt`) if that is not
        ours, ApiError of kind CONFLICT if it was deleted between the two requests."""
        found = await self.create_or_find_unwatched(resource, body, is_ours, attempt=attempt)
        self._cache.put_whole(found)
        return found

    async def create_or_find_unwatched(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        is_ours: Callable[[Body], bool],
        owner: str = "this job",
        attempt: str = "",
    ) -> Body:
        """The same for an object that no watch follows: the cache does not get it. `owner`: whose it is to be, for the
        error."""
        metadata = body["metadata"]
        try:
            return await self._client.create(resource, dict(body))
        except ApiError as error:
            if error.kind is not ErrorKind.EXISTS:
                raise
            known = await self._client.get(resource, metadata["namespace"], metadata["name"])
            if known is None:
                message = f"{resource.kind} {metadata['name']} was deleted meanwhile"
                raise ApiError(ErrorKind.CONFLICT, 409, message) from error
            if not is_ours(known):
                raise NameConflictError(resource.kind, metadata["name"], owner, attempt) from error
            return known

    async def provide(
        self, resource: Resource, body: Mapping[str, Any], is_ours: Callable[[Body], bool], owner: str
    ) -> None:
        """Creates the object unless it exists, as it mostly does. Raises NameConflictError, with `owner`, if the one of
        that name is not ours."""
        metadata = body["metadata"]
        known = await self._client.get(resource, metadata["namespace"], metadata["name"])
        if known is None:
            await self.create_or_find_unwatched(resource, body, is_ours, owner)
        elif not is_ours(known):
            raise NameConflictError(resource.kind, metadata["name"], owner)

    async def create_new(self, resource: Resource, body: Mapping[str, Any], attempt: str) -> None:
        """Creates an object that the operator may not read. Raises NameConflictError, with `attempt`, if the name
        exists."""
        try:
            await self._client.create(resource, dict(body))
        except ApiError as error:
            if error.kind is not ErrorKind.EXISTS:
                raise
            raise NameConflictError(resource.kind, body["metadata"]["name"], attempt=attempt) from error

    async def create_unread(self, resource: Resource, body: Mapping[str, Any]) -> None:
        """Creates an object that the operator may not or need not read. If the name exists, it counts as created."""
        try:
            await self._client.create(resource, dict(body))
        except ApiError as error:
            if error.kind is not ErrorKind.EXISTS:
                raise

    async def unknown_fields(self, resource: Resource, body: Mapping[str, Any]) -> Sequence[str]:
        """The fields of an object that the API server does not know, as it writes them."""
        return await self._client.unknown_fields(resource, dict(body))

    async def patch_unread(
        self, resource: Resource, namespace: str, name: str, owner: str, changes: Mapping[str, Any]
    ) -> None:
        """Sets fields, by their JSON pointers, of an object that the operator may not or need not read and that the
        object with the UID `owner` owns. Raises NameConflictError if that does not own it."""
        if not await self._client.patch_owned(resource, namespace, name, owner, changes):
            raise NameConflictError(resource.kind, name)

    async def patch(self, resource: Resource, namespace: str, name: str, change: Body) -> None:
        """Changes the object by a JSON merge patch."""
        self._cache.put_whole(await self._client.patch(resource, namespace, name, change))

    async def set_finalizer(
        self, resource: Resource, namespace: str, name: str, uid: str, finalizer: str, on: bool
    ) -> None:
        """Sets or takes off a finalizer of the object with that UID, and leaves those of others. One that is gone
        counts as done. Raises ApiError of kind CONFLICT if somebody changed the object meanwhile."""
        found = await self._client.get(resource, namespace, name)
        if found is None or found["metadata"]["uid"] != uid:
            self._cache.forget(resource.kind, namespace, name, uid)
            return
        metadata = found["metadata"]
        known = metadata.get("finalizers") or []
        if not on:
            wanted = [each for each in known if each != finalizer]
        elif finalizer in known or metadata.get("deletionTimestamp"):
            # Nobody may add one to an object that is being deleted.
            wanted = known
        else:
            wanted = [*known, finalizer]
        if wanted == known:
            self._cache.put_whole(found)
            return
        same = {"uid": uid, "resourceVersion": metadata["resourceVersion"]}
        await self.patch(resource, namespace, name, {"metadata": {**same, "finalizers": wanted}})

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str, version: str | None = None) -> bool:
        """Deletes the object with that UID; with a resource version, only if it still has that. Returns whether it did:
        if not, the object is gone already, or it has changed and the cache now has its new state."""
        if await self._client.delete(resource, namespace, name, uid, version):
            self._cache.mark_deleting(resource.kind, namespace, name, uid, to_seconds_text(self._clock()))
            return True
        found = await self._client.get(resource, namespace, name) if version is not None else None
        if found is None or found["metadata"]["uid"] != uid:
            self._cache.forget(resource.kind, namespace, name, uid)
        else:
            self._cache.put_whole(found)
        return False

    async def delete_all(
        self, resource: Resource, namespace: str, labels: str, known: Iterable[tuple[str, str]]
    ) -> None:
        """Deletes all objects that match the label selector. `known`: names and UIDs of those that the cache has."""
        await self._client.delete_all(resource, namespace, labels)
        for name, uid in known:
            self._cache.mark_deleting(resource.kind, namespace, name, uid, to_seconds_text(self._clock()))
