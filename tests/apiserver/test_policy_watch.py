"""The watch of the admission policies on a real API server, with the right to list and watch these by name, and no
other."""

from __future__ import annotations

import asyncio
import copy
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from daskjob.api.resource import POLICIES
from daskjob.controllers.job.policies import Policies
from daskjob.errors import ApiError, ErrorKind
from daskjob.kube.client import KubeClient, Request
from daskjob.lifecycle.enforcement import Policy, read_policies
from daskjob.schema.crds import load_report_policy

from .conftest import make_namespace
from .job_controllers import kube_client
from .roles import grant
from .server import Server
from .test_policy import account

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
PATHS = {
    "ValidatingAdmissionPolicy": f"{ADMISSION}/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": f"{ADMISSION}/validatingadmissionpolicybindings",
}
#: A change is to be noticed in this time: by the watch, which the API server ends and begins anew only after minutes.
SECONDS = 30.0


class World:
    """A policy of its own beside that of crds/, and who watches it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.name = f"watched-{uuid.uuid4().hex[:8]}"
        self.manifests = copy.deepcopy(load_report_policy())
        for body in self.manifests:
            body["metadata"]["name"] = self.name
            if "policyName" in body["spec"]:
                body["spec"]["policyName"] = self.name
            server.admin.create(PATHS[body["kind"]], body).ok()
        namespace = make_namespace(server)
        self.account = namespace, "watcher"
        rights = {
            "apiGroups": ["admissionregistration.k8s.io"],
            "resources": ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
            "resourceNames": [self.name],
            "verbs": ["list", "watch"],
        }
        grant(server, self.name, [rights], account(server, *self.account))

    @property
    def shipped(self) -> Policy:
        [policy] = read_policies(self.manifests)
        return policy

    def path(self, index: int) -> str:
        return f"{PATHS[self.manifests[index]['kind']]}/{self.name}"

    def change(self, index: int, **spec: Any) -> None:
        self.server.admin.merge(self.path(index), {"spec": spec}).ok()

    def restore(self, index: int) -> None:
        metadata = self.server.admin.get(self.path(index)).ok()["metadata"]
        self.server.admin.request("PUT", self.path(index), self.manifests[index] | {"metadata": metadata}).ok()


@pytest.fixture
def world(server: Server) -> World:
    return World(server)


class Opened:
    """How many watches the API server has begun to answer."""

    def __init__(self) -> None:
        self.watches = 0

    @contextmanager
    def __call__(self, verb: str, resource: str) -> Iterator[Request]:
        yield Request()
        self.watches += verb == "watch"


@pytest.fixture
def opened() -> Opened:
    return Opened()


@pytest.fixture
async def client(world: World, opened: Opened) -> AsyncIterator[KubeClient]:
    async with kube_client(world.server, *world.account, opened) as found:
        yield found


@pytest.fixture
async def policies(world: World, client: KubeClient, opened: Opened) -> AsyncIterator[Policies]:
    """Watching."""
    found = Policies(client, world.shipped)
    await until(found.look, lambda: found.report_policy)
    watching = asyncio.create_task(found.keep_watching())
    await noticed(lambda: opened.watches == 2)
    yield found
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def until(step: Callable[[], Any], holds: Callable[[], object], seconds: float = 20.0) -> float:
    """Repeats the step until this holds; after how many seconds it did."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < began + seconds
        await step()
    return time.monotonic() - began


async def noticed(holds: Callable[[], object]) -> None:
    await until(lambda: asyncio.sleep(0.02), holds, SECONDS)


async def test_what_the_api_server_makes_of_it_is_what_was_shipped(policies: Policies) -> None:
    assert policies.problems() == {}
    assert policies.distrust(policies.report_policy) is None


@pytest.mark.parametrize(
    ("index", "change", "words"),
    [
        (0, {"validations": [{"expression": "true"}]}, 'spec.validations[0].expression is "true"'),
        (0, {"failurePolicy": "Ignore"}, 'spec.failurePolicy is "Ignore", not "Fail"'),
        (1, {"validationActions": ["Warn"]}, 'spec.validationActions[0] is "Warn", not "Deny"'),
        (
            1,
            {"matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "nowhere"}}}},
            "spec.matchResources.namespaceSelector is",
        ),
    ],
)
async def test_a_change_is_noticed_and_off_and_on_again_is_remembered(
    world: World, policies: Policies, index: int, change: dict[str, Any], words: str
) -> None:
    then = policies.report_policy
    world.change(index, **change)
    await noticed(policies.problems)
    assert words in policies.problems()[world.name]
    assert policies.report_policy == ""
    assert words in str(policies.distrust(then))
    world.restore(index)
    await noticed(lambda: not policies.problems())
    assert "while the attempt ran" in str(policies.distrust(then))
    assert policies.distrust(policies.report_policy) is None


@pytest.mark.parametrize("index", [0, 1])
async def test_deleted_and_made_again(world: World, policies: Policies, index: int) -> None:
    then = policies.report_policy
    world.server.admin.delete(world.path(index)).ok()
    await noticed(policies.problems)
    assert "does not exist" in policies.problems()[world.name]
    path, _, _ = world.path(index).rpartition("/")
    world.server.admin.create(path, world.manifests[index]).ok()
    await noticed(lambda: not policies.problems())
    assert "replaced" in str(policies.distrust(then))


async def test_labels_and_annotations_are_no_change(world: World, policies: Policies) -> None:
    for index in (0, 1):
        world.server.admin.merge(world.path(index), {"metadata": {"annotations": {"a": "b"}}}).ok()
    world.change(0, failurePolicy="Ignore")
    await noticed(policies.problems)
    world.restore(0)
    await noticed(lambda: not policies.problems())
    policy, binding = (each.rpartition(":")[2] for each in policies.report_policy.split(","))
    assert (policy, binding) == ("3", "1"), "generations, of which only a change of the spec makes a new one"


async def test_other_policies_cannot_be_looked_at(world: World, client: KubeClient, policies: Policies) -> None:
    other = World(world.server)
    for look in (client.list(POLICIES, None), client.list(POLICIES, None, fields=f"metadata.name={other.name}")):
        with pytest.raises(ApiError) as caught:
            await look
        assert caught.value.kind is ErrorKind.FORBIDDEN
    without = Policies(client, other.shipped)
    await without.look()
    assert "cannot be looked at: forbidden" in without.problems()[other.name]
    assert without.report_policy == ""
