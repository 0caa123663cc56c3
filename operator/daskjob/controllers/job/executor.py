"""Carries out a job's actions. It may repeat every action: an object that exists already counts as created, an object
that is gone already as deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from daskjob.api import constants as c
from daskjob.api.resource import (
    CLUSTERS,
    CONFIG_MAPS,
    DASK_JOBS,
    NETWORK_POLICIES,
    PODS,
    REPORTS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    WORKER_GROUPS,
    Resource,
)
from daskjob.api.status import Attempt, Removal
from daskjob.api.times import to_text
from daskjob.api.tokens import Tokens
from daskjob.controller.objects import Objects
from daskjob.controllers.job.attempt_tokens import AttemptTokens
from daskjob.controllers.job.watched import BY_KIND
from daskjob.errors import SpecError
from daskjob.kube.client import Body
from daskjob.lifecycle.job.actions import (
    Action,
    Cancel,
    CreateAccount,
    CreateCluster,
    CreateRemover,
    CreateReport,
    CreateResolver,
    CreateRunner,
    Delete,
    DeleteAll,
    DeleteJob,
    EndSidecars,
    Hold,
    LetGo,
    OpenService,
    ReplaceWorkers,
    Scale,
    SetDeadline,
)
from daskjob.lifecycle.job.observation import Job
from daskjob.lifecycle.job.proof import (
    controller_of,
    is_cluster,
    is_remover,
    is_report,
    is_resolver,
    is_runner,
    token_of,
)
from daskjob.lifecycle.job.retention import POD_SECONDS, WORK_SECONDS
from daskjob.lifecycle.pods import LEAST_DEADLINE
from daskjob.manifests.accounts import service_account
from daskjob.manifests.attempt import AttemptObjects, Manifest
from daskjob.manifests.context import AttemptContext, Defaults
from daskjob.manifests.dask_cluster import scheduler_selector
from daskjob.manifests.names import Names
from daskjob.manifests.pod_files import is_same_program, runner_config_map
from daskjob.manifests.remover import remover_pod
from daskjob.manifests.tls import key_pair
from daskjob.streams.bounded_dict import BoundedDict
from daskjob.wire.runner_deadline import RunnerDeadline

#: For how many attempts the executor keeps manifests between check and creation: more than passes that run at a time.
MOST_BUILT = 32
#: For how long the executor does not look again for an object that all jobs of a namespace share: who deletes it holds
#: up the jobs that start in this time.
SHARED_STAYS = timedelta(seconds=60)
#: The resources of a cluster's further objects, by kind.
BESIDE = {each.kind: each for each in (NETWORK_POLICIES, SERVICES, SECRETS, WORKER_GROUPS)}


@dataclass
class CreatedObjects:
    """Which objects of an attempt exist, until all do. A repeated action skips them: otherwise an API server that fails
    one request in ten would hardly ever let an action succeed that needs many."""

    #: The cluster's UID, and kind and name of an object beside it. The cache does not have these objects.
    beside: set[tuple[str, str, str]] = field(default_factory=set)
    #: The UID of the cluster whose Service leads to its scheduler.
    opened: str = ""
    #: What the objects are created from. It has the attempt's only key, and the pods have digests of its files.
    objects: AttemptObjects | None = None


@dataclass(frozen=True)
class JobPass:
    """The pass whose actions are carried out. `attempt`: the last one of the job; `tokens`: what this process knows of
    them; `created`: what earlier passes have created of the attempt, to which this one adds."""

    job: Job
    attempt: Attempt
    tokens: AttemptTokens
    now: datetime
    created: CreatedObjects


class Executor:
    """Carries out actions by requests to the API server. `program`: the runner's zipapp."""

    def __init__(
        self, objects: Objects, program: bytes, defaults: Defaults, whole: Callable[[Job], Awaitable[Job]]
    ) -> None:
        """`whole`: gives the job with its whole spec, which the cache does not have."""
        self._objects = objects
        self._program = program
        self._whole = whole
        self.defaults = defaults
        self._built: BoundedDict[str, tuple[object, AttemptObjects]] = BoundedDict(MOST_BUILT)
        #: When the executor last created or found an object that all jobs of a namespace share, by kind and namespace.
        self._shared_found: dict[tuple[str, str], datetime] = {}

    async def build(
        self, job: Job, attempt: Attempt, tokens: Tokens | None, now: datetime, deadline: RunnerDeadline | None = None
    ) -> AttemptObjects:
        """Builds all objects of an attempt, once: the objects that the spec's check builds are those that an action
        creates. `now`: the certificate's time; `deadline`: the runner's. Raises SpecError if the spec cannot be used,
        ApiError if the job cannot be read."""
        attempt, defaults = Attempt(attempt.number, attempt.name, commit=attempt.commit), self.defaults
        origin = (job.generation, attempt, tokens, defaults, deadline)
        known = self._built.pop(job.uid, None)
        if known is None or known[0] != origin:
            context = AttemptContext(job.ref, (await self._whole(job)).spec, attempt, defaults, tokens)
            built = AttemptObjects.build(context, self._program, key_pair(now), deadline)
            await self._check_fields(built)
            known = origin, built
        self._built[job.uid] = known
        return known[1]

    async def _check_fields(self, built: AttemptObjects) -> None:
        """Raises SpecError for a field of a template that this cluster does not know. It is asked only about fields
        that this release of the operator does not know, and by a pod that it does not create."""
        for pod in built.uncertain():
            body = {**built.runner, "spec": pod.spec}
            refused = set(await self._objects.unknown_fields(PODS, body))
            wrong = next((each for each in pod.unknown if each.server_path in refused), None)
            if wrong is not None:
                error = wrong.error()
                raise SpecError(error.path, error.message)

    async def execute(self, action: Action, work: JobPass) -> None:
        """Carries out one action. Raises ApiError if the API server refuses, SpecError if a template cannot be used."""
        job, attempt, now, created = work.job, work.attempt, work.now, work.created
        match action:
            case CreateAccount():
                await self._objects.create_unread(SERVICE_ACCOUNTS, service_account(job.namespace))
            case CreateResolver():
                await self._create_resolver(await self._objects_of(work), work)
            case CreateCluster(_, deadline):
                await self._create_cluster(await self._objects_of(work, deadline), work)
            case CreateRunner(_, deadline):
                built = await self._objects_of(work, deadline)
                pod = await self._create(PODS, built.runner, attempt, is_runner)
                runner = replace(attempt, runner_uid=pod["metadata"]["uid"])
                await self._create(REPORTS, built.report(runner.runner_uid or "", deadline), runner, is_report)
                self._all_created(work)
            case CreateReport(runner_uid, deadline):
                built = await self._objects_of(work, deadline)
                runner = replace(attempt, runner_uid=runner_uid)
                await self._create(REPORTS, built.report(runner_uid, deadline), runner, is_report)
                self._all_created(work)
            case OpenService(cluster):
                if created.opened != cluster:
                    selector = {"/spec/selector": scheduler_selector(attempt.name)}
                    name = Names(job.namespace, attempt.name).scheduler
                    await self._objects.patch_unread(SERVICES, job.namespace, name, cluster, selector)
                    created.opened = cluster
            case Scale(group, replicas):
                spec = {"spec": {"worker": {"replicas": replicas}}}
                await self._objects.patch(WORKER_GROUPS, job.namespace, group, spec)
            case ReplaceWorkers(group):
                asked = {"metadata": {"annotations": {c.REPLACE_ANNOTATION: to_text(now)}}}
                await self._objects.patch(WORKER_GROUPS, job.namespace, group, asked)
            case Cancel(name):
                await self._objects.patch(REPORTS, job.namespace, name, {"spec": {"cancel": True}})
            case SetDeadline(name, deadline):
                wanted = deadline.shape() if deadline is not None else None
                await self._objects.patch(REPORTS, job.namespace, name, {"spec": {"deadline": wanted}})
            case EndSidecars(pod, uid):
                # The kubelet ends all containers of a pod that has run for so long, and keeps it. With the UID, the
                # API server takes the patch for no other pod of that name.
                ends = {"metadata": {"uid": uid}, "spec": {"activeDeadlineSeconds": LEAST_DEADLINE}}
                await self._objects.patch(PODS, job.namespace, pod, ends)
            case Delete(target):
                await self._objects.delete(BY_KIND[target.kind], job.namespace, target.name, target.uid)
            case DeleteAll(kind, cluster, targets):
                labels = f"{c.MANAGED_SELECTOR},{c.JOB_UID_LABEL}={job.uid},{c.DASK_CLUSTER_LABEL}={cluster}"
                known = [(target.name, target.uid) for target in targets]
                await self._objects.delete_all(BY_KIND[kind], job.namespace, labels, known)
            case Hold():
                await self._set_finalizer(job, True)
            case LetGo():
                await self._set_finalizer(job, False)
            case CreateRemover(removal):
                await self._create_remover(removal, work)
            case DeleteJob():
                # With the version: if a user edited the job just now, the edit decides first.
                await self._objects.delete(DASK_JOBS, job.namespace, job.name, job.uid, job.resource_version)
            case _:
                assert_never(action)

    async def _objects_of(self, work: JobPass, deadline: RunnerDeadline | None = None) -> AttemptObjects:
        """The objects of the attempt, the same ones until all are created."""
        attempt, tokens = work.attempt, work.tokens.of(work.attempt)
        known = work.created.objects
        wanted = (attempt.name, attempt.commit)
        if known is None or (known.context.attempt.name, known.context.attempt.commit) != wanted:
            work.created.objects = known = await self.build(work.job, attempt, tokens, work.now, deadline)
        return known

    def _all_created(self, work: JobPass) -> None:
        work.created.beside.clear()
        work.created.objects = None
        self._built.pop(work.job.uid, None)

    async def _create_remover(self, removal: Removal, work: JobPass) -> None:
        job, attempt, token, now = work.job, work.attempt, work.tokens.next.source, work.now
        spec = (await self._whole(job)).spec
        context = AttemptContext(job.ref, spec, Attempt(attempt.number, attempt.name), self.defaults)
        pod = remover_pod(context, self._program, removal.name, token, WORK_SECONDS, POD_SECONDS)
        await self._provide_shared(job.namespace, now)
        await self._objects.create_or_find(PODS, pod, lambda found: is_remover(found, removal), attempt=attempt.name)

    async def _set_finalizer(self, job: Job, on: bool) -> None:
        """Sets or takes off the finalizer of a job whose results go with it; those of others stay."""
        await self._objects.set_finalizer(DASK_JOBS, job.namespace, job.name, job.uid, c.RESULTS_FINALIZER, on)

    async def _create_resolver(self, built: AttemptObjects, work: JobPass) -> None:
        await self._provide_shared(work.job.namespace, work.now)
        await self._create(PODS, built.resolver(), work.attempt, is_resolver)

    async def _create_cluster(self, built: AttemptObjects, work: JobPass) -> None:
        job, attempt, now, created = work.job, work.attempt, work.now, work.created
        assert built.complete, "no commit is known of the code"
        # The Dask controller creates pods as soon as it sees the cluster.
        await self._provide_shared(job.namespace, now)
        cluster = await self._create(CLUSTERS, built.cluster, attempt, is_cluster)
        uid = cluster["metadata"]["uid"]
        beside = [
            (BESIDE[body["kind"]], body)
            for body in built.beside_cluster(uid)
            if (uid, body["kind"], body["metadata"]["name"]) not in created.beside
        ]
        await _first_error(*(self._create_beside(resource, body, uid, attempt, created) for resource, body in beside))

    async def _provide_shared(self, namespace: str, now: datetime) -> None:
        """Creates what all jobs of a namespace share, before the first pod that needs it."""
        await _first_error(self._provide_account(namespace, now), self._provide_program(namespace, now))

    async def _provide_account(self, namespace: str, now: datetime) -> None:
        """Creates the runners' service account, unless it was there just now: among many jobs, each would find it."""
        if not self._was_there(SERVICE_ACCOUNTS, namespace, now):
            await self._objects.create_unread(SERVICE_ACCOUNTS, service_account(namespace))
            self._note(SERVICE_ACCOUNTS, namespace, now)

    async def _provide_program(self, namespace: str, now: datetime) -> None:
        """Creates the ConfigMap with the runner's program, unless it was there just now. Raises NameConflictError if
        another one has its name: all jobs of the namespace would run what is in it."""
        if self._was_there(CONFIG_MAPS, namespace, now):
            return
        program = runner_config_map(namespace, self._program)
        await self._objects.provide(CONFIG_MAPS, program, lambda found: is_same_program(found, program), "the operator")
        self._note(CONFIG_MAPS, namespace, now)

    def _was_there(self, resource: Resource, namespace: str, now: datetime) -> bool:
        found = self._shared_found.get((resource.kind, namespace))
        return found is not None and found <= now < found + SHARED_STAYS

    def _note(self, resource: Resource, namespace: str, now: datetime) -> None:
        self._shared_found = {each: at for each, at in self._shared_found.items() if now < at + SHARED_STAYS}
        self._shared_found[resource.kind, namespace] = now

    async def _create(
        self, resource: Resource, body: Manifest, attempt: Attempt, proof: Callable[[Body, Attempt], bool]
    ) -> Body:
        """Creates an object of the attempt, or finds the one that an earlier request created. Raises NameConflictError
        if another one has its name. `proof`: one of `lifecycle.job.proof`."""
        return await self._objects.create_or_find(
            resource, body, lambda found: proof(found, attempt), attempt=attempt.name
        )

    async def _create_beside(
        self, resource: Resource, body: Manifest, cluster: str, attempt: Attempt, created: CreatedObjects
    ) -> None:
        """Creates an object that the cluster owns. Raises NameConflictError if another one has its name. Of a Secret,
        which the operator may not read, that may be its own, of a request that was not answered."""

        def is_ours(found: Body) -> bool:
            return controller_of(found).get("uid") == cluster and token_of(found) == token_of(body)

        if resource is SECRETS:
            await self._objects.create_new(resource, body, attempt.name)
        elif resource is WORKER_GROUPS:
            await self._objects.create_or_find(resource, body, is_ours, attempt=attempt.name)
        else:
            await self._objects.create_or_find_unwatched(resource, body, is_ours, attempt=attempt.name)
        created.beside.add((cluster, resource.kind, body["metadata"]["name"]))


async def _first_error(*tasks: Awaitable[None]) -> None:
    """Awaits all of them side by side, and raises the first error when all are done."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
