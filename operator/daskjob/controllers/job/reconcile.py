"""One pass over one job: observe, decide, record, perform."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from daskjob.api import constants as c
from daskjob.api.codec import to_dict
from daskjob.api.constants import Reason
from daskjob.api.status import Attempt, DaskJobStatus
from daskjob.controller import metrics
from daskjob.controller.cache import Cache, Key
from daskjob.controller.events import event_body
from daskjob.controllers.job.execute import Executor, Made
from daskjob.controllers.job.observe import belongs, observe, read_job
from daskjob.controllers.job.slots import Slots
from daskjob.errors import SpecError
from daskjob.kube.api_error import ApiError, ErrorKind
from daskjob.kube.client import Body, KubeClient
from daskjob.kube.resources import BY_KIND, BY_REFERENCE, DASK_JOBS, EVENTS, WATCHED
from daskjob.lifecycle.blocker import Blocker, read_refusal
from daskjob.lifecycle.job.deadlines import SILENCE
from daskjob.lifecycle.job.decide import decide
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.observation import Job, Observation
from daskjob.lifecycle.job.orphans import decide_orphans
from daskjob.lifecycle.job.queueing import Limits
from daskjob.lifecycle.job.record import attempt_name
from daskjob.lifecycle.job.reduce import reduce
from daskjob.lifecycle.job.runs import wants_run
from daskjob.manifests.cluster import dask_cluster
from daskjob.manifests.runner import runner_pod
from daskjob.sources import source_of

logger = logging.getLogger(__name__)

NO_LIMITS = Limits()


@dataclass
class Memory:
    """What this process remembers of a job beside its objects; losing it costs a little time, nothing else."""

    uid: str
    last_status_write: datetime | None = None
    refusal: Blocker | None = None
    references_found: bool = False
    last_report_at: datetime | None = None
    last_report: tuple[str, object] | None = None
    #: When the API server itself was last asked for all that belongs to the job.
    last_live_read: datetime | None = None
    #: Until all that was decided has been carried out.
    made: Made = field(default_factory=set)

    def listen(self, observation: Observation) -> Observation:
        """With when the runner last said something new. What it had said before the first look is of unknown age."""
        report = observation.attempt.report
        content = report.content if report is not None else None
        current = (report.uid, content.seq if content is not None else None) if report is not None else None
        if self.last_report is not None and current is not None and current != self.last_report:
            self.last_report_at = observation.now
        self.last_report = current
        return replace(observation, last_report_at=self.last_report_at)


class Reconciler:
    """Brings one job after another to where its decision says. Holds no state that matters."""

    def __init__(
        self,
        client: KubeClient,
        cache: Cache,
        performer: Executor,
        clock: Callable[[], datetime],
        limits: Limits = NO_LIMITS,
        wake: Callable[[Key], None] = lambda _: None,
    ) -> None:
        """`wake` is called with each job that waited and may start because another one made room."""
        self._client = client
        self._cache = cache
        self._performer = performer
        self._clock = clock
        self._slots = Slots(cache, limits, clock, wake)
        self._memories: dict[Key, Memory] = {}

    async def reconcile(self, key: Key) -> float | None:
        """One pass. Returns in how many seconds to look again even if nothing happens (None: no need).

        Raises ApiError if the status could not be written, or an action not be carried out for a passing reason.
        """
        try:
            return await self._pass(key)
        finally:
            self._slots.settled(key)

    async def _pass(self, key: Key) -> float | None:
        body = self._cache.job(key)
        await self._remove_orphans(key, body)
        if body is None:
            self._memories.pop(key, None)
            return None
        job = self._read(body)
        memory = self._memories.get(key)
        if memory is None or memory.uid != job.uid:
            memory = self._memories[key] = Memory(job.uid)
        observation = await self._observe(key, job, memory)
        decision = self._decide(key, observation)
        if decision.needs_live_read:
            await self._refresh(key, job)
            memory.last_live_read = observation.now
            body = self._cache.job(key)
            if body is None or body["metadata"]["uid"] != job.uid:
                return 0.0
            job = self._read(body)
            observation = await self._observe(key, job, memory, live=True)
            decision = self._decide(key, observation)
        if decision.status != job.status:
            await self._record(body, job, decision)
            memory.last_status_write = observation.now
        requeue_after = decision.requeue_after.total_seconds() if decision.requeue_after is not None else None
        try:
            performed = await self._perform(job, decision, memory)
        except ApiError as error:
            # The pause before the next try must not outlast a deadline.
            error.requeue_after = requeue_after
            raise
        return requeue_after if performed else 0.0

    def _decide(self, key: Key, observation: Observation) -> Decision:
        """Without a pause between looking at who runs and saying that this job does."""
        decision = decide(replace(observation, queue_place=self._slots.turn(key)))
        if decision.status.open is not None and observation.job.status.open is None:
            self._slots.starts(key)
        return decision

    def _read(self, body: Body) -> Job:
        job = read_job(body, self._clock())
        status = job.status
        if wants_run(job) or (status.open is None and not status.finished):
            job = replace(job, spec_problem=self._spec_problem(job))
        return job

    def _spec_problem(self, job: Job) -> str | None:
        """What no API server can see in a spec: found by building what would be made of it."""
        if not (job.spec.cluster.image or self._performer.defaults.image):
            return (
                "spec.cluster.image: is missing, and this operator was installed without a default image; "
                "name an image with dask and distributed in it"
            )
        try:
            number = (job.status.attempt or 0) + 1
            attempt = Attempt(number, attempt_name(job.name, job.uid, number))
            dask_cluster(job, attempt, self._performer.defaults)
            runner_pod(job, attempt, self._performer.defaults, "check")
        except SpecError as error:
            return str(error)
        return None

    async def _observe(self, key: Key, job: Job, memory: Memory, live: bool = False) -> Observation:
        now = self._clock()
        observation = observe(job, self._cache.owned(key), now)
        observation = replace(
            observation,
            attempt=replace(observation.attempt, refusal=memory.refusal),
            live=live,
            last_status_write=memory.last_status_write,
            last_live_read=memory.last_live_read,
        )
        observation = memory.listen(observation)
        if job.status.finished or job.deleting or observation.attempt.reporting:
            return observation
        source = source_of(job.spec.graph)
        references = source.references() if source is not None else ()
        if references and not memory.references_found:
            missing = []
            for reference in references:
                try:
                    found = await self._client.get(BY_REFERENCE[reference.kind], job.namespace, reference.name)
                except ApiError as error:
                    if error.kind is not ErrorKind.FORBIDDEN:
                        raise
                    # The pods, which mount it, will tell.
                    attempt = replace(observation.attempt, refusal=read_refusal(error.message))
                    observation = replace(observation, attempt=attempt)
                    break
                if found is None:
                    missing.append(reference)
            else:
                memory.references_found = not missing
                observation = replace(observation, missing_references=tuple(missing))
        silent = _silent_pods(observation)
        if silent:
            warnings = await self._warnings(job, silent)
            observation = replace(observation, attempt=replace(observation.attempt, warnings=warnings))
        return observation

    async def _warnings(self, job: Job, names: list[str]) -> tuple[str, ...]:
        """What Kubernetes' events say of pods whose status says nothing: volumes that cannot be mounted, mostly."""
        found = []
        for name in names[:3]:
            fields = f"involvedObject.kind=Pod,involvedObject.name={name},type=Warning"
            try:
                events = await self._client.list(EVENTS, job.namespace, fields=fields)
            except ApiError as error:
                # They would explain; the job goes on without.
                logger.debug("no events of pod %s/%s: %s", job.namespace, name, error)
                break
            mounts = [each for each in events if str(each.get("reason", "")).startswith("Failed")]
            if mounts:
                last = max(mounts, key=lambda each: str(each.get("lastTimestamp") or each.get("eventTime") or ""))
                found.append(f"pod {name}: {last.get('reason')}: {last.get('message')}")
        return tuple(found)

    async def _refresh(self, key: Key, job: Job) -> None:
        """Asks the API server for the job and all that belongs to it."""
        selector = f"{c.JOB_UID_LABEL}={job.uid}"
        for resource in WATCHED:
            known = {
                each["metadata"]["uid"]
                for each in (*self._cache.owned(key), self._cache.job(key) or {})
                if each.get("kind") == resource.kind and (resource is DASK_JOBS or belongs(each, job.uid))
            }
            if resource is DASK_JOBS:
                found = await self._client.get(resource, job.namespace, job.name)
                bodies = [] if found is None else [{**found, "kind": resource.kind}]
            else:
                bodies = await self._client.list(resource, job.namespace, labels=selector)
            self._cache.replace(resource.kind, bodies, known)

    async def _record(self, body: Body, job: Job, decision: Decision) -> None:
        """Writes the status, if the job is still as it was seen; then tells of it."""
        try:
            written = await self._write(body, decision.status)
        except ApiError as error:
            # What a report made its way into would else keep the job from ever ending.
            if error.kind is not ErrorKind.INVALID:
                raise
            logger.error("%s/%s: the status was refused, leaving details out: %s", job.namespace, job.name, error)
            written = await self._write(body, reduce(decision.status, job.status, error.message))
        self._cache.put({**written, "kind": DASK_JOBS.kind})
        metrics.recorded(job.namespace, job.status, decision.status)
        _log(job, decision.status)
        for event in decision.events:
            try:
                await self._client.create(EVENTS, event_body(job, event, self._clock()))
            except ApiError as error:
                # Events are a courtesy; the status has it all.
                logger.debug("event not posted for %s/%s: %s", job.namespace, job.name, error)

    async def _write(self, body: Body, status: DaskJobStatus) -> Body:
        metadata = {key: body["metadata"][key] for key in ("namespace", "name", "uid", "resourceVersion")}
        return await self._client.apply_status(
            DASK_JOBS,
            {
                "apiVersion": DASK_JOBS.api_version,
                "kind": DASK_JOBS.kind,
                "metadata": metadata,
                "status": to_dict(status),
            },
        )

    async def _perform(self, job: Job, decision: Decision, memory: Memory) -> bool:
        """Carries the actions out, in order. False if the API server refused one for a reason that the user should
        know: the next pass, at once, tells it."""
        # Before the first attempt there is nothing to do with one.
        attempt = decision.status.current or Attempt()
        try:
            for action in decision.actions:
                await self._performer.perform(action, job, attempt, self._clock(), memory.made)
        except (ApiError, SpecError) as error:
            problem, told = _refusal(error), memory.refusal
            if problem is None:
                raise
            memory.refusal = problem
            # The words may differ with every try (a quota's counts, a webhook's request): no reason not to back off.
            if told is not None and told.reason == problem.reason:
                raise
            return False
        memory.refusal = None
        memory.made.clear()
        return True

    async def _remove_orphans(self, key: Key, body: Body | None) -> None:
        uid = body["metadata"]["uid"] if body is not None else None
        if not decide_orphans(self._cache.owned(key), uid, self._clock()):
            return
        # The job that the store knows, or does not know, may be an old story.
        found = await self._client.get(DASK_JOBS, *key)
        uid = found["metadata"]["uid"] if found is not None else None
        deletes = decide_orphans(self._cache.owned(key), uid, self._clock())
        for delete in deletes:
            target = delete.target
            logger.warning("%s/%s: deleting %s: %s", key[0], target.name, target.kind, delete.why)
            if await self._client.delete(BY_KIND[target.kind], key[0], target.name, target.uid):
                metrics.ORPHANS.labels(target.kind).inc()
                continue
            self._cache.forget(target.kind, key[0], target.name, target.uid)


def _silent_pods(observation: Observation) -> list[str]:
    """Pods on a node whose containers have not started for a while, without a word why."""
    return [
        pod.name
        for pod in observation.attempt.pods
        if pod.phase == "Pending"
        and pod.unschedulable is None
        and pod.created is not None
        and observation.now - pod.created >= SILENCE
        and all(each.waiting is not None and not each.waiting[1] for each in pod.containers)
    ]


def _refusal(error: ApiError | SpecError) -> Blocker | None:
    """What a user should know of a refused action; None for what passes by itself."""
    if isinstance(error, SpecError):
        return Blocker(Reason.INVALID_SPEC, str(error), permanent=True)
    if error.kind is ErrorKind.FORBIDDEN:
        return read_refusal(error.message)
    if error.kind is ErrorKind.INVALID:
        reason = Reason.NAME_CONFLICT if error.status == 409 else Reason.POD_REJECTED
        return Blocker(reason, error.message, permanent=error.status != 409)
    return None


def _log(job: Job, status: DaskJobStatus) -> None:
    before, after = job.status.phase, status.phase
    if before != after:
        logger.info("%s/%s: %s -> %s %s", job.namespace, job.name, before or "new", after, status.summary or "")
