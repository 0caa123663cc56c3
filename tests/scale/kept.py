"""K finished jobs that are kept, and an operator that starts among them."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass

from .bench import Bench, running
from .connection import JOBS, Body, Connection
from .figures import Figure, Goal, at_most
from .following import Jobs
from .manifests import job
from .playing import JOB_UID, Runners
from .processes import OPERATOR

NAMESPACE = "scale-kept"
SAMPLE = "sample"
#: Bytes of a large result: the most that a status keeps.
LARGE = 256 * 1024
#: Seconds for which CPU is measured while nothing happens.
IDLE_SECONDS = 60.0
#: How long the operator may take until it leads, before this is given up.
PATIENCE = 300.0
GOALS: dict[str, Goal] = {
    "operator, memory at its peak": at_most(300),
    "start → leads": at_most(60),
    "operator, CPU while idle": at_most(3),
    "restarts": at_most(0),
}


@dataclass(frozen=True)
class Sample:
    """A finished job with its report and its runner's pod, as the operator left them, to be copied."""

    job: Body
    report: Body
    pod: Body

    def of(self, name: str, uid: str) -> Sample:
        """The same, as they would be of a job of that name and UID."""
        old, old_uid = self.job["metadata"]["name"], self.job["metadata"]["uid"]
        text = json.dumps([self.job, self.report, self.pod])
        # The names of a job's objects have the first characters of its UID.
        text = text.replace(old_uid, uid).replace(f"{old}-{old_uid[:5]}", f"{name}-{uid[:5]}")
        return Sample(*json.loads(text.replace(f'"{old}"', f'"{name}"')))


async def kept(bench: Bench, number: int, large: int, idle_seconds: float = IDLE_SECONDS) -> list[Figure]:
    """`large` of the jobs have results of 256 KiB. CPU is measured for `idle_seconds` once the operator leads."""
    title = f"{number} kept, {large} with large results"
    connection = bench.connection
    async with bench.namespace(NAMESPACE) as namespace:
        sample = await _sample(bench, namespace)
        await asyncio.to_thread(bench.scale, OPERATOR, 0)
        await asyncio.gather(*(_keep(connection, namespace, sample, i, i < large) for i in range(number)))
        bench.tell(f"{number} kept jobs written")
        bench.processes.forget()
        jobs, runners = Jobs(connection, namespace), Runners(connection, namespace)
        async with running(bench.processes.watch(), runners.play()):
            began = time.monotonic()
            leads = await _leads(bench, began)
            usage = bench.processes.usage
            bench.tell(f"leads after {leads} s")
            idle = None
            if leads is not None and idle_seconds:
                before = usage[OPERATOR].cpu
                await asyncio.sleep(idle_seconds)
                idle = 100 * (usage[OPERATOR].cpu - before) / idle_seconds
            async with running(jobs.follow()):
                created = time.monotonic()
                await jobs.create(job("newcomer"))
                await jobs.until(lambda: "newcomer" in jobs.concluded, PATIENCE)
            newcomer = jobs.concluded.get("newcomer")
            found = usage[OPERATOR]
    values: list[tuple[str, float | None, str]] = [
        ("start → leads", leads, "s"),
        ("operator, memory at its peak", found.peak, "MiB"),
        ("operator, memory at the end", found.memory, "MiB"),
        ("operator, CPU while idle", idle, "%"),
        ("a new job's result after", newcomer - created if newcomer else None, "s"),
        ("restarts", found.restarts, ""),
    ]
    return [Figure(title, name, value, unit, GOALS.get(name)) for name, value, unit in values]


async def _sample(bench: Bench, namespace: str) -> Sample:
    """Runs one job to its end."""
    connection = bench.connection
    jobs, runners = Jobs(connection, namespace), Runners(connection, namespace)
    async with running(jobs.follow(), runners.play()):
        await jobs.create(job(SAMPLE))
        assert await jobs.until(lambda: SAMPLE in jobs.cleaned, PATIENCE), "the sample job did not come to its end"
    body = await connection.request("GET", f"{JOBS}/namespaces/{namespace}/daskjobs/{SAMPLE}")
    [report] = await connection.items(f"{JOBS}/namespaces/{namespace}/daskjobreports")
    selector = f"{JOB_UID}={body['metadata']['uid']}"
    [pod] = await connection.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)
    # Items of a list of Kubernetes' own kinds do not say what they are.
    return Sample(body, report, {"apiVersion": "v1", "kind": "Pod", **pod})


async def _keep(connection: Connection, namespace: str, sample: Sample, number: int, large: bool) -> None:
    """Writes one more job that has ended, with its report and its runner's pod."""
    root, name = f"{JOBS}/namespaces/{namespace}", f"kept-{number}"
    made = await connection.create(f"{root}/daskjobs", _new(sample.job, name))
    copy = sample.of(name, made["metadata"]["uid"])
    if large:
        value = json.dumps("x" * (LARGE - 2))
        for each in (copy.job, copy.report):
            if "value" in each["status"].get("result", {}):
                each["status"]["result"].update(type="str", value=value, size=LARGE)
    await connection.patch(f"{root}/daskjobs/{name}/status", {"status": copy.job["status"]})
    report = copy.report["metadata"]["name"]
    await connection.create(f"{root}/daskjobreports", _new(copy.report, report))
    await connection.patch(f"{root}/daskjobreports/{report}/status", {"status": copy.report["status"]})
    pods, pod = f"/api/v1/namespaces/{namespace}/pods", copy.pod["metadata"]["name"]
    body = _new(copy.pod, pod)
    # No scheduler of this name: the pod stays without a node, where nothing runs it again.
    body["spec"] = {**body["spec"], "schedulerName": "nobody", "nodeName": None}
    await connection.create(pods, body)
    await connection.patch(f"{pods}/{pod}/status", {"status": {"phase": "Succeeded"}})


def _new(body: Body, name: str) -> Body:
    """The object as it is created."""
    old = body["metadata"]
    kept = {key: old[key] for key in ("labels", "annotations", "ownerReferences") if key in old}
    return {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": {"name": name, **kept},
        "spec": body["spec"],
    }


async def _leads(bench: Bench, began: float) -> float | None:
    """Starts an operator. Seconds from `began` until it is ready, which means that it leads and has read all; None: it
    is not."""
    try:
        await asyncio.to_thread(bench.scale, OPERATOR, 1, PATIENCE)
    except AssertionError:
        return None
    return time.monotonic() - began
