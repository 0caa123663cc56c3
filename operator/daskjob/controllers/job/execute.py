"""Carries actions out. Each can be repeated: what is there already is success, and so is what is gone already."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import assert_never

from daskjob.api.status import Attempt
from daskjob.api.times import to_seconds_text
from daskjob.controller.cache import Cache
from daskjob.controllers.job.observe import belongs
from daskjob.kube.api_error import ApiError, ErrorKind
from daskjob.kube.client import Body, KubeClient
from daskjob.kube.resources import (
    BY_KIND,
    CLUSTERS,
    CONFIG_MAPS,
    DASK_JOBS,
    PODS,
    REPORTS,
    SECRETS,
    SERVICES,
    WORKER_GROUPS,
    Resource,
)
from daskjob.lifecycle.job.actions import (
    Action,
    Cancel,
    CreateCluster,
    CreateReport,
    CreateRunner,
    Delete,
    DeleteJob,
    Scale,
)
from daskjob.lifecycle.job.observation import Job
from daskjob.manifests.cluster import code_config_map, dask_cluster, scheduler_service
from daskjob.manifests.pods import Defaults
from daskjob.manifests.runner import job_file, report, runner_config_map, runner_config_map_name, runner_pod
from daskjob.manifests.tls import tls_secret

#: What is not watched and was made for a cluster: its UID; kind and name of the object. An API server that fails one
#: request in ten would else hardly ever carry out all that an attempt begins with.
Made = set[tuple[str, str, str]]


class NameConflictError(ApiError):
    """An object that is not ours has a name that we need."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(
            ErrorKind.INVALID,
            409,
            f"a {kind} named {name!r} exists and does not belong to this job; delete or rename it",
        )


class Executor:
    """The I/O of actions. `program`: the runner's zipapp."""

    def __init__(self, client: KubeClient, cache: Cache, defaults: Defaults, program: bytes) -> None:
        self._client = client
        self._cache = cache
        self.defaults = defaults
        self._program = program
        self._program_name = runner_config_map_name(program)

    async def perform(self, action: Action, job: Job, attempt: Attempt, now: datetime, made: Made) -> None:
        """`made`: what earlier calls for this job made; added to. Raises ApiError if the API server refuses, SpecError
        if a template cannot be used."""
        match action:
            case CreateCluster():
                await self._create_cluster(job, attempt, now, made)
            case CreateRunner():
                pod = await self._create(PODS, runner_pod(job, attempt, self.defaults, self._program_name), job)
                await self._create(REPORTS, report(job, attempt, pod["metadata"]["uid"]), job)
            case CreateReport(runner_uid):
                await self._create(REPORTS, report(job, attempt, runner_uid), job)
            case Scale(group, replicas):
                spec = {"spec": {"worker": {"replicas": replicas}}}
                body = await self._client.patch(WORKER_GROUPS, job.namespace, group, spec)
                self._cache.put(_kind(WORKER_GROUPS, body))
            case Cancel(name):
                body = await self._client.patch(REPORTS, job.namespace, name, {"spec": {"cancel": True}})
                self._cache.put(_kind(REPORTS, body))
            case Delete(target):
                place = (job.namespace, target.name)
                if await self._client.delete(BY_KIND[target.kind], *place, target.uid):
                    self._cache.mark_deleting(target.kind, *place, target.uid, to_seconds_text(now))
                else:
                    self._cache.forget(target.kind, *place, target.uid)
            case DeleteJob():
                place = (job.namespace, job.name)
                # If somebody edited it just now, that comes first.
                if await self._client.delete(DASK_JOBS, *place, job.uid, job.resource_version):
                    self._cache.mark_deleting(DASK_JOBS.kind, *place, job.uid, to_seconds_text(now))
            case _:
                assert_never(action)

    async def _create_cluster(self, job: Job, attempt: Attempt, now: datetime, made: Made) -> None:
        cluster = await self._create(CLUSTERS, dask_cluster(job, attempt, self.defaults), job)
        uid = cluster["metadata"]["uid"]
        # What the pods mount and ask for, before dask-kubernetes gets to make them.
        orders = job_file(job, attempt, self.defaults)
        bodies = (
            (SERVICES, scheduler_service(job, attempt, uid)),
            (SECRETS, tls_secret(job, attempt, uid, now)),
            (CONFIG_MAPS, code_config_map(job, attempt, uid, orders)),
            (CONFIG_MAPS, runner_config_map(job.namespace, self._program)),
        )
        await _first_error(*(self._create_once(resource, body, uid, made) for resource, body in bodies))

    async def _create(self, resource: Resource, body: Body, job: Job) -> Body:
        """The object: as created, or as it was already there and is this job's."""
        try:
            created = await self._client.create(resource, body)
        except ApiError as error:
            if error.kind is not ErrorKind.EXISTS:
                raise
            name = body["metadata"]["name"]
            found = await self._client.get(resource, job.namespace, name)
            if found is None:
                raise ApiError(ErrorKind.CONFLICT, 409, f"{resource.kind} {name} was deleted meanwhile") from error
            if not belongs(_kind(resource, found), job.uid):
                raise NameConflictError(resource.kind, name) from error
            created = found
        self._cache.put(_kind(resource, created))
        return created

    async def _create_once(self, resource: Resource, body: Body, cluster: str, made: Made) -> None:
        """Creates what may not be read, or does not matter whose it is: its name says what is in it."""
        key = (cluster, resource.kind, body["metadata"]["name"])
        if key in made:
            return
        try:
            await self._client.create(resource, body)
        except ApiError as error:
            if error.kind is not ErrorKind.EXISTS:
                raise
        made.add(key)


def _kind(resource: Resource, body: Body) -> Body:
    return {**body, "kind": resource.kind, "apiVersion": resource.api_version}


async def _first_error(*tasks: Awaitable[None]) -> None:
    """All at once; when all are done, the first error, if any."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
