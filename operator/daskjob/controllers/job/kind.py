"""Jobs as a kind of root object for the controller machine."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from prometheus_client.registry import Collector

from daskjob import wire
from daskjob.api import constants as c
from daskjob.api.attempt_names import attempt_name
from daskjob.api.constants import EventReason
from daskjob.api.long_texts import has_stand_ins, put_back
from daskjob.api.resource import DASK_JOBS, REPORTS
from daskjob.api.resource_json import to_dict
from daskjob.api.status import Attempt, DaskJobStatus
from daskjob.controller.cache import Key
from daskjob.controller.fair_queue import Urgency
from daskjob.controller.kind import Kind, Look, PassState
from daskjob.controllers.job import job_metrics
from daskjob.controllers.job.attempt_tokens import AttemptTokens, Random
from daskjob.controllers.job.deployments import Deployments
from daskjob.controllers.job.executor import CreatedObjects, Executor, JobPass
from daskjob.controllers.job.installations import OtherInstallations
from daskjob.controllers.job.job_gauges import JobCollector
from daskjob.controllers.job.pod_warnings import NamespaceWarnings, PodWarnings
from daskjob.controllers.job.policies import Policies
from daskjob.controllers.job.recent_specs import RecentSpecs
from daskjob.controllers.job.slots import Slots
from daskjob.controllers.job.urgency import urgency_of
from daskjob.controllers.job.watched import BY_KIND, BY_REFERENCE, WATCHED, job_of
from daskjob.errors import ApiError, ErrorKind, SpecError
from daskjob.kube.client import Body, KubeClient
from daskjob.lifecycle.blocker import read_refusal
from daskjob.lifecycle.event import Event
from daskjob.lifecycle.job.actions import Action, CreateRemover
from daskjob.lifecycle.job.decide import decide
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.observation import Job, Observation
from daskjob.lifecycle.job.orphans import decide_orphans
from daskjob.lifecycle.job.queueing import RunLimits
from daskjob.lifecycle.job.reading import belongs, observe, read_job
from daskjob.lifecycle.job.reduce import reduce
from daskjob.lifecycle.job.replay import dump
from daskjob.lifecycle.job.silence import killed_pods, silent_pods
from daskjob.lifecycle.job.spec_check import missing_image, needs_check, not_served, too_many_workers
from daskjob.manifests.context import Defaults
from daskjob.schema.limits import no_room_in, problem_in
from daskjob.sources import Reference, source_of
from daskjob.streams.bounded_dict import BoundedDict

logger = logging.getLogger(__name__)

#: Of how many jobs the kind keeps what it read of their JSON.
MOST_READ = 300


@dataclass
class JobMemory:
    """What this process remembers of a job besides `PassState`."""

    #: What proves that an attempt's objects are the operator's.
    tokens: AttemptTokens = field(default_factory=AttemptTokens)
    #: Whether all objects that the job's source refers to existed: the operator does not look for them again.
    references_found: bool = False
    #: Whether the API server refused a pod because the job's namespace is being deleted.
    namespace_going: bool = False
    #: The report's UID and `seq` at the last pass, and when this process observed their last change (None: not yet).
    last_report: tuple[str, object] | None = None
    last_report_at: datetime | None = None
    #: The generation whose spec was checked, with what the check rests on beside it, and what is wrong with the spec.
    checked: tuple[object, str | None] = (None, None)
    #: Which objects exist of an attempt of which not all exist.
    created: CreatedObjects = field(default_factory=CreatedObjects)
    #: What Kubernetes' events say about pods that do not start.
    warnings: PodWarnings = field(default_factory=PodWarnings)

    def with_report_age(self, observation: Observation) -> Observation:
        """The observation with the time of the report's last change. The age of a report that existed at the first pass
        is unknown."""
        report = observation.attempt.report
        content = report.content if report is not None else None
        current = (report.uid, content.seq if content is not None else None) if report is not None else None
        if self.last_report is not None and current is not None and current != self.last_report:
            self.last_report_at = observation.now
        self.last_report = current
        return replace(observation, last_report_at=self.last_report_at)


class JobKind(Kind[Job, Observation, Decision, JobMemory]):
    """DaskJobs, with their clusters, runners and reports."""

    name = "daskjob"
    root = DASK_JOBS
    watched = WATCHED
    owner_of = staticmethod(job_of)

    def __init__(
        self,
        client: KubeClient,
        clock: Callable[[], datetime],
        program: bytes,
        defaults: Defaults,
        limits: RunLimits | None = None,
        policies: Policies | None = None,
        excluded: Collection[str] = (),
        random: Random = secrets.token_bytes,
    ) -> None:
        """`program`: the runner's zipapp; `policies`: the installation's admission policies, by which reports are
        believed, None: they are believed without; `excluded`: namespaces in which jobs fail at once, and nothing is
        created."""
        super().__init__(client, clock)
        self.executor = Executor(self.objects, program, defaults, self._whole)
        self._installed_defaults = defaults
        self._recent = RecentSpecs()
        #: What was read of each job's JSON, by the job's UID.
        self._read: BoundedDict[str, tuple[Body, Job]] = BoundedDict(MOST_READ)
        self._deployments = Deployments(client)
        self._warnings = NamespaceWarnings(client)
        self._policies = policies
        self._excluded = excluded
        self._random = random
        self.other_installations = OtherInstallations(defaults.installation, clock)
        self._limits = limits or RunLimits()
        self.slots = Slots(self.cache, self._limits, clock, lambda key: self.wake(key))

    def urgency(self, key: Key) -> Urgency:
        urgency = urgency_of(self.cache, key)
        return Urgency.STARTS if urgency is Urgency.BEGINS and self.slots.may_start(key) else urgency

    def arrived(self, body: Body) -> None:
        self._recent.put(body)

    def new_memory(self) -> JobMemory:
        return JobMemory(AttemptTokens(self._random))

    def read(self, body: Body) -> Job:
        # Most passes follow a change of another object than the job.
        uid = body["metadata"]["uid"]
        known = self._read.get(uid)
        if known is None or known[0] is not body:
            known = body, read_job(body, self.clock())
        self._read[uid] = known
        return known[1]

    async def _whole(self, job: Job) -> Job:
        """The job with its whole spec, of which the cache has not all. Raises ApiError, of kind CONFLICT if it is
        another one by now; SpecError if it cannot be read."""
        body = self._recent.take(job.uid, job.generation)
        if body is None:
            body = await self.client.get(DASK_JOBS, job.namespace, job.name)
        metadata = body["metadata"] if body is not None else {}
        if body is None or (metadata["uid"], metadata.get("generation") or 0) != (job.uid, job.generation):
            raise ApiError(ErrorKind.CONFLICT, 409, f"DaskJob {job.name} was changed or deleted meanwhile")
        found = read_job(body, self.clock())
        problem = found.spec_problem or problem_in(body.get("spec")) or no_room_in(body)
        if problem is not None:
            raise SpecError(*problem.split(": ", 1))
        return found

    async def _spec_problem(self, observation: Observation, memory: JobMemory) -> str | None:
        """What is wrong with the spec of a job that may start an attempt; None: nothing, as far as this pass looks."""
        job = observation.job
        problem = not_served(job.namespace, self._excluded)
        problem = problem or job.spec_problem or missing_image(job.spec, self.executor.defaults.image)
        problem = problem or too_many_workers(job.spec, self._limits)
        if problem is not None or self.slots.is_paced((job.namespace, job.name), observation):
            # Among a thousand jobs, most wait for others to start: the whole spec is asked for when their turn comes.
            return problem
        number = (job.status.attempt or 0) + 1
        basis = (job.generation, number, self.executor.defaults)
        if memory.checked[0] != basis:
            # The objects of the next attempt are built, to find what is wrong before anything is recorded.
            try:
                tokens = memory.tokens
                attempt = Attempt(number, attempt_name(job.name, job.uid, number, tokens.draw.nonce))
                await self.executor.build(job, attempt, tokens.next, observation.now)
                memory.checked = (basis, None)
            except SpecError as error:
                memory.checked = (basis, str(error))
        return memory.checked[1]

    async def observe(self, look: Look[Job, JobMemory]) -> Observation:
        job, state = look.root, look.state
        deployments = await self._deployments.owners(job.namespace, look.objects)
        observation = observe(job, look.objects, look.now, deployments)
        holds_token = state.memory.tokens.look(job.status.open, look.objects)
        if needs_check(job):
            job = replace(job, spec_problem=await self._spec_problem(observation, state.memory))
            observation = replace(observation, job=job)
        followed = self.followed_for()
        observation = replace(
            observation,
            attempt=replace(observation.attempt, refusal=state.refusal),
            draw=state.memory.tokens.draw,
            holds_token=holds_token,
            namespace_going=state.memory.namespace_going,
            served=job.namespace not in self._excluded,
            live=look.live,
            last_status_write=state.last_status_write,
            last_live_read=state.last_live_read,
            followed_since=look.now - timedelta(seconds=followed) if followed is not None else None,
            other_installation=self.other_installations.look(look.objects),
        )
        observation = state.memory.with_report_age(self._with_distrust(observation))
        if job.status.finished or job.deleting:
            return observation
        if not observation.attempt.reporting:
            observation = await self._with_references(observation, state.memory)
        silent, killed = silent_pods(observation), killed_pods(observation)
        warnings = await state.memory.warnings.look(self._warnings, job.namespace, silent, killed, look.now)
        return replace(observation, attempt=replace(observation.attempt, warnings=warnings))

    def _with_distrust(self, observation: Observation) -> Observation:
        """The observation with whether the report is believed."""
        attempt, report = observation.attempt, observation.attempt.report
        words = self._policies.distrust(report.policy) if self._policies is not None and report is not None else None
        if report is None or words is None:
            return observation
        return replace(observation, attempt=replace(attempt, report=replace(report, distrust=words)))

    async def _with_references(self, observation: Observation, memory: JobMemory) -> Observation:
        """The observation with the objects that the source refers to and that do not exist."""
        job = observation.job
        source = source_of(job.spec.graph)
        references = source.references() if source is not None and not memory.references_found else ()
        missing: list[Reference] = []
        for reference in references:
            try:
                found = await self.client.get(BY_REFERENCE[reference.kind], job.namespace, reference.name)
            except ApiError as error:
                if error.kind is not ErrorKind.FORBIDDEN:
                    raise
                # The operator may not read it: whether it exists will show at the pods that mount it.
                attempt = replace(observation.attempt, refusal=read_refusal(error.message))
                return replace(observation, attempt=attempt)
            if found is None:
                missing.append(reference)
        memory.references_found = not missing
        return replace(observation, missing_references=tuple(missing))

    def decide(self, key: Key, observation: Observation) -> Decision:
        return self.slots.decide(key, observation, _decide)

    def passing(self, key: Key) -> AbstractContextManager[None]:
        return self.slots.passing(key)

    async def execute(
        self, action: Action, root: Job, decision: Decision, state: PassState[JobMemory]
    ) -> tuple[Event, ...]:
        # Before the first attempt, no action needs one.
        attempt = decision.status.current or Attempt()
        memory = state.memory
        try:
            work = JobPass(root, attempt, memory.tokens, self.clock(), memory.created)
            await self.executor.execute(action, work)
        except ApiError as error:
            if error.kind is not ErrorKind.TERMINATING or not isinstance(action, CreateRemover):
                raise
            memory.namespace_going = True
            self.wake((root.namespace, root.name))
        return ()

    def selector_of(self, root: Job) -> str:
        return f"{c.JOB_UID_LABEL}={root.uid}"

    def is_part(self, body: Body, root: Job) -> bool:
        return belongs(body, root.uid)

    async def document_of(self, root: Job, status: DaskJobStatus) -> Body:
        document: Body = to_dict(status)
        if not has_stand_ins(document):
            return document
        job = await self.client.get(DASK_JOBS, root.namespace, root.name)
        name = status.current.name if status.current is not None else ""
        report = await self.client.get(REPORTS, root.namespace, name) if name else None
        try:
            reported = wire.parse_report((report or {}).get("status"))
            restored: Body = put_back(document, (job or {}).get("status"), reported)
        except LookupError:
            raise ApiError(ErrorKind.CONFLICT, 409, f"the report {name} was changed or deleted meanwhile") from None
        return restored

    def reduced(self, root: Job, status: DaskJobStatus, error: ApiError) -> DaskJobStatus:
        # Otherwise a text of user code that the API server refuses would keep the job from ending.
        return reduce(status, root.status, error.message)

    def not_recorded(self, root: Job, error: ApiError) -> tuple[Event, ...]:
        words = "delete the job, and apply one that is smaller" if "too large" in error.message else "look at the job"
        message = f"the status cannot be recorded, so the job does not go on: {error.message[:800]}; {words}"
        return (Event(EventReason.STATUS_NOT_RECORDED, message, warning=True),)

    def recorded(self, root: Job, status: DaskJobStatus) -> None:
        job_metrics.recorded(root.namespace, root.status, status)
        self.slots.recorded((root.namespace, root.name), status)
        before, after = root.status.phase, status.phase
        if before != after:
            logger.info("%s/%s: %s -> %s %s", root.namespace, root.name, before or "new", after, status.summary or "")

    def event_key(self, root: Job, event: Event) -> str:
        return f"{root.uid}/{root.status.attempt}/{event.reason}/{event.message}"

    async def tidy(self, key: Key, body: Body | None) -> None:
        """Deletes objects whose job is gone and that the garbage collector leaves (`--cascade=orphan`)."""
        uid = body["metadata"]["uid"] if body is not None else None
        if not decide_orphans(self.cache.owned(key), uid, self.clock()):
            return
        # The cache may be late: ask the API server for the job before deleting anything.
        found = await self.client.get(DASK_JOBS, *key)
        uid = found["metadata"]["uid"] if found is not None else None
        for delete in decide_orphans(self.cache.owned(key), uid, self.clock()):
            target = delete.target
            logger.warning("%s/%s: deleting %s: %s", key[0], target.name, target.kind, delete.why)
            if await self.client.delete(BY_KIND[target.kind], key[0], target.name, target.uid):
                job_metrics.ORPHANS.labels(target.kind).inc()
                continue
            self.cache.forget(target.kind, key[0], target.name, target.uid)

    def collectors(self) -> Iterable[Collector]:
        return (JobCollector(self.cache), *((self._policies,) if self._policies is not None else ()))

    def details(self) -> dict[str, Any]:
        policies = self._policies.problems() if self._policies is not None else {}
        return {
            "otherInstallations": self.other_installations.current(),
            **({"policiesNotInForce": policies} if policies else {}),
        }

    async def prepare(self) -> None:
        self.other_installations.begin()
        if self._policies is not None:
            self._policies.changed = self._policy_changed
            await self._policies.look()
            self._policy_changed()
        self.slots.fill()

    async def beside(self) -> None:
        watching = (self._policies.keep_watching(),) if self._policies is not None else ()
        await asyncio.gather(self.slots.keep_time(), *watching)

    def _policy_changed(self) -> None:
        """Decides whether runners get a token, and has the jobs that may run looked at."""
        policy = self._policies.report_policy if self._policies is not None else ""
        self.executor.defaults = replace(self._installed_defaults, report_token=bool(policy), report_policy=policy)
        for key in self.cache.root_keys():
            if self.urgency(key) is not Urgency.RESTS:
                self.wake(key)


def _decide(observation: Observation) -> Decision:
    """The decision. At DEBUG the log has all that it rests on, the place in the queue included (`daskjob explain`)."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("%s/%s: observation %s", observation.job.namespace, observation.job.name, dump(observation))
    return decide(observation)
