"""DaskJobs and DaskCronJobs of a cluster: read, created, changed, waited for."""

from __future__ import annotations

import copy
import difflib
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from daskjob.api import constants as c
from daskjob.api.generated_names import generated_name
from daskjob.api.resource import DASK_CRON_JOBS, DASK_JOBS, EVENTS, PODS, Resource
from daskjob.client.credentials import Target
from daskjob.client.job_end import End, end_of, status_of
from daskjob.client.problems import (
    AlreadyExists,
    ClientError,
    InvalidJob,
    JobDeleted,
    JobNotFound,
    NotFound,
    Unavailable,
    WrongState,
)
from daskjob.client.transport import ONLY_METADATA, Body, Transport
from daskjob.client.watching import Change, Selection, Watch, list_all

DryRun = Literal["client", "server"]
#: What the client writes on a job that it creates, so that it knows it again if the answer was lost.
SUBMISSION_ANNOTATION = f"{c.GROUP}/submission"
#: How often a creation is tried whose answer was lost.
CREATIONS = 3


class JobClient:
    """The jobs of one cluster. `namespace` of each method: None is that of the target; `uid`: of which job the name is
    meant, and JobDeleted is raised if that is gone; None: of any. Threads may share it.

    Each method raises ClientError; see `daskjob.client.problems`.
    """

    def __init__(self, target: Target | None = None) -> None:
        self.transport = Transport(target or Target())
        self._dry_run: DryRun | None = None

    def dry(self, run: DryRun | None) -> JobClient:
        """A client of the same connection that changes nothing. `server`: the API server gets and checks each change,
        and does not carry it out; `client`: it gets none, and what would be changed is read; None: it does change."""
        found = copy.copy(self)
        found._dry_run = run
        return found

    @property
    def namespace(self) -> str:
        """The namespace to be used if none is given."""
        return self.transport.namespace

    def get(self, name: str, namespace: str | None = None, endpoint: Resource = DASK_JOBS) -> Body:
        """The object. Raises JobNotFound, with names that are similar."""
        namespace = namespace or self.namespace
        try:
            return self.transport.request("get", endpoint, namespace, name)
        except NotFound as error:
            if error.kind != endpoint.kind:
                raise
        raise JobNotFound(endpoint.kind, name, namespace, self._close_names(name, namespace, endpoint))

    def list_objects(
        self,
        namespace: str | None = None,
        *,
        all_namespaces: bool = False,
        labels: str | None = None,
        endpoint: Resource = DASK_JOBS,
    ) -> list[Body]:
        """The objects, by namespace and name."""
        where = None if all_namespaces else namespace or self.namespace
        found, _ = list_all(self.transport, Selection(endpoint, where, labels=labels))
        return sorted(found, key=lambda each: (each["metadata"].get("namespace", ""), each["metadata"]["name"]))

    def names(self, namespace: str | None = None, endpoint: Resource = DASK_JOBS, timeout: float = 1.0) -> list[str]:
        """The names alone: little to send. `timeout`: seconds for the answer."""
        answer = self.transport.request(
            "list",
            endpoint,
            namespace or self.namespace,
            query={"limit": "500"},
            accept=ONLY_METADATA,
            timeout=timeout,
        )
        return sorted(str(each["metadata"]["name"]) for each in answer.get("items") or ())

    def create(self, manifest: Mapping[str, Any]) -> Body:
        """Creates a DaskJob or DaskCronJob, once, and returns it as created; a field that the API server does not know
        is a mistake. A name for `generateName` is chosen here.

        Raises AlreadyExists, InvalidJob.
        """
        if self._dry_run == "client":
            return dict(manifest)
        endpoint = {each.kind: each for each in (DASK_JOBS, DASK_CRON_JOBS)}[manifest["kind"]]
        metadata = dict(manifest["metadata"])
        namespace = str(metadata.get("namespace") or self.namespace)
        chosen = "" if metadata.get("name") else str(metadata.pop("generateName"))
        submission = secrets.token_hex(8)
        annotations = {**(metadata.get("annotations") or {}), SUBMISSION_ANNOTATION: submission}
        query = {"fieldValidation": "Strict", "dryRun": "All" if self._dry_run else None}
        unknown_end = False
        for number in range(CREATIONS):
            if chosen:
                metadata["name"] = generated_name(chosen)
            body = {**manifest, "metadata": {**metadata, "namespace": namespace, "annotations": annotations}}
            try:
                return self.transport.request("create", endpoint, namespace, query=query, body=body)
            except AlreadyExists:
                # Perhaps by the try before, whose answer was lost.
                own = self._submitted(endpoint, namespace, metadata["name"], submission) if unknown_end else None
                if own is not None:
                    return own
                if not chosen or number == CREATIONS - 1:
                    raise
            except Unavailable:
                if number == CREATIONS - 1:
                    raise
                # Whether it was created is unknown: the same name again tells.
                unknown_end, chosen = True, ""
                time.sleep(0.5 * (number + 1))
        raise AssertionError("unreachable")

    def patch(
        self, name: str, changes: Mapping[str, Any], namespace: str | None = None, endpoint: Resource = DASK_JOBS
    ) -> Body:
        """Changes fields by a merge patch, and returns the object as it is then. With `metadata.uid`, only the job that
        has it: raises JobDeleted if that is gone."""
        namespace = namespace or self.namespace
        if self._dry_run == "client":
            return self.get(name, namespace, endpoint)
        query = {"dryRun": "All" if self._dry_run else None}
        try:
            return self.transport.request("patch", endpoint, namespace, name, query=query, body=dict(changes))
        except InvalidJob as error:
            if any(each.startswith("metadata.uid: ") for each in error.problems):
                raise JobDeleted(name, replaced=True) from None
            raise
        except NotFound:
            if "uid" in changes.get("metadata", ()):
                raise JobDeleted(name) from None
            raise JobNotFound(endpoint.kind, name, namespace, self._close_names(name, namespace, endpoint)) from None

    def delete(self, name: str, namespace: str | None = None, *, uid: str | None = None) -> str:
        """Deletes a job, with all that it consists of, and returns its UID. With `uid`, only the job that has it:
        raises JobDeleted if that is gone."""
        namespace = namespace or self.namespace
        if self._dry_run == "client":
            return str(self._job(name, namespace, uid)["metadata"]["uid"])
        body: Body = {"propagationPolicy": "Background"}
        if self._dry_run:
            body["dryRun"] = ["All"]
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        try:
            answer = self.transport.request("delete", DASK_JOBS, namespace, name, body=body)
        except NotFound:
            if uid is not None:
                raise JobDeleted(name) from None
            raise JobNotFound(DASK_JOBS.kind, name, namespace, self._close_names(name, namespace, DASK_JOBS)) from None
        details = answer.get("details") or answer.get("metadata") or {}
        return str(details.get("uid") or "")

    def _job(self, name: str, namespace: str | None, uid: str | None) -> Body:
        """The job. With `uid`, only that one: raises JobDeleted if it is gone."""
        try:
            job = self.get(name, namespace)
        except JobNotFound:
            if uid is None:
                raise
            raise JobDeleted(name) from None
        if uid is not None and job["metadata"]["uid"] != uid:
            raise JobDeleted(name, replaced=True)
        return job

    def cancel(self, name: str, namespace: str | None = None, *, uid: str | None = None) -> Body:
        """Asks for the job's end, with reason Cancelled. Raises WrongState if it has ended otherwise."""
        job = self._job(name, namespace, uid)
        end = end_of(job)
        if end in (End.SUCCEEDED, End.FAILED):
            raise WrongState(f"{name} has {end.value} already: there is nothing to cancel")
        if end is End.CANCELLED:
            return job
        return self.patch(name, {"metadata": _same(job), "spec": {"cancel": True}}, namespace)

    def retry(self, name: str, namespace: str | None = None, *, uid: str | None = None) -> Body:
        """Asks for another run of a job that has ended. Raises WrongState while it runs."""
        job = self._job(name, namespace, uid)
        if end_of(job) is None:
            raise WrongState(f"{name} has not ended: cancel it first (daskjob cancel {name}), or wait for its end")
        text = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}-{secrets.token_hex(3)}"
        metadata = {**_same(job), "annotations": {c.RERUN_ANNOTATION: text}}
        spec = {key: False for key in ("cancel", "suspend") if (job.get("spec") or {}).get(key)}
        return self.patch(name, {"metadata": metadata, **({"spec": spec} if spec else {})}, namespace)

    def suspend(self, name: str, namespace: str | None = None, *, on: bool = True, uid: str | None = None) -> Body:
        """Suspends a job, or with `on` false lets it go on. Raises WrongState if it has ended."""
        job = self._job(name, namespace, uid)
        end = end_of(job)
        if end is not None:
            raise WrongState(f"{name} has {_had(end)} already; another run: daskjob retry {name}")
        return self.patch(name, {"metadata": _same(job), "spec": {"suspend": on}}, namespace)

    def events(self, job: Body) -> list[Body]:
        """The Events about a job and its pods, the oldest first."""
        metadata = job["metadata"]
        found, _ = list_all(self.transport, Selection(EVENTS, metadata["namespace"]))
        pods = {pod["metadata"]["name"] for pod in self.pods(job)}
        prefixes = [str(each["name"]) for each in status_of(job).get("attempts") or () if each.get("name")]

        def concerns(event: Body) -> bool:
            about = event.get("involvedObject") or {}
            if about.get("uid") == metadata["uid"]:
                return True
            name = str(about.get("name") or "")
            return name in pods or any(map(name.startswith, prefixes))

        return sorted(filter(concerns, found), key=event_time)

    def pods(self, job: Body, component: str | None = None) -> list[Body]:
        """The pods of all attempts of a job."""
        found, _ = list_all(self.transport, pods_of(job))
        return [each for each in found if component is None or component_of(each) == component]

    def watch(self, selection: Selection, **options: Any) -> Watch:
        """See `Watch`."""
        return Watch(self.transport, selection, **options)

    def wait(
        self,
        names: Sequence[str],
        namespace: str | None = None,
        *,
        timeout: float | None = None,
        uids: Mapping[str, str] | None = None,
        on_change: Callable[[Body], None] = lambda job: None,
        note: Callable[[str], None] = lambda text: None,
    ) -> dict[str, tuple[End, Body]]:
        """Waits until each of the jobs has ended, well or not, by one watch; how each ended, and how it was then.

        `timeout`: seconds; `uids`: which jobs these are, by their names, if that is known; `on_change` is called with
        a job whenever it has changed. Raises TimeoutError, and JobNotFound if one of them does not exist to begin with.
        """
        namespace = namespace or self.namespace
        deadline = None if timeout is None else time.monotonic() + timeout
        only = names[0] if len(set(names)) == 1 else None
        watch = self.watch(Selection(DASK_JOBS, namespace, only), deadline=deadline, note=note, reached=bool(uids))
        waiting = _Waiting(names, uids or {})
        first = True
        for batch in watch.batches():
            for change in batch:
                if waiting.takes(change):
                    on_change(change.object)
            if first:
                missing = waiting.missing()
                if missing:
                    close = self._close_names(missing, namespace, DASK_JOBS)
                    raise JobNotFound(DASK_JOBS.kind, missing, namespace, close)
                first = False
            if not waiting.names:
                return waiting.ends
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{', '.join(waiting.names)} did not end within {timeout:g} s")
        raise AssertionError("unreachable")

    def wait_gone(self, name: str, uid: str, namespace: str | None = None, timeout: float | None = None) -> None:
        """Waits until the job of that UID is gone. Raises TimeoutError; `timeout`: seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        exists = False
        watch = self.watch(Selection(DASK_JOBS, namespace or self.namespace, name), deadline=deadline, reached=True)
        for number, batch in enumerate(watch.batches()):
            for change in batch:
                if change.object["metadata"]["uid"] == uid:
                    exists = change.type != "DELETED"
            if not exists and (batch or number == 0):
                return
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{name} is not gone after {timeout:g} s")

    def _submitted(self, endpoint: Resource, namespace: str, name: str, submission: str) -> Body | None:
        found = self.transport.request("get", endpoint, namespace, name)
        known = (found["metadata"].get("annotations") or {}).get(SUBMISSION_ANNOTATION)
        return found if known == submission else None

    def _close_names(self, name: str, namespace: str, endpoint: Resource) -> list[str]:
        try:
            return difflib.get_close_matches(name, self.names(namespace, endpoint, timeout=5.0))
        except ClientError:
            return []


class _Waiting:
    """Jobs whose ends are waited for: `names` of those that have not ended, `ends` of the others."""

    def __init__(self, names: Iterable[str], uids: Mapping[str, str]) -> None:
        self.names = list(dict.fromkeys(names))
        self.ends: dict[str, tuple[End, Body]] = {}
        self._uids = dict(uids)
        self._existing: set[str] = set()

    def missing(self) -> str | None:
        """After the first batch: a job that does not exist and whose UID was not given; those whose UID was given are
        deleted by now."""
        for name in [each for each in self.names if each not in self._existing]:
            if name not in self._uids:
                return name
            self._ends(name, End.DELETED, {"metadata": {"name": name, "uid": self._uids[name]}})
        return None

    def takes(self, change: Change) -> bool:
        """Takes a change; False if it is of no job that is waited for."""
        job = change.object
        name, uid = str(job["metadata"]["name"]), str(job["metadata"]["uid"])
        if name not in self.names:
            return False
        self._existing.add(name)
        known = self._uids.setdefault(name, uid)
        end = end_of(job)
        if known != uid or (end is None and change.type == "DELETED"):
            # If the UID is another one, ours was deleted, and this is another job of its name.
            end = End.DELETED
        if end is not None:
            self._ends(name, end, job)
        return True

    def _ends(self, name: str, end: End, job: Body) -> None:
        self.names.remove(name)
        self.ends[name] = (end, job)


def component_of(pod: Body) -> str:
    """runner, scheduler or worker."""
    labels = pod["metadata"].get("labels") or {}
    return str(labels.get(c.COMPONENT_LABEL) or labels.get(c.DASK_COMPONENT_LABEL) or "")


def attempt_of(pod: Body) -> int:
    """The number of the attempt that a pod belongs to; 0 if it does not say."""
    number = str((pod["metadata"].get("labels") or {}).get(c.ATTEMPT_LABEL) or "")
    return int(number) if number.isdigit() else 0


def pods_of(job: Body) -> Selection:
    """All pods of a job."""
    metadata = job["metadata"]
    return Selection(PODS, metadata["namespace"], labels=f"{c.JOB_UID_LABEL}={metadata['uid']}")


def event_time(event: Body) -> str:
    """When an Event was last observed."""
    series = event.get("series") or {}
    for each in (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime")):
        if each:
            return str(each)
    return str(event["metadata"].get("creationTimestamp") or "")


def _same(job: Body) -> Body:
    """For a patch: it is refused if another job has the name by now."""
    return {"uid": job["metadata"]["uid"]}


def _had(end: End) -> str:
    return "been cancelled" if end is End.CANCELLED else end.value
