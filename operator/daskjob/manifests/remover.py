"""The pod that deletes a job's results from their store (`lifecycle.job.retention`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from daskjob.api import constants as c
from daskjob.manifests.context import AttemptContext, AttemptFiles
from daskjob.manifests.fetch_container import INSTALL_PACKAGES, program_container, spec_of_one
from daskjob.manifests.runner import runner_pod
from daskjob.wire import jobfile

#: The pod's component, and the name of its only container.
REMOVE = "remove"
#: What of the runner's is not for this pod: files of the attempt, whose Secret is gone, and the runner's token.
_OTHERS = frozenset({"tls", "job", "payload", "token", "code"})
_VARIABLES = frozenset({jobfile.VARIABLE, "DASKJOB_REPORT"})


def remover_pod(
    context: AttemptContext, program: bytes, name: str, token: str, seconds: int, most_seconds: int
) -> dict[str, Any]:
    """The pod. It runs where the runner would, under the same account and security, with the runner's volumes and the
    store's credentials; it has no owner, because whoever deletes a job in the foreground deletes first what it owns.
    `seconds`: for its work; `most_seconds`: for the pod. Raises SpecError for a job without a store."""
    context = replace(context, files=AttemptFiles(b"", b"", b"{}", program))
    runner, store = runner_pod(context), context.store
    assert store is not None, "a job with retention has a store"
    spec, metadata = runner["spec"], runner["metadata"]
    own = next(each for each in spec["containers"] if each["name"] == "runner")
    job = context.job
    orders = {
        "url": store.url,
        "options": dict(store.options),
        "folder": [job.namespace, job.name, job.uid],
        "uid": job.uid,
        "seconds": seconds,
    }
    variables = [each for each in own.get("env") or () if each["name"] not in _VARIABLES]
    mounts = [each for each in own["volumeMounts"] if each["name"] not in _OTHERS]
    container = program_container(context, own, REMOVE, ("--remove", orders), variables, mounts)
    before = [each for each in spec.get("initContainers") or () if each["name"] == INSTALL_PACKAGES]
    labels: Mapping[str, Any] = {**metadata["labels"], c.COMPONENT_LABEL: REMOVE}
    kept = {key: value for key, value in metadata["annotations"].items() if key != c.TOKEN_ANNOTATION}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": job.namespace,
            "labels": labels,
            "annotations": {**kept, c.TOKEN_ANNOTATION: token},
        },
        "spec": {**spec_of_one(spec, container, before), "activeDeadlineSeconds": most_seconds},
    }
