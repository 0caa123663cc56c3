"""The files of an attempt as the API server stores them, and the digests of them in the specs of its pods."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest

from daskjob.controller.feed import Feed
from daskjob.controller.resync import resync
from daskjob.errors import ApiError
from daskjob.manifests.context import Defaults
from daskjob.manifests.launch import RUN
from daskjob.runner.checked_files import digests_of

from ..crd.cases import a_job
from .conftest import make_namespace
from .dask_clusters import OPERATOR, SYSTEM, dask
from .job_controllers import job_controller
from .server import Server

JOBS = "/apis/daskjob.io/v1alpha1/namespaces"
#: Text that a server might store otherwise than it came.
ODD = "# ü \U0001f600 $(HOME) $$ \\u00fc\r\n\ttext = '\x00\x1f\u2028\ufeff'\n"


async def begin(server: Server, namespace: str, name: str, **spec: Any) -> None:
    """Applies a job, and lets the operator create what its first attempt needs."""
    server.admin.create(f"{JOBS}/{namespace}/daskjobs", a_job(spec, name=name)).ok()
    async with job_controller(server, SYSTEM, OPERATOR, Defaults(image="localhost/none:test")) as controller:
        for _ in range(4):
            await resync(controller.kind.client, Feed([controller]), [namespace])
            with contextlib.suppress(ApiError):
                await controller.reconcile((namespace, name))


def files_of(server: Server, namespace: str, pod: dict[str, Any]) -> dict[str, dict[str, bytes]]:
    """What the kubelet would show the container, by folder."""
    mounts = {each["name"]: each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    found = {}
    for volume in pod["volumes"]:
        kind = next((kind for kind in ("secret", "configMap") if kind in volume), None)
        if kind is None:
            continue
        name = volume["secret"]["secretName"] if kind == "secret" else volume["configMap"]["name"]
        stored = server.admin.get(f"/api/v1/namespaces/{namespace}/{kind.lower()}s/{name}").ok()
        data = {**stored.get("data", {}), **stored.get("binaryData", {})}
        items = volume[kind].get("items") or [{"key": key, "path": key} for key in data]
        found[mounts[volume["name"]]] = {each["path"]: base64.b64decode(data[each["key"]]) for each in items}
    return found


@pytest.mark.parametrize(
    "source",
    [{"inline": ODD}, {"files": {"m.py": ODD, "pack/data.csv": "", "pack/__init__.py": "\n"}}],
    ids=["inline", "files"],
)
async def test_the_pods_have_the_digests_of_what_is_stored(installed: Server, source: dict[str, Any]) -> None:
    namespace = make_namespace(installed)
    graph = {"entrypoint": "m:f", "args": ["ü \u2028"], "source": source}
    await begin(installed, namespace, "a", graph=graph, activeDeadlineSeconds=900)
    [cluster] = installed.admin.get(dask(namespace, "daskclusters")).ok()["items"]
    [runner] = installed.admin.get(f"/api/v1/namespaces/{namespace}/pods").ok()["items"]
    pods = (cluster["spec"]["scheduler"]["spec"], cluster["spec"]["worker"]["spec"], runner["spec"])
    for pod in pods:
        command = pod["containers"][0]["command"]
        folders = json.loads(command[command.index(RUN) + 1])
        expected = {each["folder"]: each["digests"] for each in folders}
        found = files_of(installed, namespace, pod)
        assert expected == {folder: digests_of(files) for folder, files in found.items()}
    job = json.loads(files_of(installed, namespace, runner["spec"])["/opt/daskjob/job"]["job.json"])
    assert job["deadline"]["reason"] == "DeadlineExceeded"
