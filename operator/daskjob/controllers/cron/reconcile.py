"""Cron jobs: one pass over one of them, and where their objects are kept."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from daskjob.api import constants as c
from daskjob.api.codec import from_dict, to_dict
from daskjob.api.constants import ConditionType, Reason
from daskjob.api.cron_job import CronReason, DaskCronJobSpec, DaskCronJobStatus
from daskjob.api.status import DaskJobStatus
from daskjob.api.times import from_text, to_seconds_text
from daskjob.controller.cache import Cache, Key
from daskjob.controller.events import event_on
from daskjob.controller.work_queue import WorkQueue
from daskjob.controllers.job.execute import NameConflictError
from daskjob.kube.api_error import ApiError, ErrorKind
from daskjob.kube.client import Body, KubeClient
from daskjob.kube.resources import DASK_CRON_JOBS, DASK_JOBS, EVENTS
from daskjob.lifecycle.blocker import Blocker, read_refusal
from daskjob.lifecycle.cron.decide import CronDecision, decide_cron
from daskjob.lifecycle.cron.observation import Child, CreateJob, CronAction, CronJob, CronObservation, DeleteJob
from daskjob.lifecycle.event import Event
from daskjob.manifests.scheduled_job import dask_job

logger = logging.getLogger(__name__)

#: Seconds after which to look at the clock anew, at the latest: it may have been set.
LONGEST = 60.0


def cron_of(body: Body) -> Key | None:
    """The cron job that an object is, or that is its controller; None if there is none."""
    metadata = body["metadata"]
    namespace = metadata.get("namespace", "")
    if body.get("kind") == DASK_CRON_JOBS.kind:
        return namespace, metadata["name"]
    owner = _controller(body)
    return (namespace, str(owner.get("name"))) if owner is not None else None


def cron_cache() -> Cache:
    """Cron jobs and the jobs that they made."""
    return Cache(DASK_CRON_JOBS, cron_of)


async def crons_served(client: KubeClient, namespaces: Collection[str]) -> bool:
    """Whether the API server knows the kind. Where it does not, jobs go on without: an upgrade must not end them."""
    try:
        await client.list(DASK_CRON_JOBS, next(iter(namespaces), None))
    except ApiError as error:
        if error.kind is ErrorKind.NOT_FOUND:
            logger.error("cron jobs are not looked after: apply crds/daskcronjobs.yaml, then restart the operator")
            return False
        logger.warning("cannot tell whether there are cron jobs: %s", error)
    return True


async def resync_crons(
    client: KubeClient, jobs: Cache, crons: Cache, queue: WorkQueue, namespaces: Collection[str]
) -> None:
    """Lists all cron jobs, takes over from `jobs`, just listed, what they made, and has each looked at."""
    for namespace in namespaces or (None,):
        known = crons.uids(DASK_CRON_JOBS.kind, namespace)
        crons.replace(DASK_CRON_JOBS.kind, await client.list(DASK_CRON_JOBS, namespace), known)
    crons.replace(DASK_JOBS.kind, [body for _, body in jobs.job_bodies()], crons.uids(DASK_JOBS.kind, None))
    for key in crons.jobs():
        queue.add(key)


def read_cron(body: Body, now: datetime) -> CronJob:
    """A DaskCronJob as the API server has it."""
    metadata = body["metadata"]
    return CronJob(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation") or 0,
        created=from_text(metadata.get("creationTimestamp")) or now,
        deleting=bool(metadata.get("deletionTimestamp")),
        spec=from_dict(DaskCronJobSpec, body.get("spec")),
        status=from_dict(DaskCronJobStatus, body.get("status")),
        run_now=(metadata.get("annotations") or {}).get(c.RUN_NOW_ANNOTATION) or None,
    )


def read_child(body: Body, now: datetime) -> Child:
    metadata = body["metadata"]
    status = from_dict(DaskJobStatus, body.get("status"))
    ends = (ConditionType.COMPLETE, ConditionType.FAILED)
    return Child(
        name=metadata["name"],
        uid=metadata["uid"],
        version=metadata.get("resourceVersion", ""),
        created=from_text(metadata.get("creationTimestamp")) or now,
        scheduled_at=from_text((metadata.get("annotations") or {}).get(c.SCHEDULED_AT_ANNOTATION)),
        ended=next((each for each in ends if status.is_true(each)), None),
        ended_at=from_text(status.completion_time),
        deleting=bool(metadata.get("deletionTimestamp")),
    )


@dataclass
class Memory:
    """What this process remembers of a cron job; losing it costs nothing that matters."""

    uid: str
    refusal: Blocker | None = None
    #: Events that have been told: they are true for as long as their reason lasts, and told once.
    told: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=100))


class CronReconciler:
    """Brings one cron job after another to where its decision says."""

    def __init__(self, client: KubeClient, cache: Cache, clock: Callable[[], datetime]) -> None:
        """`cache`: see `cron_cache`."""
        self._client = client
        self._cache = cache
        self._clock = clock
        self._memories: dict[Key, Memory] = {}

    async def reconcile(self, key: Key) -> float | None:
        """One pass. Returns in how many seconds to look again even if nothing happens (None: no need).

        Raises ApiError if the status could not be written, or an action not be carried out.
        """
        body = self._cache.job(key)
        if body is None:
            self._memories.pop(key, None)
            return None
        cron = read_cron(body, self._clock())
        memory = self._memories.get(key)
        seen = memory is not None and memory.uid == cron.uid
        if memory is None or not seen:
            memory = self._memories[key] = Memory(cron.uid)
        await self._find_missing(key, cron)
        now = self._clock()
        jobs = tuple(read_child(each, now) for each in self._cache.owned(key) if _is_child(each, cron.uid))
        decision = decide_cron(CronObservation(now, cron, jobs, memory.refusal, seen))
        if decision.status != cron.status:
            await self._record(body, decision)
        for event in decision.events:
            await self._tell(cron, memory, event)
        requeue_after = (
            min(decision.requeue_after.total_seconds(), LONGEST) if decision.requeue_after is not None else None
        )
        if any(isinstance(each, CreateJob) for each in decision.actions):
            requeue_after = 0.0
        elif memory.refusal is not None:
            # What could not be made is no longer asked for.
            memory.refusal, requeue_after = None, 0.0
        for action in decision.actions:
            await self._perform(action, cron, memory)
        return requeue_after

    async def _find_missing(self, key: Key, cron: CronJob) -> None:
        """Asks the API server for active jobs that the watch does not tell of: it may be late."""
        there = {each["metadata"]["uid"] for each in self._cache.owned(key)}
        for active in cron.status.active:
            if active.uid not in there:
                found = await self._client.get(DASK_JOBS, cron.namespace, active.name)
                if found is not None:
                    self._cache.put({**found, "kind": DASK_JOBS.kind})

    async def _record(self, body: Body, decision: CronDecision) -> None:
        metadata = {key: body["metadata"][key] for key in ("namespace", "name", "uid", "resourceVersion")}
        written = await self._client.apply_status(
            DASK_CRON_JOBS,
            {
                "apiVersion": DASK_CRON_JOBS.api_version,
                "kind": DASK_CRON_JOBS.kind,
                "metadata": metadata,
                "status": to_dict(decision.status),
            },
        )
        self._cache.put({**written, "kind": DASK_CRON_JOBS.kind})

    async def _tell(self, cron: CronJob, memory: Memory, event: Event) -> None:
        if (event.reason, event.message) in memory.told:
            return
        memory.told.append((event.reason, event.message))
        logger.log(
            logging.WARNING if event.warning else logging.INFO, "%s/%s: %s", cron.namespace, cron.name, event.message
        )
        told = f"{cron.uid}/{event.reason}/{event.message}"
        involved = {
            "apiVersion": c.API_VERSION,
            "kind": DASK_CRON_JOBS.kind,
            "namespace": cron.namespace,
            "name": cron.name,
            "uid": cron.uid,
        }
        try:
            await self._client.create(EVENTS, event_on(involved, told, event, self._clock()))
        except ApiError as error:
            # Events are a courtesy; the status has what matters.
            logger.debug("event not posted for %s/%s: %s", cron.namespace, cron.name, error)

    async def _perform(self, action: CronAction, cron: CronJob, memory: Memory) -> None:
        if isinstance(action, DeleteJob):
            await self._delete(action, cron, memory)
            return
        try:
            await self._create(dask_job(cron, action), cron)
        except ApiError as error:
            problem = _refusal(error)
            if problem is None:
                raise
            words = f"job {action.name} could not be made: {problem.message}"
            await self._tell(cron, memory, Event(CronReason.FAILED_CREATE, words[:1000], warning=True))
            if memory.refusal is None or memory.refusal.reason != problem.reason:
                memory.refusal = problem
                # The next pass, at once, tells it in the status, and tries again.
                return
            # The first words stay: a quota's counts differ with every try, and each write would bring on the next.
            raise
        memory.refusal = None

    async def _create(self, job: Body, cron: CronJob) -> None:
        name = job["metadata"]["name"]
        try:
            found = await self._client.create(DASK_JOBS, job)
        except ApiError as error:
            if error.kind is not ErrorKind.EXISTS:
                raise
            known = await self._client.get(DASK_JOBS, cron.namespace, name)
            if known is None:
                raise ApiError(ErrorKind.CONFLICT, 409, f"DaskJob {name} was deleted meanwhile") from error
            found = {**known, "kind": DASK_JOBS.kind}
            if not _is_child(found, cron.uid):
                raise NameConflictError(DASK_JOBS.kind, name) from error
        self._cache.put({**found, "kind": DASK_JOBS.kind})

    async def _delete(self, action: DeleteJob, cron: CronJob, memory: Memory) -> None:
        job = action.job
        place = (cron.namespace, job.name)
        version = job.version if action.ended else None
        if await self._client.delete(DASK_JOBS, *place, job.uid, version):
            self._cache.mark_deleting(DASK_JOBS.kind, *place, job.uid, to_seconds_text(self._clock()))
            words = f"deleted job {job.name}: {action.why}"
            await self._tell(cron, memory, Event(CronReason.SUCCESSFUL_DELETE, words))
            return
        found = await self._client.get(DASK_JOBS, *place)
        if found is None or found["metadata"]["uid"] != job.uid:
            self._cache.forget(DASK_JOBS.kind, *place, job.uid)
        else:
            self._cache.put({**found, "kind": DASK_JOBS.kind})


def _controller(body: Body) -> Body | None:
    owners: list[Body] = body["metadata"].get("ownerReferences") or []
    kinds = (each for each in owners if each.get("controller") and each.get("kind") == DASK_CRON_JOBS.kind)
    return next((each for each in kinds if each.get("apiVersion", "").startswith(f"{c.GROUP}/")), None)


def _is_child(body: Body, uid: str) -> bool:
    owner = _controller(body)
    return owner is not None and owner.get("uid") == uid


def _refusal(error: ApiError) -> Blocker | None:
    """What a user should know of a job that was refused; None for what passes by itself."""
    if error.kind is ErrorKind.FORBIDDEN:
        return read_refusal(error.message)
    if error.kind is ErrorKind.INVALID:
        if error.status == 409:
            return Blocker(Reason.NAME_CONFLICT, error.message)
        return Blocker(Reason.INVALID_SPEC, f"spec.jobTemplate: {error.message}", permanent=True)
    return None
