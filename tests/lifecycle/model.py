"""A small model of the API server: objects with UIDs and resource versions, watches that lag, and what it refuses.

Bodies are values: every write makes a new one, none is ever changed.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from daskjob.api.resource import DASK_CRON_JOBS, DASK_JOBS, REPORTS, Resource
from daskjob.api.times import from_text, to_seconds_text
from daskjob.controllers.job.watched import BY_KIND
from daskjob.errors import ApiError, ErrorKind
from daskjob.kube.client import Body
from daskjob.kube.refusal import classify

NAMESPACE = "team"
#: What a pod that is deleted has, to end by itself.
GRACE = timedelta(seconds=10)
CRDS = Path(__file__).resolve().parents[2] / "crds"
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

formats = jsonschema.FormatChecker(formats=())
formats.checks("date-time")(lambda value: not isinstance(value, str) or bool(RFC_3339.fullmatch(value)))


def validator_of(file: str) -> jsonschema.Draft202012Validator:
    """Of the status that a CustomResourceDefinition describes."""
    definition = yaml.safe_load((CRDS / file).read_text())
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    return jsonschema.Draft202012Validator(schema, format_checker=formats)


STATUS = {
    DASK_JOBS.kind: validator_of("daskjobs.yaml"),
    DASK_CRON_JOBS.kind: validator_of("daskcronjobs.yaml"),
    REPORTS.kind: validator_of("daskjobreports.yaml"),
}


class Crash(BaseException):
    """The operator's process ends here."""


class Rejected(Exception):
    """A write that the model's API server does not take (for the actors beside the operator)."""


class Watch:
    """The events of each kind that one watcher has not been told yet, in order."""

    def __init__(self) -> None:
        self.events: dict[str, deque[tuple[str, Body]]] = {kind: deque() for kind in BY_KIND}

    def add(self, kind: str, event: str, body: Body) -> None:
        if kind in self.events:
            self.events[kind].append((event, body))

    def clear(self) -> None:
        for events in self.events.values():
            events.clear()


class Server:
    """All objects, by kind and name: no two namespaces have the same names."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Body] = {}
        self.version = 100
        self.made = 0
        self.watches: list[Watch] = []
        #: Called before each write of the operator with (verb, kind, body before, body after).
        self.judges: list[Callable[[str, str, Body | None, Body | None], None]] = []

    def find(self, kind: str, name: str) -> Body | None:
        return self.objects.get((kind, name))

    def all(self, kind: str) -> list[Body]:
        return [body for (each, _), body in sorted(self.objects.items()) if each == kind]

    def uids(self) -> set[str]:
        return {body["metadata"]["uid"] for body in self.objects.values()}

    def create(self, kind: str, body: Body, now: str, of: str = "") -> Body:
        """`of`: who creates it, if it matters."""
        name = body["metadata"]["name"]
        if (kind, name) in self.objects:
            raise Rejected(f"{kind} {name!r} already exists")
        self.made += 1
        metadata = {
            "namespace": NAMESPACE,
            **_copy(body["metadata"]),
            "uid": f"{self.made * 0x9E3779B1 % 2**32:08x}-0000-4000-8000-{kind.lower()}{of}",
            "creationTimestamp": now,
            "generation": 1,
        }
        body = {**_copy(body), "kind": kind, "metadata": metadata}
        if kind == DASK_JOBS.kind:
            body["status"] = {"observedGeneration": -1}
        return self._put(kind, body, "ADDED")

    def update(self, kind: str, name: str, **parts: Any) -> Body:
        """With these parts (`spec`, `status`, `metadata`) replaced."""
        body = {**self.objects[kind, name], **_copy(parts)}
        if body.get("spec") != self.objects[kind, name].get("spec"):
            metadata = body["metadata"]
            body["metadata"] = {**metadata, "generation": metadata["generation"] + 1}
        return self._put(kind, body, "MODIFIED")

    def remove(self, kind: str, name: str) -> None:
        body = self.objects.pop((kind, name))
        self.version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self.version)}
        for watch in self.watches:
            watch.add(kind, "DELETED", {**body, "metadata": metadata})

    def delete(self, kind: str, name: str, now: str) -> None:
        """As a DELETE does: a pod that ran is marked and ends in its own time, what has a finalizer is marked, all
        else is gone."""
        body = self.objects[kind, name]
        ran = kind == "Pod" and body.get("status", {}).get("containerStatuses")
        if not ran and not body["metadata"].get("finalizers"):
            self.remove(kind, name)
        elif "deletionTimestamp" not in body["metadata"]:
            began = from_text(now)
            assert began is not None
            deletion_deadline = to_seconds_text(began + GRACE if ran else began)
            self.update(kind, name, metadata={**body["metadata"], "deletionTimestamp": deletion_deadline})

    def orphans(self) -> Iterator[tuple[str, str]]:
        """What the garbage collector has to delete: objects whose owners are all gone."""
        uids = self.uids()
        for (kind, name), body in sorted(self.objects.items()):
            owners = body["metadata"].get("ownerReferences")
            if owners and not any(each["uid"] in uids for each in owners):
                yield kind, name

    def check_status(self, kind: str, status: Body) -> None:
        error = jsonschema.exceptions.best_match(STATUS[kind].iter_errors(status))
        if error is not None:
            raise Rejected(f"{kind} status{error.json_path[1:]}: {error.message[:300]}")

    def _put(self, kind: str, body: Body, event: str) -> Body:
        self.version += 1
        body = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        self.objects[kind, body["metadata"]["name"]] = body
        for watch in self.watches:
            watch.add(kind, event, body)
        return body


class ModelClient:
    """`KubeClient` on a model: the same methods. `plan` says what befalls the next requests.

    `ok`; `transient` and `timeout` (an answer that never comes: nothing was done, or all); `conflict`; `forbidden`
    (for quota); `refused` (a status that is too large); `crash` (all is done, and the operator knows nothing of it).
    Any other is the name of something in `meanwhile`, which happens while the request is on its way.
    """

    def __init__(self, server: Server, now: Callable[[], str]) -> None:
        self.server = server
        self.now = now
        self.plan: deque[str] = deque()
        self.meanwhile: dict[str, Callable[[], Awaitable[None]]] = {}
        #: Whether something happened since the operator decided on this request.
        self.disturbed = False
        self.crashed = False
        self.writes = 0
        #: What the quota does not leave room for.
        self.full: set[str] = set()

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Body | None:
        await self._meet(reading=True)
        return self.server.find(resource.kind, name)

    async def list(
        self,
        resource: Resource,
        namespace: str | None,
        labels: str | None = None,
        fields: str | None = None,
        keep: Callable[[Body], Body] = dict,
    ) -> list[Body]:
        # One list of events may answer several passes: a pass in the midst of it would wait for itself.
        if resource.kind == "Event" and self.plan and self.plan[0] == "aside":
            self.plan[0] = "ok"
        await self._meet(reading=True)
        return [keep(body) for body in self._matching(resource, labels)]

    async def create(self, resource: Resource, body: Body) -> Body:
        name = body["metadata"]["name"]
        fate = await self._meet()
        if resource.kind in self.full or fate == "forbidden":
            self._quota(resource, name)
        if self.server.find(resource.kind, name) is not None:
            raise ApiError(ErrorKind.EXISTS, 409, f"{resource.plural} {name!r} already exists")
        self._judge("create", resource.kind, None, body)
        return self._answer(fate, self.server.create(resource.kind, body, self.now()))

    async def apply_status(self, resource: Resource, body: Body) -> Body:
        fate = await self._meet()
        metadata = body["metadata"]
        before = self.server.find(resource.kind, metadata["name"])
        if before is None:
            raise ApiError(ErrorKind.NOT_FOUND, 404, "not found")
        same = all(before["metadata"][key] == metadata.get(key) for key in ("uid", "resourceVersion"))
        if not same or fate == "conflict":
            raise ApiError(ErrorKind.CONFLICT, 409, "the object has been modified")
        if fate == "refused":
            raise classify(500, "etcdserver: request is too large")
        try:
            self.server.check_status(resource.kind, body["status"])
        except Rejected as error:
            raise ApiError(ErrorKind.INVALID, 422, str(error)) from error
        self._judge("status", resource.kind, before, body)
        return self._answer(fate, self.server.update(resource.kind, metadata["name"], status=body["status"]))

    async def patch(self, resource: Resource, namespace: str, name: str, body: Body) -> Body:
        fate = await self._meet()
        before = self.server.find(resource.kind, name)
        if before is None:
            raise ApiError(ErrorKind.NOT_FOUND, 404, "not found")
        sent = body.get("metadata", {})
        other = any(
            sent.get(key, before["metadata"][key]) != before["metadata"][key] for key in ("uid", "resourceVersion")
        )
        if fate == "conflict" or other:
            raise ApiError(ErrorKind.CONFLICT, 409, "the object has been modified")
        self._judge("patch", resource.kind, before, body)
        parts = {part: _merge(before.get(part, {}), change) for part, change in body.items()}
        after = self.server.update(resource.kind, name, **parts)
        if "deletionTimestamp" in after["metadata"] and after["metadata"].get("finalizers") == []:
            self.server.remove(resource.kind, name)
        return self._answer(fate, after)

    async def patch_owned(
        self, resource: Resource, namespace: str, name: str, owner: str, changes: Mapping[str, Any]
    ) -> bool:
        fate = await self._meet()
        before = self.server.find(resource.kind, name)
        if before is None:
            raise ApiError(ErrorKind.NOT_FOUND, 404, "not found")
        if before["metadata"]["ownerReferences"][0]["uid"] != owner:
            return False
        spec = {path.removeprefix("/spec/"): value for path, value in changes.items()}
        self._judge("patch", resource.kind, before, {"spec": spec})
        self._answer(fate, self.server.update(resource.kind, name, spec={**before["spec"], **spec}))
        return True

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str, version: str | None = None) -> bool:
        fate = await self._meet()
        before = self.server.find(resource.kind, name)
        if before is None or before["metadata"]["uid"] != uid:
            return False
        if version is not None and before["metadata"]["resourceVersion"] != version:
            return False
        self._judge("delete", resource.kind, before, None)
        self.server.delete(resource.kind, name, self.now())
        self._answer(fate, {})
        return True

    async def delete_all(self, resource: Resource, namespace: str, labels: str) -> None:
        fate = await self._meet()
        for before in self._matching(resource, labels):
            self._judge("delete", resource.kind, before, None)
            self.server.delete(resource.kind, before["metadata"]["name"], self.now())
        self._answer(fate, {})

    def _matching(self, resource: Resource, labels: str | None) -> list[Body]:
        wanted = dict(each.split("=", 1) for each in labels.split(",")) if labels else {}
        return [
            body
            for body in self.server.all(resource.kind)
            if wanted.items() <= body["metadata"].get("labels", {}).items()
        ]

    async def _meet(self, reading: bool = False) -> str:
        if self.crashed:
            raise Crash
        fate = self.plan.popleft() if self.plan else "ok"
        self.disturbed = fate in self.meanwhile
        if self.disturbed:
            await self.meanwhile[fate]()
            self.disturbed = True
            fate = "ok"
        self.writes += not reading
        if fate == "transient" or (reading and fate == "timeout"):
            raise ApiError(ErrorKind.TRANSIENT, 0, "no answer")
        if reading and fate == "crash":
            self.crashed = True
            raise Crash
        return fate

    def _answer(self, fate: str, body: Body) -> Body:
        if fate == "crash":
            self.crashed = True
            raise Crash
        if fate == "timeout":
            raise ApiError(ErrorKind.TRANSIENT, 0, "no answer in time")
        return body

    def _judge(self, verb: str, kind: str, before: Body | None, after: Body | None) -> None:
        for judge in self.server.judges:
            judge(verb, kind, before, after)

    def _quota(self, resource: Resource, name: str) -> None:
        # The words change with every try, as the real ones do.
        words = f'{resource.plural} "{name}" is forbidden: exceeded quota: q, used: count={self.server.version}'
        raise classify(403, words)


def _copy(body: Any) -> Any:
    """As it comes out of a request."""
    return json.loads(json.dumps(body))


def _merge(base: Any, patch: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(patch, dict):
        return patch
    return {**base, **{key: _merge(base.get(key), value) for key, value in patch.items()}}
