"""Cron jobs as a kind of root object for the controller machine."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from daskjob.api.cron_job import CronReason
from daskjob.api.resource import DASK_CRON_JOBS, DASK_JOBS
from daskjob.controller.cache import Key
from daskjob.controller.kind import Kind, Look, PassState, Watched
from daskjob.controllers.cron.template_check import template_problem
from daskjob.errors import ApiError, ErrorKind, SpecError
from daskjob.kube.client import Body, KubeClient
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.cron.decide import CronDecision, decide_cron, refused_job, template_blocker
from daskjob.lifecycle.cron.observation import CreateJob, CronAction, CronJob, CronObservation
from daskjob.lifecycle.cron.reading import controlled_by, controller_of, read_child, read_cron
from daskjob.lifecycle.event import Event
from daskjob.lifecycle.job.queueing import RunLimits
from daskjob.lifecycle.job.spec_check import not_served
from daskjob.lifecycle.keeping import keep_cron_job, keep_dask_job
from daskjob.manifests.context import Defaults
from daskjob.manifests.scheduled_job import dask_job
from daskjob.streams.depth import UNREADABLE


def cron_of(body: Body) -> Key | None:
    """The key of the cron job that an object is, or that is its controlling owner; None: there is none."""
    metadata = body["metadata"]
    namespace = metadata.get("namespace", "")
    if body.get("kind") == DASK_CRON_JOBS.kind:
        return namespace, metadata["name"]
    owner = controller_of(body)
    return (namespace, str(owner.get("name"))) if owner is not None else None


@dataclass
class CronMemory:
    """What this process remembers of a cron job besides `PassState`."""

    #: Whether an earlier pass observed it.
    met: bool = False
    #: The generation whose template was checked, and what is wrong with it.
    checked: tuple[int | None, str | None] = (None, None)


class CronKind(Kind[CronJob, CronObservation, CronDecision, CronMemory]):
    """DaskCronJobs, and the DaskJobs that they own."""

    name = "daskcronjob"
    root = DASK_CRON_JOBS
    watched = (Watched(DASK_CRON_JOBS, keep_cron_job), Watched(DASK_JOBS, keep_dask_job))
    owner_of = staticmethod(cron_of)
    required = False
    #: An administrator may set the machine's clock, so a pass at least once a minute compares it with the schedule.
    longest_pause = timedelta(seconds=60)

    def __init__(
        self,
        client: KubeClient,
        clock: Callable[[], datetime],
        defaults: Defaults,
        limits: RunLimits | None = None,
        excluded: Collection[str] = (),
    ) -> None:
        """`defaults`, `limits`: the installation's, for the jobs of templates; `excluded`: namespaces in which cron
        jobs create no jobs."""
        super().__init__(client, clock)
        self._defaults = defaults
        self._limits = limits or RunLimits()
        self._excluded = excluded

    def new_memory(self) -> CronMemory:
        return CronMemory()

    def read(self, body: Body) -> CronJob:
        return read_cron(body, self.clock())

    async def observe(self, look: Look[CronJob, CronMemory]) -> CronObservation:
        cron, memory = look.root, look.state.memory
        objects = [*look.objects, *await self._missing(cron, {each["metadata"]["uid"] for each in look.objects})]
        excluded = not_served(cron.namespace, self._excluded)
        # Where no job is created, nobody need know what is wrong with it.
        problem = await self._template_problem(cron, memory) if excluded is None else None
        # Read the clock after the requests, which may have taken a while.
        now = self.clock()
        jobs = tuple(read_child(each, now) for each in objects if controlled_by(each, cron.uid))
        met, memory.met = memory.met, True
        return CronObservation(now, cron, jobs, look.state.refusal, met, problem, excluded)

    async def _template_problem(self, cron: CronJob, memory: CronMemory) -> str | None:
        """What is wrong with the template, which is read once for each generation. Raises ApiError."""
        if cron.deleting:
            return None
        if memory.checked[0] != cron.generation:
            try:
                whole = await self._whole(cron)
                memory.checked = whole.generation, template_problem(whole, self._defaults, self._limits)
            except SpecError as error:
                memory.checked = cron.generation, str(error)
        return memory.checked[1]

    async def _missing(self, cron: CronJob, known: set[str]) -> list[Body]:
        """Reads active jobs that the cache lacks from the API server, because the watch may be late."""
        found = []
        for active in cron.status.active:
            if active.uid not in known:
                body = await self.client.get(DASK_JOBS, cron.namespace, active.name)
                if body is not None:
                    found.append(self.cache.put_whole(body))
        return found

    def decide(self, key: Key, observation: CronObservation) -> CronDecision:
        return decide_cron(observation)

    async def execute(
        self, action: CronAction, root: CronJob, decision: CronDecision, state: PassState[CronMemory]
    ) -> tuple[Event, ...]:
        if isinstance(action, CreateJob):
            body = dask_job(await self._whole(root), action)
            await self.objects.create_or_find(DASK_JOBS, body, lambda found: controlled_by(found, root.uid))
            return ()
        job = action.job
        version = job.version if action.ended else None
        if await self.objects.delete(DASK_JOBS, root.namespace, job.name, job.uid, version):
            return (Event(CronReason.SUCCESSFUL_DELETE, f"deleted job {job.name}: {action.why}"),)
        return ()

    async def _whole(self, cron: CronJob) -> CronJob:
        """The cron job with its template, which the cache does not have. Raises ApiError, of kind CONFLICT if it is
        another one by now; SpecError if its template cannot be read."""
        body = await self.client.get(DASK_CRON_JOBS, cron.namespace, cron.name)
        if body is None or body["metadata"]["uid"] != cron.uid:
            raise ApiError(ErrorKind.CONFLICT, 409, f"DaskCronJob {cron.name} was deleted meanwhile")
        if UNREADABLE in body:
            raise SpecError("spec.jobTemplate", f"{body[UNREADABLE]}; put such data into a file or a ConfigMap")
        return read_cron(body, self.clock())

    def blocker_of(self, error: ApiError | SpecError) -> Blocker | None:
        return template_blocker(error)

    def refused(self, root: CronJob, action: CronAction, blocker: Blocker) -> tuple[Event, ...]:
        return (refused_job(action.name, blocker),) if isinstance(action, CreateJob) else ()
