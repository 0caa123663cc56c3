"""Jobs of a cluster, by its API server alone."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from daskjob.api import constants as c
from daskjob.api.payload_secret import KEY, payload_secret_name
from daskjob.api.resource import SECRETS
from daskjob.client import job_logs
from daskjob.client.credentials import Target
from daskjob.client.job_client import CREATIONS, JobClient
from daskjob.client.pod_log import LogLine
from daskjob.client.problems import AlreadyExists, ClientError, InvalidJob, JobDeleted, NotInstalled, Unavailable
from daskjob.client.store_reading import NO_OPTIONS
from daskjob.futures.job_backend import Body, Listener
from daskjob.futures.namespace_watch import NamespaceWatch


class ClusterBackend:
    """Connections belong to a process: after a fork, the child opens its own. `patience`: seconds for which futures
    wait for an API server that does not answer; `storage_options`: with which stores are read."""

    def __init__(
        self, target: Target, patience: float = 600.0, storage_options: Mapping[str, Any] = NO_OPTIONS
    ) -> None:
        self.storage_options = storage_options
        self._target = target
        self._patience = patience
        self._open()
        self.namespace = self.client.namespace

    def _open(self) -> None:
        self._pid = os.getpid()
        self._client = JobClient(self._target)
        self._watches: dict[str, NamespaceWatch] = {}

    @property
    def client(self) -> JobClient:
        """The client of this process."""
        if self._pid != os.getpid():
            self._open()
        return self._client

    def create(self, manifest: Mapping[str, Any], payload: bytes | None = None) -> Body:
        """The job comes first, for the Secret belongs to it."""
        try:
            job = self.client.create(manifest)
        except InvalidJob as error:
            if any("unknown field" in each and "source.payload" in each for each in error.problems):
                raise NotInstalled("spec.graph.source.payload of DaskJobs") from error
            raise
        if payload is None:
            return job
        try:
            self._bring(job, payload)
        except BaseException as error:
            # No job is left behind that could only fail.
            try:
                self.delete(job)
            except ClientError as other:
                error.add_note(f"the job {job['metadata']['name']} cannot be deleted, and will fail: {other}")
            raise
        return job

    def _bring(self, job: Body, payload: bytes) -> None:
        metadata = job["metadata"]
        secret = payload_secret(job, payload)
        for number in range(CREATIONS):
            try:
                self.client.transport.request("create", SECRETS, metadata["namespace"], body=secret)
            except AlreadyExists:
                # By the try before, whose answer was lost: nobody else knows the digest. The pod compares it.
                return
            except Unavailable:
                if number == CREATIONS - 1:
                    raise
                time.sleep(0.5 * (number + 1))
            else:
                return

    def get(self, name: str) -> Body:
        return self.client.get(name)

    def jobs(self, selector: str | None = None) -> list[Body]:
        return self.client.list_objects(labels=selector)

    def follow(self, job: Body, listener: Listener) -> None:
        client, namespace = self.client, str(job["metadata"]["namespace"])
        # A manifest may be of another namespace than the client. Of two watches that are made at once, one stays.
        watch = self._watches.setdefault(namespace, NamespaceWatch(client, self._patience))
        watch.follow(job, listener)

    def cancel(self, job: Body) -> None:
        self.client.cancel(**_which(job))

    def retry(self, job: Body) -> Body:
        return self.client.retry(**_which(job))

    def suspend(self, job: Body, on: bool) -> None:
        self.client.suspend(**_which(job), on=on)

    def delete(self, job: Body) -> None:
        self.client.delete(**_which(job))

    def logs(
        self, job: Body, component: str, attempt: int | None, follow: bool, since: int | None
    ) -> Iterator[LogLine]:
        choice = job_logs.LogChoice(component, attempt, None, since, self.storage_options)
        if follow:
            return job_logs.LogFollower(self.client, job, choice).lines()
        which = _which(job)
        found = self.client.get(which["name"], which["namespace"])
        if found["metadata"]["uid"] != which["uid"]:
            raise JobDeleted(which["name"], replaced=True)
        return job_logs.read(self.client, found, choice)

    def close(self) -> None:
        """Nothing to do: the watch's thread ends with its last future."""


def _which(job: Mapping[str, Any]) -> dict[str, str]:
    """By what the client finds this job, and no other one of its name."""
    return {key: str(job["metadata"][key]) for key in ("name", "namespace", "uid")}


def payload_secret(job: Mapping[str, Any], payload: bytes) -> Body:
    """The immutable Secret of a job's payload: it goes with the job."""
    metadata = job["metadata"]
    digest = job["spec"]["graph"]["source"]["payload"]["sha256"]
    owner = {"apiVersion": c.API_VERSION, "kind": "DaskJob", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": f"{c.GROUP}/payload",
        "immutable": True,
        "metadata": {
            "name": payload_secret_name(metadata["name"], digest),
            "namespace": metadata["namespace"],
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": False}],
        },
        "data": {KEY: base64.b64encode(payload).decode()},
    }
