"""Single passes where the state machine's model is too broad to see a fine point."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.api.resource import DASK_JOBS, EVENTS
from daskjob.controller.controller import Controller
from daskjob.controllers.job.kind import JobKind, JobMemory
from daskjob.controllers.job.pod_warnings import FRESH
from daskjob.controllers.job.watched import BY_KIND
from daskjob.errors import ApiError, ErrorKind, NameConflictError
from daskjob.kube.refusal import classify
from daskjob.manifests.context import Defaults

from ..lifecycle import builders
from ..lifecycle.model import NAMESPACE, Server
from ..lifecycle.world import a_job
from .refusing import RefusingClient

KEY = (NAMESPACE, "sum")


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels > 1 else []


class Setting:
    def __init__(self, spec: dict[str, Any] | None = None, defaults: Defaults | None = None) -> None:
        self.server = Server()
        self.client: Any = RefusingClient(self.server, "2026-03-01T12:00:00Z")
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.controller = self.another(defaults)
        self.cache = self.controller.kind.cache
        spec = spec or {"graph": {"entrypoint": "m:f"}}
        self.job = self.server.create("DaskJob", a_job(spec), "2026-03-01T11:59:59Z")
        self.cache.put_whole(self.job)

    def another(self, defaults: Defaults | None = None) -> Controller[Any, Any, Any, Any]:
        """A controller of jobs whose cache is empty."""
        defaults = defaults or Defaults(image="localhost/i")
        return Controller(JobKind(self.client, lambda: self.now, b"program", defaults))

    async def look(self) -> float | None:
        return await self.controller.reconcile(KEY)

    def status(self) -> dict[str, Any]:
        job = self.server.find("DaskJob", "sum")
        assert job is not None
        return job.get("status", {})

    def reason(self) -> str:
        return next((each["reason"] for each in self.status()["conditions"] if each["type"] != "CleanedUp"), "")


@pytest.fixture
def setting() -> Setting:
    return Setting()


async def test_one_pass_makes_all_of_an_attempt_in_order(setting: Setting) -> None:
    await setting.look()
    made = [kind for verb, kind in setting.client.requests if verb in ("create", "status") and kind != "Event"]
    assert made[0] == "DaskJob", "the attempt is recorded before anything is made"
    assert sorted(made[1:3]) == ["ConfigMap", "ServiceAccount"], "what all jobs share; ConfigMap: the runner's program"
    assert made[3] == "DaskCluster"
    assert sorted(made[4:-2]) == ["NetworkPolicy", "Secret", "Service"]
    assert made[-2:] == ["Pod", "DaskJobReport"], "the report comes last: where it is, all else was made"


@pytest.mark.parametrize(("value", "words"), [("x" * 300_000, "takes 300013 bytes"), (deep(65), "more than 64 lists")])
async def test_arguments_beyond_the_limits_end_the_job_before_anything_is_made(value: Any, words: str) -> None:
    setting = Setting({"graph": {"entrypoint": "m:f", "args": [value]}})
    await setting.look()
    failure = setting.status()["failure"]
    assert failure["reason"] == "InvalidSpec"
    assert failure["message"].startswith("spec.graph")
    assert words in failure["message"]
    assert {kind for verb, kind in setting.client.requests if verb == "create"} <= {"Event"}


async def test_a_second_pass_makes_nothing(setting: Setting) -> None:
    await setting.look()
    setting.client.requests.clear()
    setting.client.writes = 0
    await setting.look()
    assert [each for each in setting.client.requests if each[0] == "create"] == []


async def test_a_refusal_is_told_at_once_and_then_backed_off_from_whatever_its_words(setting: Setting) -> None:
    """A quota's counts change with every pod of the namespace: the next try must not follow at once for that."""
    for number in range(3):
        words = f"pods is forbidden: exceeded quota: q, used: pods={number}"
        setting.client.refusals["create", "Pod"] = classify(403, words)
        if number == 0:
            assert await setting.look() == 0.0
            continue
        with pytest.raises(ApiError) as refused:
            await setting.look()
        # Backing off must not miss the startup deadline.
        assert refused.value.requeue_after is not None
    assert setting.reason() == "QuotaExceeded"


async def test_a_refusal_is_forgotten_once_it_is_over(setting: Setting) -> None:
    setting.client.refusals["create", "Pod"] = classify(403, "exceeded quota: q")
    await setting.look()
    del setting.client.refusals["create", "Pod"]
    await setting.look()
    await setting.look()
    assert setting.reason() == "Waiting"


async def test_events_of_pods_are_a_courtesy(setting: Setting) -> None:
    await setting.look()
    state = {"name": "runner", "state": {"waiting": {"reason": "ContainerCreating"}}}
    pod = setting.server.update(
        "Pod", setting.server.all("Pod")[0]["metadata"]["name"], status={"containerStatuses": [state]}
    )
    setting.cache.put_whole(pod)
    setting.now += timedelta(seconds=10)
    setting.client.refusals["list", "Event"] = classify(403, "events is forbidden: User cannot list")
    await setting.look()
    assert ("list", EVENTS.kind) in setting.client.requests
    del setting.client.refusals["list", "Event"]
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"name": pod["metadata"]["name"]},
        "reason": "FailedMount",
        "message": 'secret "x" not found',
    }
    setting.server.create("Event", event, "2026-03-01T12:00:00Z")
    setting.now += FRESH
    await setting.look()
    assert setting.reason() == "VolumeMountFailed"


async def test_a_job_that_has_no_room_for_a_status_is_told_so_by_an_event_and_left_alone(setting: Setting) -> None:
    setting.client.refusals["status", "DaskJob"] = classify(500, "etcdserver: request is too large")
    for _ in range(2):
        with pytest.raises(ApiError) as refused:
            await setting.look()
        assert refused.value.retry_after == 300
    [event] = setting.server.all("Event")
    assert (event["reason"], event["type"]) == ("StatusNotRecorded", "Warning")
    assert "request is too large; delete the job, and apply one that is smaller" in event["message"]
    assert {kind for verb, kind in setting.client.requests if verb == "create"} == {"Event"}


def reported(setting: Setting, **status: Any) -> None:
    """The runner's report has this status, and the watch delivers it."""
    name = setting.server.all("DaskJobReport")[0]["metadata"]["name"]
    setting.cache.put_whole(setting.server.update("DaskJobReport", name, status={"protocol": 1, **status}))


@pytest.mark.parametrize("length", [10, 1023, 2000, 200_000])
async def test_a_result_of_any_length_is_recorded_whole(setting: Setting, length: int) -> None:
    await setting.look()
    text = '["%s", 1]' % ("x" * length)
    types = {f"/{number}": "tuple" for number in range(min(length // 10, 1000))}
    reported(setting, outcome="Succeeded", result={"type": "list", "value": text, "types": types})
    await setting.look()
    result = setting.status()["result"]
    assert (result["value"], result.get("types", {}), result["size"]) == (text, types, length + 7)


async def test_a_long_traceback_is_recorded_as_it_may_be_shown(setting: Setting) -> None:
    await setting.look()
    lines = "".join(f"  File {number}\x1b[31m\x00\n" for number in range(1000))
    failure = {"reason": "TaskFailed", "message": "boom", "traceback": lines}
    reported(setting, outcome="Failed", failure=failure)
    await setting.look()
    traceback = setting.status()["failure"]["traceback"]
    assert traceback.startswith("…")
    assert traceback.endswith("  File 998\n  File 999\n")
    assert len(traceback.encode()) <= 4096


async def test_a_status_that_is_refused_is_written_without_its_details(setting: Setting) -> None:
    await setting.look()
    reported(setting, outcome="Succeeded", result={"type": "str", "value": '"%s"' % ("x" * 270_000)})
    await setting.look()
    assert setting.status()["phase"] == "Succeeded"
    assert "value" not in setting.status()["result"]
    [complete] = [each for each in setting.status()["conditions"] if each["type"] == "Complete"]
    assert complete["message"].startswith("the graph was computed (details left out, the API server refused them: ")


async def test_no_image_at_all() -> None:
    setting = Setting(defaults=Defaults())
    await setting.look()
    assert setting.status()["failure"]["reason"] == "InvalidSpec"
    assert setting.status()["failure"]["message"].startswith("spec.cluster.image: is missing")
    assert [kind for kind, _ in setting.server.objects if kind not in ("DaskJob", "Event")] == []


async def test_a_template_that_may_not_be_ends_the_job_with_the_field_named() -> None:
    setting = Setting({"graph": {"entrypoint": "m:f"}, "runner": {"template": {"spec": {"hostPID": True}}}})
    await setting.look()
    assert setting.status()["failure"]["message"].startswith("spec.runner.template.spec.hostPID: ")


async def test_what_a_request_did_that_was_not_answered_is_found(setting: Setting) -> None:
    """The pod is made, the answer lost: the next pass finds the pod and gives it its report."""
    setting.client.plan.extend([*["ok"] * 10, "timeout"])
    with pytest.raises(ApiError):
        await setting.look()
    assert [kind for kind, _ in setting.server.objects if kind in ("Pod", "DaskJobReport")] == ["Pod"]
    await setting.look()
    report, pod = setting.server.all("DaskJobReport")[0], setting.server.all("Pod")[0]
    assert report["spec"]["runnerPodUID"] == pod["metadata"]["uid"]


async def test_a_pass_makes_what_the_one_before_could_not(setting: Setting) -> None:
    """Or an API server that fails one request in ten would hardly ever let all of an attempt be made in one pass."""
    for refused, expected in (
        ("Secret", {"ServiceAccount", "DaskCluster", "NetworkPolicy", "Service", "Secret", "ConfigMap"}),
        ("Pod", {"DaskCluster", "Secret", "Pod"}),
        ("DaskJobReport", {"DaskCluster", "Pod", "DaskJobReport"}),
    ):
        setting.client.requests.clear()
        setting.client.refusals = {("create", refused): classify(503, "not now")}
        with pytest.raises(ApiError):
            await setting.look()
        assert {kind for verb, kind in setting.client.requests if verb == "create"} - {"Event"} == expected
    setting.client.refusals = {}
    await setting.look()
    assert len(setting.server.all("DaskJobReport")) == 1


async def test_a_cluster_that_was_made_anew_gets_all_that_belongs_to_it(setting: Setting) -> None:
    setting.client.refusals = {("create", "Pod"): classify(503, "not now")}
    with pytest.raises(ApiError):
        await setting.look()
    cluster = setting.server.all("DaskCluster")[0]["metadata"]
    for kind in ("DaskCluster", "NetworkPolicy", "Service", "Secret"):
        setting.server.remove(kind, setting.server.all(kind)[0]["metadata"]["name"])
    setting.cache.forget("DaskCluster", NAMESPACE, cluster["name"], cluster["uid"])
    setting.client.refusals = {}
    await setting.look()
    assert [len(setting.server.all(kind)) for kind in ("NetworkPolicy", "Service", "Secret")] == [1, 1, 1]


def of_cluster(setting: Setting, component: str) -> dict[str, Any]:
    """Labels and owner of a pod that the Dask controller created: a worker's group is gone."""
    cluster = setting.server.all("DaskCluster")[0]["metadata"]
    kind, name, uid = "DaskCluster", cluster["name"], cluster["uid"]
    if component == "worker":
        kind, name, uid = "DaskWorkerGroup", f"{name}-default", "of-a-group"
    owner = {"apiVersion": c.DASK_API_VERSION, "kind": kind, "name": name, "uid": uid, "controller": True}
    return {"labels": {**cluster["labels"], c.DASK_COMPONENT_LABEL: component}, "ownerReferences": [owner]}


def add_scheduler(setting: Setting) -> str:
    """A scheduler's pod that has an address. Returns its cluster's name."""
    name: str = setting.server.all("DaskCluster")[0]["metadata"]["name"]
    metadata = {"name": f"{name}-scheduler", "namespace": NAMESPACE, **of_cluster(setting, "scheduler")}
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"containers": [{"name": "scheduler"}]}}
    setting.server.create("Pod", pod, "2026-03-01T12:00:00Z")
    setting.cache.put_whole(setting.server.update("Pod", metadata["name"], status={"podIP": "fd00::9"}))
    return name


async def test_the_service_leads_nowhere_until_the_scheduler_has_an_address(setting: Setting) -> None:
    await setting.look()
    (service,) = setting.server.all("Service")
    assert "selector" not in service["spec"]
    name = add_scheduler(setting)
    setting.client.refusals = {("patch", "Service"): classify(503, "not now")}
    with pytest.raises(ApiError):
        await setting.look()
    setting.client.refusals = {}
    await setting.look()
    await setting.look()
    (service,) = setting.server.all("Service")
    assert service["spec"]["selector"] == {c.DASK_CLUSTER_LABEL: name, c.DASK_COMPONENT_LABEL: "scheduler"}
    assert setting.client.requests.count(("patch", "Service")) == 2, "the one that was refused, and one more"


async def test_another_operator_opens_the_service_that_the_first_one_left(setting: Setting) -> None:
    await setting.look()
    add_scheduler(setting)
    controller = setting.another()
    for kind in ("DaskJob", "DaskCluster", "DaskJobReport", "Pod"):
        for body in setting.server.all(kind):
            controller.kind.cache.put_whole(body)
    await controller.reconcile(KEY)
    assert "selector" in setting.server.all("Service")[0]["spec"]


async def test_a_service_of_somebody_else_is_left_alone(setting: Setting) -> None:
    await setting.look()
    name = add_scheduler(setting)
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "theirs", "uid": "another"}
    service = setting.server.all("Service")[0]
    service["metadata"]["ownerReferences"] = [owner]
    setting.server.remove("Service", f"{name}-scheduler")
    setting.server.create("Service", service, "2026-03-01T12:00:00Z")
    await setting.look()
    with pytest.raises(NameConflictError):
        await setting.look()
    assert "selector" not in setting.server.all("Service")[0]["spec"]
    assert "delete or rename it" in str(setting.status()["conditions"])


async def test_what_a_watch_did_not_tell_of_is_asked_for_before_a_failure_is_for_good(setting: Setting) -> None:
    """The kubelet's word that memory was exceeded is there, and the watch is behind: it decides on reason and class."""
    await setting.look()
    name = setting.server.all("DaskJobReport")[0]["metadata"]["name"]
    worker = f"{name}-default-worker-0"
    end = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    killed = {"name": "worker", "restartCount": 1, "lastState": end}
    metadata = {"name": worker, **of_cluster(setting, "worker")}
    pod = {"metadata": metadata, "spec": {"containers": [{"name": "worker"}]}}
    setting.server.create("Pod", pod, "2026-03-01T12:00:00Z")
    setting.server.update("Pod", worker, status={"phase": "Running", "containerStatuses": [killed]})
    said = {"protocol": 1, "outcome": "Failed", "failure": {"reason": "WorkersKilled", "message": "4 workers died"}}
    setting.cache.put_whole(setting.server.update("DaskJobReport", name, status=said))
    await setting.look()
    assert setting.status()["failure"]["reason"] == "WorkerOOMKilled"


async def test_an_end_that_no_watch_told_of_is_found(setting: Setting) -> None:
    """What a list after a break does not have any more is no event."""
    await setting.look()
    name = setting.server.all("DaskJobReport")[0]["metadata"]["name"]
    setting.cache.put_whole(
        setting.server.update("DaskJobReport", name, status={"protocol": 1, "outcome": "Succeeded"})
    )
    await setting.look()
    setting.server.remove("Pod", f"{name}-runner")
    again = await setting.look()
    assert again is not None
    assert not any(each["type"] == "CleanedUp" for each in setting.status()["conditions"])
    setting.now += timedelta(seconds=again)
    await setting.look()
    assert any(each["type"] == "CleanedUp" for each in setting.status()["conditions"])


async def test_the_janitor_asks_before_it_deletes(setting: Setting) -> None:
    """The store may know an older job of the name: what belongs to the one that is there stays."""
    await setting.look()
    old = {**setting.job, "metadata": {**setting.job["metadata"], "uid": "older"}}
    late = setting.another()
    stale = late.kind.cache
    stale.put(old)
    for kind in BY_KIND:
        for body in setting.server.all(kind):
            if kind != DASK_JOBS.kind:
                stale.put(body)
    setting.now += timedelta(minutes=5)
    before = set(setting.server.objects)
    with pytest.raises(ApiError) as caught:
        await late.reconcile(KEY)
    assert caught.value.kind is ErrorKind.CONFLICT
    assert before <= set(setting.server.objects)


async def test_the_janitor_removes_what_a_deleted_job_left(setting: Setting) -> None:
    await setting.look()
    setting.server.remove("DaskJob", "sum")
    setting.cache.drop({**setting.job, "metadata": {**setting.job["metadata"], "resourceVersion": "9999"}})
    assert await setting.look() is None
    assert setting.server.all("DaskCluster") != [], "the garbage collector goes first"
    setting.now += timedelta(minutes=3)
    await setting.look()
    left = {kind for kind, _ in setting.server.objects}
    assert left.isdisjoint({"DaskCluster", "Pod", "DaskJobReport", c.GROUP})


def test_what_a_runner_said_before_the_first_look_is_of_unknown_age() -> None:
    memory, scene = JobMemory(), builders.a_job().started()
    assert memory.with_report_age(scene.observe()).last_report_at is None
    assert memory.with_report_age(scene.observe()).last_report_at is None, "nothing new"
    assert memory.with_report_age(scene.says(seq=4).observe()).last_report_at == builders.NOW
    later = builders.NOW + timedelta(seconds=9)
    assert memory.with_report_age(replace(scene.says(seq=4).observe(), now=later)).last_report_at == builders.NOW
    assert memory.with_report_age(replace(scene.says(seq=5).observe(), now=later)).last_report_at == later
    assert memory.with_report_age(scene.sees(report=None).observe()).last_report_at == later


async def test_a_job_is_deleted_in_the_pass_that_records_that_it_is_clean() -> None:
    """The deletion asks for the version that this very pass wrote: an edit in between would come first."""
    setting = Setting({"graph": {"entrypoint": "m:f"}, "ttlSecondsAfterFinished": 0})
    end = {"type": "Complete", "status": "True", "reason": "Succeeded", "message": ""}
    end["lastTransitionTime"] = "2026-03-01T11:59:00Z"
    status = {"phase": "Succeeded", "completionTime": "2026-03-01T11:59:00Z", "conditions": [end], "run": 1}
    setting.cache.put_whole(setting.server.update("DaskJob", "sum", status=status))
    setting.client.requests.clear()
    await setting.look()
    assert [each for each in setting.client.requests if each[1] == "DaskJob"] == [
        ("status", "DaskJob"),
        ("delete", "DaskJob"),
    ]
    assert setting.server.find("DaskJob", "sum") is None
