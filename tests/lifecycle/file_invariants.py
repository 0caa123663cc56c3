"""All pods of an attempt have digests of the files that its Secret has."""

from __future__ import annotations

import base64
import json
from typing import Any

from daskjob.kube.client import Body
from daskjob.manifests.launch import RUN
from daskjob.manifests.paths import JOB_PATH, TLS_PATH
from daskjob.runner.checked_files import digests_of

from .world import World, is_stranger


def digests_in(spec: Body) -> dict[str, Any]:
    """What a pod's spec says about each folder that the pod mounts."""
    command = spec["containers"][0]["command"]
    return {each["folder"]: each["digests"] for each in json.loads(command[command.index(RUN) + 1])}


def check_files(world: World, kind: str, body: Body) -> None:
    """A cluster or a runner that is to be created fits the attempt's other objects. `body`: the object."""
    name = body["metadata"]["name"].removesuffix("-runner")
    names = {"DaskCluster": name, "Pod": f"{name}-runner", "Secret": f"{name}-files"}
    others = {each: world.server.find(each, its) for each, its in names.items()}
    ours = {each: found for each, found in others.items() if found is not None and not is_stranger(found)}
    ours[kind] = body
    specs = [ours["Pod"]["spec"]] if "Pod" in ours else []
    if "DaskCluster" in ours:
        specs += [ours["DaskCluster"]["spec"][each]["spec"] for each in ("scheduler", "worker")]
    certificates = [digests_in(each)[TLS_PATH] for each in specs]
    assert certificates == certificates[:1] * len(certificates), f"{kind} with another certificate"
    if "Secret" in ours and kind == "Pod":
        data = {key: base64.b64decode(value) for key, value in ours["Secret"]["data"].items()}
        assert digests_of(data) == certificates[0], "a runner with another certificate than the Secret's"
        job = {"job.json": ours["Secret"]["stringData"]["job.json"].encode()}
        assert digests_of(job) == digests_in(body["spec"])[JOB_PATH], "a runner with other orders than the Secret's"
