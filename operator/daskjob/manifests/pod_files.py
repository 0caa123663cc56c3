"""The Secret of an attempt: all files of its own that its pods mount.

It is one object, and not a Secret and a ConfigMap, because each costs a request to create, and another ones of every
kubelet that mounts it and of the garbage collector.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from daskjob.manifests.context import AttemptContext
from daskjob.manifests.tls import key_pair

#: The key of the job file.
JOB_KEY = "job.json"
#: The keys of the key pair, which are also the names of its files.
CERTIFICATE, PRIVATE_KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"


def secret(context: AttemptContext, cluster_uid: str, job_file: str, now: datetime) -> dict[str, Any]:
    """The Secret: a new key pair, the code that the manifest carries, and the runner's job file (`job_file`, JSON).

    The operator may create Secrets, and read none. `now`: the certificate's time.
    """
    certificate, key = (base64.b64encode(each).decode() for each in key_pair(now))
    files = context.source.files() if context.source is not None else ()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": context.metadata_beside(context.names.files, cluster_uid),
        "immutable": True,
        "data": {CERTIFICATE: certificate, PRIVATE_KEY: key, AUTHORITY: certificate},
        "stringData": {JOB_KEY: job_file, **{file.key: file.content for file in files}},
    }


def tls_volume(context: AttemptContext, mode: int) -> dict[str, Any]:
    """The volume with the key pair, for every pod. `mode`: of its files."""
    items = [{"key": name, "path": name} for name in (CERTIFICATE, PRIVATE_KEY, AUTHORITY)]
    return {"name": "tls", "secret": {"secretName": context.names.files, "items": items, "defaultMode": mode}}


def job_volume(context: AttemptContext) -> dict[str, Any]:
    """The volume with the job file, for the runner."""
    items = [{"key": JOB_KEY, "path": "job.json"}]
    return {"name": "job", "secret": {"secretName": context.names.files, "items": items}}
