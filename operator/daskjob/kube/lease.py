"""One leader at a time, by a Lease: the `kubernetes` package's election with a lock of our own.

The package's own lock cannot create a lease (its own validation refuses the request), and it ends the election when a
connection is lost.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime

from kubernetes.aio.client import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.baselock import BaseLock

from daskjob.api.resource import LEASES
from daskjob.api.times import to_text
from daskjob.errors import ApiError
from daskjob.kube.client import Body, KubeClient
from daskjob.probes.heartbeat import Heartbeat

logger = logging.getLogger(__name__)

#: Seconds. Less than those of Kubernetes' own controllers (15, 10, 2), so that another replica takes over within 15 s.
LEASE_DURATION, RENEW_DEADLINE, RETRY_PERIOD = 12, 8, 2
#: Seconds after which the lock gives a request up: there must be time for another one before the lease expires.
PATIENCE = 3.0


class LeaseLock(BaseLock):
    """A Lease as the election's lock. After a request that fails for any reason, the election tries again in its next
    period."""

    def __init__(self, client: KubeClient, namespace: str, name: str, identity: str) -> None:
        super().__init__(name, namespace, identity)
        self._client = client
        self._lease: Body | None = None
        #: Who held the lease when this process last read it; empty: nobody.
        self.holder = ""
        #: When this process last sent a request for the lease; when it last got an answer.
        self.asked, self.answered = Heartbeat(), Heartbeat()

    async def get(
        self, name: str, namespace: str
    ) -> tuple[bool, LeaderElectionRecord] | tuple[bool, Exception] | tuple[bool, None]:
        self.asked.give()
        try:
            self._lease = await asyncio.wait_for(self._client.get(LEASES, namespace, name), PATIENCE)
        except (ApiError, TimeoutError) as error:
            return False, ApiException(status=0, reason=str(error))
        self.answered.give()
        self.holder = ((self._lease or {}).get("spec") or {}).get("holderIdentity") or ""
        if self._lease is None:
            missing = ApiException(status=404, reason="there is no such lease yet")
            missing.body = json.dumps({"code": 404})
            return False, missing
        spec = self._lease.get("spec") or {}
        duration = spec.get("leaseDurationSeconds")
        return True, LeaderElectionRecord(
            spec.get("holderIdentity") or None,
            str(duration) if duration is not None else None,
            spec.get("acquireTime"),
            spec.get("renewTime"),
        )

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        lease = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"namespace": namespace, "name": name},
            "spec": {**self._spec(election_record), "acquireTime": to_text(datetime.now(UTC))},
        }
        return await self._write(self._client.create(LEASES, lease))

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        lease = self._lease or {"metadata": {}}
        spec = self._spec(updated_record)
        if (lease.get("spec") or {}).get("holderIdentity") != self.identity:
            spec["acquireTime"] = to_text(datetime.now(UTC))
        version = {"resourceVersion": lease["metadata"].get("resourceVersion")}
        return await self._write(self._client.patch(LEASES, namespace, name, {"metadata": version, "spec": spec}))

    async def release(self) -> None:
        """Gives the lease up if this process holds it, so that the next leader need not wait until it expires."""
        held, record = await self.get(self.name, self.namespace)
        if held and isinstance(record, LeaderElectionRecord) and record.holder_identity == self.identity:
            version = {"resourceVersion": (self._lease or {"metadata": {}})["metadata"].get("resourceVersion")}
            body = {"metadata": version, "spec": {"holderIdentity": ""}}
            await self._write(self._client.patch(LEASES, self.namespace, self.name, body))

    def _spec(self, record: LeaderElectionRecord) -> Body:
        return {
            "holderIdentity": record.holder_identity,
            "leaseDurationSeconds": int(record.lease_duration or LEASE_DURATION),
            "renewTime": to_text(datetime.now(UTC)),
        }

    async def _write(self, request: Coroutine[None, None, Body]) -> bool:
        try:
            self._lease = await asyncio.wait_for(request, PATIENCE)
        except (ApiError, TimeoutError) as error:
            logger.warning("the lease could not be written: %s", error or type(error).__name__)
            return False
        return True


async def lead(lock: LeaseLock, work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Waits to become the leader, then runs `work` until this process loses the leadership.

    Then the process ends at once: another one leads, and only an ended process surely does nothing more. Raises what
    `work` raises.
    """

    async def lost() -> None:
        logger.critical("leadership was lost; ending")
        os._exit(1)

    working: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def watched_work() -> None:
        # The election ignores how the work ends.
        try:
            await work()
        except Exception as error:
            working.set_exception(error)

    election = LeaderElection(Config(lock, LEASE_DURATION, RENEW_DEADLINE, RETRY_PERIOD, watched_work, lost))
    running = asyncio.create_task(election.run())
    try:
        await asyncio.wait({running, working}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        running.cancel()
