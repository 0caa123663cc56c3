"""Futures against a real API server; the test plays the operator."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

import daskjob
from daskjob.api.resource import SECRETS

from .server import Server
from .test_client import PATH, client_of

PATIENCE = 60
TEXT = '"what was sent"'
RESULT = {"type": "str", "value": TEXT, "size": len(TEXT), "sha256": hashlib.sha256(TEXT.encode()).hexdigest()}


def record(server: Server, future: daskjob.JobFuture[Any], kind: str, reason: str, **status: Any) -> None:
    """What the operator would record at the end."""
    condition = {"type": kind, "status": "True", "reason": reason, "message": "words"}
    times = {"lastTransitionTime": "2026-11-26T12:00:00Z"}
    body = {"observedGeneration": 1, "attempt": 1, "conditions": [condition | times], **status}
    path = f"{PATH.format(future.namespace)}/{future.name}/status"
    server.admin.merge(path, {"status": body}).ok()


def test_from_submission_to_each_end(server: Server, namespace: str) -> None:
    """The job and its Secret; one watch tells all futures how their jobs ended."""
    client = daskjob.connect(namespace, kubeconfig=server.kubeconfig, image="example/dask:1")
    works, raises, deleted = (client.submit(str.upper, word) for word in ("a", "b", "c"))
    [secret] = [
        each
        for each in client_of(server, namespace).transport.request("list", SECRETS, namespace)["items"]
        if each["metadata"]["name"].startswith(f"{works.name}-payload-")
    ]
    assert secret["immutable"] is True
    assert [each["uid"] for each in secret["metadata"]["ownerReferences"]] == [works.uid]
    digest = hashlib.sha256(base64.b64decode(secret["data"]["payload"])).hexdigest()
    assert works.status().body["spec"]["graph"]["source"]["payload"]["sha256"] == digest
    with pytest.raises(TimeoutError):
        works.result(0.01)
    record(server, works, "Complete", "Succeeded", phase="Succeeded", result=RESULT)
    failure = {"reason": "EntrypointFailed", "class": "Application", "exceptionType": "KeyError", "message": "'b'"}
    failure |= {"exceptionArgs": '["b"]', "traceback": "Traceback: here"}
    record(server, raises, "Failed", "EntrypointFailed", phase="Failed", failure=failure)
    deleted.delete()
    assert works.result(PATIENCE) == "what was sent"
    with pytest.raises(KeyError, match="b"):
        raises.result(PATIENCE)
    with pytest.raises(daskjob.JobDeleted, match=deleted.name):
        deleted.result(PATIENCE)
    assert [each.name for each in client.list(phase="Succeeded")] == [works.name]
    again = works.retry()
    assert not again.done()
    assert again.cancel()
    assert client.attach(works.name).status().body["spec"]["cancel"] is True
