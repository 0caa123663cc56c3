"""What an operator notices of another installation that serves the same namespace, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.controller.controller import Controller
from daskjob.controllers.job.installations import RECENT, WARNING_INTERVAL, OtherInstallations
from daskjob.controllers.job.kind import JobKind
from daskjob.lifecycle.blocker import read_refusal
from daskjob.manifests.context import Defaults
from daskjob.operator.settings import MAX_LABEL, read_settings

from ..lifecycle.model import NAMESPACE, Server
from ..lifecycle.world import a_job
from .clock import Clock
from .counting import Increase
from .refusing import RefusingClient

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
METRIC = "daskjob_other_installation_objects_total"


def an_object(installation: str | None, created: datetime = START, name: str = "a") -> dict[str, Any]:
    labels = {} if installation is None else {c.INSTALLATION_LABEL: installation}
    time = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = {"namespace": "team", "name": name, "uid": f"uid-{name}", "labels": labels, "creationTimestamp": time}
    return {"kind": "DaskCluster", "metadata": metadata}


@pytest.fixture
def clock() -> Clock[datetime]:
    return Clock(START)


@pytest.fixture
def others(clock: Clock[datetime]) -> OtherInstallations:
    found = OtherInstallations("system.mine", clock)
    found.begin()
    return found


def test_another_installation_is_named_in_the_log_and_counted(
    others: OtherInstallations, caplog: pytest.LogCaptureFixture
) -> None:
    increase = Increase()
    bodies = [an_object("system.mine", name="b"), an_object("other.theirs"), an_object("other.theirs", name="c")]
    assert others.look(bodies) == "other.theirs"
    [words] = caplog.messages
    assert words.startswith("installation other.theirs of the operator created DaskCluster team/a: it serves the same")
    assert "system.mine" in words
    others.look(bodies)
    assert increase(METRIC) == 2, "each object once"
    assert others.current() == ["other.theirs"]


UNSUSPICIOUS = {
    "its own": an_object("system.mine"),
    "of an older version": an_object(None),
    "of an installation that this one replaced": an_object("old.gone", START - timedelta(seconds=1)),
}


@pytest.mark.parametrize("body", UNSUSPICIOUS.values(), ids=UNSUSPICIOUS)
def test_no_other_installation(
    others: OtherInstallations, body: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert others.look([body]) is None
    assert (others.current(), caplog.messages) == ([], [])


def test_it_is_named_again_but_not_at_every_pass_and_forgotten_in_the_end(
    others: OtherInstallations, clock: Clock[datetime], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        others.look([an_object("other.theirs")])
    assert len(caplog.messages) == 1
    clock.now += WARNING_INTERVAL
    others.look([an_object("other.theirs")])
    assert len(caplog.messages) == 2
    clock.now = START + RECENT
    assert others.current() == []


async def test_of_two_that_act_on_one_job_the_later_says_so() -> None:
    server, now = Server(), START + timedelta(seconds=1)
    client: Any = RefusingClient(server, "2026-03-01T12:00:01Z")

    async def an_operator(installation: str) -> Controller[Any, Any, Any, Any]:
        defaults = Defaults(image="localhost/i", installation=installation)
        operator = Controller(JobKind(client, lambda: now, b"program", defaults))
        await operator.kind.prepare()
        return operator

    one, other = await an_operator("system.one"), await an_operator("system.other")
    server.create("DaskJob", a_job({"graph": {"entrypoint": "m:f"}}), "2026-03-01T11:59:59Z")
    for operator in (one, other):
        for kind in ("DaskJob", "DaskCluster", "Pod", "DaskJobReport"):
            for body in server.all(kind):
                operator.kind.cache.put(body)
        await operator.reconcile((NAMESPACE, "sum"))
    assert one.kind.details() == {"otherInstallations": []}
    assert other.kind.details() == {"otherInstallations": ["system.one"]}
    events = {each["reason"]: each for each in server.all("Event")}
    assert events["OtherInstallation"]["type"] == "Warning"
    assert (
        "installation system.one of the operator serves this namespace, too" in events["OtherInstallation"]["message"]
    )


def test_the_name_is_that_of_the_lease_and_fits_a_label() -> None:
    settings = read_settings({"DASKJOB_OPERATOR_NAMESPACE": "system", "DASKJOB_LEASE_NAME": "jobs-daskjob-operator"})
    assert settings.defaults.installation == "system.jobs-daskjob-operator"
    long = read_settings({"DASKJOB_OPERATOR_NAMESPACE": "n" * 62, "DASKJOB_LEASE_NAME": "l"})
    assert long.defaults.installation == "n" * 62
    assert len(read_settings({"DASKJOB_OPERATOR_NAMESPACE": "n" * 63}).defaults.installation) == MAX_LABEL


def test_the_policy_of_another_installation_is_explained() -> None:
    message = (
        "daskjobreports.daskjob.io \"sum-1\" is forbidden: ValidatingAdmissionPolicy 'theirs' with binding 'theirs' "
        "denied request: a service account may only update the status of a DaskJobReport"
    )
    blocker = read_refusal(message)
    assert blocker.reason == "OperatorForbidden"
    assert blocker.message.startswith(message)
    assert "another installation of the operator" in blocker.message
