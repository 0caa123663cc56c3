"""What an attempt's pods mount: the Secret with its own files, and the ConfigMap with the runner's program.

The Secret is one object, and not a Secret and a ConfigMap, because each costs a request to create, and another ones of
every kubelet that mounts it and of the garbage collector.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping
from typing import Any

from daskjob.api import constants as c
from daskjob.api.payload_secret import KEY
from daskjob.manifests.context import AttemptContext

#: The key of the job file, and its name where it is mounted.
JOB_KEY = JOB_FILE = "job.json"
#: The key, and the file's name, of the runner's program.
PROGRAM = "runner.pyz"
#: The keys of the key pair, which are also the names of its files.
CERTIFICATE, PRIVATE_KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"


def secret(context: AttemptContext, cluster_uid: str) -> dict[str, Any]:
    """The Secret: the attempt's key pair, the code that the manifest carries, and the runner's job file.

    The operator may create Secrets, and read none.
    """
    certificate, key = (_text(each) for each in (context.files.certificate, context.files.key))
    files = context.source.files() if context.source is not None else ()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": context.metadata_beside(context.names.files, cluster_uid),
        "immutable": True,
        "data": {CERTIFICATE: certificate, PRIVATE_KEY: key, AUTHORITY: certificate},
        "stringData": {JOB_KEY: context.files.job_file.decode(), **{file.key: file.content for file in files}},
    }


@functools.lru_cache(maxsize=4)
def program_digest(archive: bytes) -> str:
    """The SHA-256 of the runner's program, of which each process of an operator has one, and each pod says it twice."""
    return hashlib.sha256(archive).hexdigest()


def runner_config_map_name(archive: bytes) -> str:
    """The name of the ConfigMap with the runner's program, which has a digest of the program."""
    return f"daskjob-runner-{program_digest(archive)[:10]}"


def runner_config_map(namespace: str, archive: bytes) -> dict[str, Any]:
    """The ConfigMap with the runner's program: one per namespace and version, which all jobs share and none owns."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": runner_config_map_name(archive),
            "namespace": namespace,
            "labels": {c.MANAGED_BY_LABEL: c.MANAGER, c.COMPONENT_LABEL: "runner-program"},
        },
        "immutable": True,
        "binaryData": {PROGRAM: _text(archive)},
    }


def is_same_program(found: Mapping[str, Any], program: Mapping[str, Any]) -> bool:
    """Whether a ConfigMap has the same program as the one that the operator would create, and keeps it."""
    return found.get("immutable") is True and found.get("binaryData") == program["binaryData"]


def tls_volume(context: AttemptContext, mode: int) -> dict[str, Any]:
    """The volume with the key pair, for every pod. `mode`: of its files."""
    items = [{"key": name, "path": name} for name in (CERTIFICATE, PRIVATE_KEY, AUTHORITY)]
    return {"name": "tls", "secret": {"secretName": context.names.files, "items": items, "defaultMode": mode}}


def job_volume(context: AttemptContext) -> dict[str, Any]:
    """The volume with the job file, for the runner."""
    items = [{"key": JOB_KEY, "path": JOB_FILE}]
    return {"name": "job", "secret": {"secretName": context.names.files, "items": items}}


def payload_volumes(context: AttemptContext) -> list[dict[str, Any]]:
    """The volume with what the Python client pickled, for the runner: the job's own Secret and no other."""
    if context.payload_secret is None:
        return []
    items = [{"key": KEY, "path": KEY}]
    return [{"name": "payload", "secret": {"secretName": context.payload_secret, "items": items}}]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
