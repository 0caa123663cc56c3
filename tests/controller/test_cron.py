"""Single passes over a cron job: what is asked of the API server, and what its answers lead to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.api.resource import DASK_CRON_JOBS, DASK_JOBS
from daskjob.controller.controller import Controller
from daskjob.controller.feed import Feed
from daskjob.controller.resync import is_served, resync
from daskjob.controllers.cron.kind import CronKind, cron_of
from daskjob.errors import ApiError, ErrorKind, NameConflictError, SpecError
from daskjob.kube.client import Body
from daskjob.kube.refusal import classify
from daskjob.lifecycle.job.queueing import RunLimits
from daskjob.manifests.context import Defaults

from ..lifecycle.model import NAMESPACE, Server
from .refusing import RefusingClient

NAME = "nightly"
DEFAULTS = Defaults(image="localhost/dask")
KEY = (NAMESPACE, NAME)
DUE = "nightly-29654540"
TEMPLATE = {
    "metadata": {"labels": {"team": "a", c.CRON_JOB_LABEL: "mine"}, "annotations": {"note": "b"}},
    "spec": {"graph": {"entrypoint": "a:b", "args": [1, {"x": None}]}},
}


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


class Setting:
    def __init__(self, **spec: Any) -> None:
        self.server = Server()
        self.client: Any = RefusingClient(self.server, "2026-05-20T10:00:30Z")
        self.now = datetime(2026, 5, 20, 10, 20, 1, tzinfo=UTC)
        self.begin()
        spec = {"schedule": "*/10 * * * *", "jobTemplate": TEMPLATE, **spec}
        body = {"metadata": {"name": NAME}, "spec": spec}
        self.cron = self.server.create(DASK_CRON_JOBS.kind, body, "2026-05-20T10:00:30Z")
        self.cache.put_whole(self.cron)

    def begin(self) -> None:
        """A process that knows nothing."""
        self.controller = Controller(CronKind(self.client, lambda: self.now, DEFAULTS, RunLimits(workers_per_job=9)))
        self.cache = self.controller.kind.cache

    async def look(self) -> float | None:
        self.client.requests.clear()
        return await self.controller.reconcile(KEY)

    async def settle(self) -> None:
        for _ in range(3):
            await self.look()

    def status(self) -> dict[str, Any]:
        body = self.server.find(DASK_CRON_JOBS.kind, NAME)
        assert body is not None
        return body.get("status", {})

    def condition(self, kind: str) -> dict[str, Any]:
        return next((each for each in self.status()["conditions"] if each["type"] == kind), {})

    def job(self, name: str = DUE) -> Body:
        found = self.server.find(DASK_JOBS.kind, name)
        assert found is not None, [name for _, name in self.server.objects]
        return found

    def jobs(self) -> list[str]:
        return [each["metadata"]["name"] for each in self.server.all(DASK_JOBS.kind)]

    def end(self, name: str = DUE, kind: str = "Complete") -> None:
        """The job ends, and the watch tells."""
        status = {"conditions": [{"type": kind, "status": "True"}], "completionTime": "2026-05-20T10:21:00Z"}
        self.cache.put_whole(self.server.update(DASK_JOBS.kind, name, status=status))

    def events(self) -> list[str]:
        return [each["reason"] for each in self.server.all("Event")]


@pytest.fixture
def setting() -> Setting:
    return Setting()


async def test_a_run(setting: Setting) -> None:
    assert await setting.look() == 0.0, "the next pass records it"
    assert setting.client.requests == [
        ("get", "DaskCronJob"),
        ("status", "DaskCronJob"),
        ("get", "DaskCronJob"),
        ("create", "DaskJob"),
    ]
    assert await setting.look() == 60.0
    assert setting.client.requests == [("status", "DaskCronJob"), ("create", "Event")]
    uid = setting.job()["metadata"]["uid"]
    assert setting.status()["active"] == [{"name": DUE, "uid": uid}]
    assert setting.status()["lastScheduleTime"] == "2026-05-20T10:20:00Z"
    assert setting.status()["nextScheduleTime"] == "2026-05-20T10:30:00Z"
    assert await setting.look() == 60.0
    assert setting.client.requests == [], "nothing is said or done twice"
    setting.now += timedelta(minutes=9, seconds=30)
    assert await setting.look() == pytest.approx(29.0)


async def test_the_job(setting: Setting) -> None:
    await setting.look()
    job = setting.job()
    metadata = job["metadata"]
    assert job["spec"] == TEMPLATE["spec"]
    assert metadata["labels"] == {"team": "a", c.CRON_JOB_LABEL: NAME}
    assert metadata["annotations"] == {"note": "b", c.SCHEDULED_AT_ANNOTATION: "2026-05-20T10:20:00+00:00"}
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "daskjob.io/v1alpha1",
            "kind": "DaskCronJob",
            "name": NAME,
            "uid": setting.cron["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ]


async def test_the_time_of_a_job_is_told_in_the_schedules_zone() -> None:
    setting = Setting(timeZone="America/New_York")
    await setting.look()
    assert setting.job()["metadata"]["annotations"][c.SCHEDULED_AT_ANNOTATION] == "2026-05-20T06:20:00-04:00"


async def test_a_run_that_was_asked_for() -> None:
    setting = Setting(suspend=True)
    metadata = {**setting.cron["metadata"], "annotations": {c.RUN_NOW_ANNOTATION: "please"}}
    setting.cache.put_whole(setting.server.update(DASK_CRON_JOBS.kind, NAME, metadata=metadata))
    await setting.settle()
    (name,) = setting.jobs()
    assert setting.job(name)["metadata"]["annotations"] == {"note": "b", c.RUN_NOW_ANNOTATION: "please"}
    assert (setting.status()["runNow"], setting.status()["runNowCount"]) == ("please", 1)
    assert "lastScheduleTime" not in setting.status()


async def test_what_an_unanswered_request_made_is_found(setting: Setting) -> None:
    setting.client.plan.extend(["ok", "ok", "ok", "timeout"])
    with pytest.raises(ApiError):
        await setting.look()
    assert setting.jobs() == [DUE]
    await setting.settle()
    assert setting.jobs() == [DUE]
    assert setting.status()["active"][0]["name"] == DUE


@pytest.mark.parametrize("owner", [None, "an older cron job of that name"])
async def test_a_name_that_is_taken(setting: Setting, owner: str | None) -> None:
    references = [{"apiVersion": c.API_VERSION, "kind": "DaskCronJob", "name": NAME, "uid": owner, "controller": True}]
    metadata = {"name": DUE, "ownerReferences": references if owner else []}
    taken = setting.server.create(DASK_JOBS.kind, {"metadata": metadata}, "2026-05-20T10:20:00Z")
    setting.cache.put_whole(taken)
    assert await setting.look() == 0.0
    with pytest.raises(NameConflictError):
        await setting.look()
    assert setting.condition("Ready")["reason"] == "FailedCreate"
    assert setting.condition("Stalled") == {}, "it may go"
    assert setting.job()["metadata"]["uid"] == taken["metadata"]["uid"]
    setting.server.remove(DASK_JOBS.kind, DUE)
    await setting.settle()
    assert setting.status()["active"][0]["name"] == DUE
    assert setting.condition("Ready")["status"] == "True"


async def test_a_refusal_is_told_once_whatever_its_words_and_then_backed_off_from(setting: Setting) -> None:
    for number in range(3):
        setting.client.refusals["create", "DaskJob"] = classify(403, f"exceeded quota: q, used: {number}")
        if number == 0:
            assert await setting.look() == 0.0
            continue
        with pytest.raises(ApiError):
            await setting.look()
    ready = setting.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "FailedCreate")
    assert ready["message"].endswith("exceeded quota: q, used: 0"), "each write would bring on the next try"
    assert setting.condition("Stalled") == {}
    del setting.client.refusals["create", "DaskJob"]
    await setting.settle()
    assert setting.condition("Ready")["reason"] == "Scheduled"
    assert setting.jobs() == [DUE]


async def test_a_template_that_is_refused_for_good_stalls(setting: Setting) -> None:
    """As after an upgrade that made the rules stricter."""
    setting.client.refusals["create", "DaskJob"] = classify(422, "spec.graph: Invalid value")
    assert await setting.look() == 0.0
    with pytest.raises(ApiError):
        await setting.look()
    assert setting.condition("Stalled")["message"].endswith("InvalidSpec: spec.jobTemplate: spec.graph: Invalid value")


async def test_a_template_beyond_the_limits_of_a_job_stalls_and_nothing_is_sent() -> None:
    graph = {"entrypoint": "m:f", "args": ["x" * 300_000]}
    setting = Setting(jobTemplate={"spec": {"graph": graph}})
    assert await setting.look() == 0.0
    with pytest.raises(SpecError):
        await setting.look()
    assert ("create", "DaskJob") not in setting.client.requests
    message = setting.condition("Stalled")["message"]
    assert "InvalidSpec: spec.jobTemplate.spec.graph: takes 300013 bytes as JSON (args), of at most 262144" in message


def in_workers(spec: Any) -> Any:
    return {"workers": {"template": {"spec": spec}}}


#: Templates whose jobs would fail when their time has come, and what the status says before.
INVALID = {
    "too deep": ({"graph": {"entrypoint": "a:b", "args": [nested(70)]}}, "spec.graph.args[0]"),
    "too large": ({"graph": {"entrypoint": "a:b", "args": ["x" * 300_000]}}, "spec.graph: takes 300013 bytes"),
    "a template beyond the limits": ({"runner": {"template": {"spec": {"x": "x" * 70_000}}}}, "spec.runner.template: "),
    "a misspelt field": (
        {"cluster": in_workers({"nodeSelectors": {"disk": "ssd"}})},
        "spec.cluster.workers.template.spec.nodeSelectors: ",
    ),
    "a value of another type": ({"cluster": in_workers({"priority": "high"})}, "spec.cluster.workers.template.spec."),
    "a closed field": (
        {"runner": {"template": {"spec": {"hostNetwork": True}}}},
        "spec.runner.template.spec.hostNetwork: ",
    ),
    "an account": (
        {"cluster": {"scheduler": {"template": {"spec": {"serviceAccountName": "deployer"}}}}},
        "spec.cluster.scheduler.template.spec.serviceAccountName: ",
    ),
    "a variable": ({"cluster": {"env": [{"name": "DASKJOB_X", "value": "1"}]}}, "spec.cluster.env[DASKJOB_X]: "),
    "too many workers": ({"cluster": {"workers": {"replicas": 10}}}, "spec.cluster.workers.replicas: 10 workers"),
}


@pytest.mark.parametrize(("spec", "field"), INVALID.values(), ids=INVALID)
async def test_a_template_whose_jobs_would_fail_says_so_at_once(spec: Any, field: str) -> None:
    spec = {**TEMPLATE["spec"], **spec}
    setting = Setting(schedule="0 4 1 1 *", jobTemplate={"spec": spec})
    await setting.look()
    for kind, status in (("Ready", "False"), ("Stalled", "True")):
        found = setting.condition(kind)
        assert (found["status"], found["reason"]) == (status, "InvalidTemplate")
        assert found["message"].startswith(f"each job fails with InvalidSpec: spec.jobTemplate.{field}")
    await setting.look()
    assert setting.client.requests == [], "a template is read once"
    mended = {**setting.cron["spec"], "jobTemplate": TEMPLATE}
    metadata = {**setting.cron["metadata"], "generation": 2}
    setting.cache.put_whole(setting.server.update(DASK_CRON_JOBS.kind, NAME, spec=mended, metadata=metadata))
    await setting.settle()
    assert setting.condition("Ready")["reason"] == "Scheduled"
    assert setting.condition("Stalled") == {}


async def test_without_an_image_anywhere_each_job_fails(setting: Setting) -> None:
    setting.controller = Controller(CronKind(setting.client, lambda: setting.now, Defaults()))
    setting.controller.kind.cache.put_whole(setting.cron)
    await setting.look()
    assert "spec.jobTemplate.spec.cluster.image: is missing" in setting.condition("Stalled")["message"]


async def test_a_run_of_an_invalid_template_is_made_and_fails_where_people_look_for_it() -> None:
    setting = Setting(jobTemplate={"spec": {**TEMPLATE["spec"], "runner": INVALID["a closed field"][0]["runner"]}})
    await setting.settle()
    assert setting.jobs() == [DUE]
    assert setting.condition("Ready")["reason"] == "InvalidTemplate"


async def test_a_cron_job_that_is_being_deleted_is_not_read(setting: Setting) -> None:
    metadata = {**setting.cron["metadata"], "deletionTimestamp": "2026-05-20T10:20:00Z"}
    setting.cache.put_whole(setting.server.update(DASK_CRON_JOBS.kind, NAME, metadata=metadata))
    await setting.look()
    assert setting.client.requests == []


async def test_a_refusal_is_over_when_nothing_is_asked_for_any_more(setting: Setting) -> None:
    setting.client.refusals["create", "DaskJob"] = classify(403, "exceeded quota: q")
    await setting.look()
    suspended = {**setting.cron["spec"], "suspend": True}
    setting.cache.put_whole(setting.server.update(DASK_CRON_JOBS.kind, NAME, spec=suspended))
    await setting.settle()
    assert setting.condition("Ready")["reason"] == "Suspended"


async def test_replace_deletes_before_it_makes() -> None:
    setting = Setting(concurrencyPolicy="Replace")
    await setting.settle()
    setting.now += timedelta(minutes=10)
    await setting.look()
    assert setting.client.requests == [
        ("delete", "DaskJob"),
        ("create", "Event"),
        ("get", "DaskCronJob"),
        ("create", "DaskJob"),
    ]
    assert setting.jobs() == ["nightly-29654550"]


async def test_the_status_is_written_before_a_job_is_deleted() -> None:
    setting = Setting(successfulJobsHistoryLimit=0)
    await setting.settle()
    setting.end()
    await setting.look()
    changes = [each for each in setting.client.requests if each[1] != "Event"]
    assert changes == [("status", "DaskCronJob"), ("delete", "DaskJob")]
    assert setting.jobs() == []
    assert setting.status()["lastSuccessfulTime"] == "2026-05-20T10:21:00Z"


async def test_an_ended_job_that_was_made_to_run_anew_is_not_deleted() -> None:
    """The watch is late: the delete asks for the job as it was seen, and learns that it has changed."""
    setting = Setting(successfulJobsHistoryLimit=0)
    await setting.settle()
    setting.end()
    setting.server.update(DASK_JOBS.kind, DUE, status={"phase": "Running"})
    await setting.settle()
    assert setting.jobs() == [DUE]
    assert setting.status()["active"][0]["name"] == DUE


async def test_an_active_job_that_the_watch_does_not_tell_of_is_asked_for(setting: Setting) -> None:
    await setting.settle()
    setting.begin()
    setting.cache.put_whole({**(setting.server.find(DASK_CRON_JOBS.kind, NAME) or {}), "kind": DASK_CRON_JOBS.kind})
    await setting.look()
    assert setting.client.requests == [("get", "DaskJob"), ("get", "DaskCronJob")]
    assert setting.status()["active"][0]["name"] == DUE
    setting.server.remove(DASK_JOBS.kind, DUE)
    setting.cache.forget("DaskJob", NAMESPACE, DUE, setting.status()["active"][0]["uid"])
    await setting.look()
    assert setting.status()["activeCount"] == 0
    assert "MissingJob" in setting.events()


async def test_events_are_a_courtesy(setting: Setting) -> None:
    setting.client.refusals["create", "Event"] = classify(403, "events is forbidden")
    await setting.settle()
    assert setting.status()["active"][0]["name"] == DUE


async def test_a_conflict_means_to_look_again(setting: Setting) -> None:
    setting.client.plan.extend(["ok", "conflict"])
    with pytest.raises(ApiError) as caught:
        await setting.look()
    assert caught.value.kind is ErrorKind.CONFLICT
    assert setting.jobs() == []


async def test_a_cron_job_that_is_gone(setting: Setting) -> None:
    setting.cache.drop(setting.cron)
    assert await setting.look() is None
    assert setting.client.requests == []


def test_whose_an_object_is() -> None:
    owner = {"apiVersion": c.API_VERSION, "kind": "DaskCronJob", "name": NAME, "uid": "u", "controller": True}

    def job(*owners: Body) -> Body:
        return {"kind": "DaskJob", "metadata": {"namespace": NAMESPACE, "name": "a", "ownerReferences": list(owners)}}

    assert cron_of({"kind": "DaskCronJob", "metadata": {"namespace": NAMESPACE, "name": NAME}}) == KEY
    assert cron_of(job(owner)) == KEY
    assert cron_of(job({"kind": "Other", "name": "x", "controller": True}, owner)) == KEY
    assert cron_of(job()) is None
    assert cron_of(job({**owner, "controller": False})) is None
    assert cron_of(job({**owner, "apiVersion": "example.com/v1"})) is None
    assert cron_of(job({**owner, "kind": "CronJob"})) is None


async def test_a_resync_finds_what_watches_missed(setting: Setting) -> None:
    """A job that came, one that went, and a cron job that went."""
    await setting.settle()
    crons = setting.cache
    gone = {**setting.job(), "metadata": {**setting.job()["metadata"], "name": "gone", "uid": "gone"}}
    crons.put(gone)
    crons.put({**setting.cron, "metadata": {**setting.cron["metadata"], "name": "old", "uid": "old"}})
    await resync(setting.client, Feed((setting.controller,)), ())
    assert [each["metadata"]["name"] for each in crons.owned(KEY)] == [DUE]
    assert crons.root_keys() == [KEY]
    assert setting.controller.queue.depth == 2, "a pass of the cron job, and one that forgets the one that went"


async def test_without_the_definition_jobs_go_on(setting: Setting) -> None:
    assert await is_served(setting.client, setting.controller.kind, ())
    setting.client.refusals["list", "DaskCronJob"] = classify(503, "later")
    assert await is_served(setting.client, setting.controller.kind, ("team",)), "it may be there"
    setting.client.refusals["list", "DaskCronJob"] = classify(404, "404 page not found")
    assert not await is_served(setting.client, setting.controller.kind, ())
