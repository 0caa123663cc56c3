"""Watches the installation's admission policies, and tells whether they are in force as they were shipped.

Each object has a watch of its own, by name: a change is noticed when it is made, the operator needs no right on other
policies, and an hour costs two dozen requests for each.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from daskjob.api.resource import POLICIES, POLICY_BINDINGS, Resource
from daskjob.errors import ApiError
from daskjob.kube.client import Body, KubeClient
from daskjob.lifecycle.enforcement import Enforcement, Policy, compare, distrust

logger = logging.getLogger(__name__)

#: Seconds before a watch begins anew after a failure.
RETRY = 2.0
#: Seconds after which an object that cannot be looked at counts as missing: the API server may be down for a while, and
#: then takes no reports either. When it comes back, it refuses what it has not read the roles for.
PATIENCE = 30.0
CONSEQUENCE = (
    ". Until it is in force, runners get no token, and reports are not believed: a job shows no progress, and its "
    "outcome comes from its runner's termination message"
)
WITHOUT = "this installation has no admission policy on reports (reportPolicy of the chart)"


@dataclass
class _Watched:
    """What is known of one policy."""

    shipped: Policy
    #: The objects, by kind; None: there is none.
    found: dict[str, Body | None] = field(default_factory=dict)
    #: Why an object cannot be looked at, by kind.
    failures: dict[str, str] = field(default_factory=dict)
    now: Enforcement = field(default_factory=lambda: Enforcement(problem="it was not looked at yet"))

    def enforcement(self) -> Enforcement:
        if self.failures:
            return Enforcement(problem="; ".join(self.failures.values()))
        return compare(self.shipped, self.found.get(POLICIES.kind), self.found.get(POLICY_BINDINGS.kind))


class Policies(Collector):
    """The policies of the installation."""

    def __init__(
        self,
        client: KubeClient,
        reports: Policy | None,
        others: Sequence[Policy] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`reports`: the policy that lets a runner write only its own report; None: there is none. `clock`: seconds."""
        self._client = client
        self._clock = clock
        self._reports = _Watched(reports) if reports is not None else None
        self._all = [*((self._reports,) if self._reports is not None else ()), *map(_Watched, others)]
        #: Runs after a change of whether the policy on reports is in force, or of its identity.
        self.changed: Callable[[], None] = lambda: None

    @property
    def report_policy(self) -> str:
        """The identity of the policy on reports; empty: it is not in force, and no runner may have a token."""
        return self._reports.now.identity if self._reports is not None else ""

    def distrust(self, then: str) -> str | None:
        """Why a report is not believed; None: it is. `then`: `report_policy` when it was created."""
        if self._reports is None:
            return WITHOUT
        return distrust(self._reports.shipped.name, then, self._reports.now)

    def problems(self) -> dict[str, str]:
        """What differs, by the names of the policies that are not in force."""
        return {each.shipped.name: each.now.problem for each in self._all if each.now.problem}

    def collect(self) -> Iterator[Metric]:
        words = (
            "1 while an admission policy of the chart is in force as it was shipped; only from the process that leads."
        )
        gauge = GaugeMetricFamily("daskjob_policy_in_force", words, labels=["policy"])
        for each in self._all:
            if each.found or each.failures:
                gauge.add_metric([each.shipped.name], 0 if each.now.problem else 1)
        yield gauge

    async def look(self) -> None:
        """Reads all objects once."""
        await asyncio.gather(
            *(self._look(each, resource) for each in self._all for resource in (POLICIES, POLICY_BINDINGS))
        )

    async def keep_watching(self) -> None:
        """Watches all objects until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in self._all:
                for resource in (POLICIES, POLICY_BINDINGS):
                    group.create_task(self._keep_watching(each, resource))

    async def _look(self, watched: _Watched, resource: Resource) -> None:
        selector = f"metadata.name={watched.shipped.name}"
        try:
            found = await self._client.list(resource, None, fields=selector)
            self._note(watched, resource, next(iter(found), None))
        except ApiError as error:
            self._fail(watched, resource, error)

    async def _keep_watching(self, watched: _Watched, resource: Resource) -> None:
        #: When the first request failed after the last that did not; None: the last one did not.
        failing: float | None = None
        while True:
            began = self._clock()
            try:
                async for body in self._client.follow(resource, watched.shipped.name):
                    self._note(watched, resource, body)
                    failing = None
                # The next watch follows at once, unless they end as soon as they begin.
                pause = max(0.0, began + RETRY - self._clock())
            except ApiError as error:
                pause = max(RETRY, error.retry_after or 0)
                failing = self._clock() if failing is None else failing
                if self._clock() >= failing + PATIENCE:
                    self._fail(watched, resource, error)
            await asyncio.sleep(pause)

    def _note(self, watched: _Watched, resource: Resource, body: Body | None) -> None:
        watched.failures.pop(resource.kind, None)
        watched.found[resource.kind] = body
        self._judge(watched)

    def _fail(self, watched: _Watched, resource: Resource, error: ApiError) -> None:
        watched.failures[resource.kind] = f"{resource.kind} {watched.shipped.name} cannot be looked at: {error}"
        self._judge(watched)

    def _judge(self, watched: _Watched) -> None:
        known = {*watched.found, *watched.failures}
        if len(known) < 2:
            # The other object has not been looked at yet.
            return
        before, watched.now = watched.now, watched.enforcement()
        if before == watched.now:
            return
        name, problem = watched.shipped.name, watched.now.problem
        of_reports = watched is self._reports
        if problem and problem != before.problem:
            logger.warning(
                "the admission policy %s is not in force as it was shipped: %s. The chart installs it%s",
                name,
                problem,
                CONSEQUENCE if of_reports else "",
            )
        elif not problem:
            logger.info("the admission policy %s is in force", name)
        if of_reports:
            self.changed()
