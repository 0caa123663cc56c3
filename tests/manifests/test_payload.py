"""The payload of a job: its own runner's pod mounts it, and nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daskjob.errors import SpecError
from daskjob.manifests.checked_folders import for_dask, for_runner
from daskjob.manifests.runner import job_file, runner_pod
from daskjob.wire import jobfile

from .builders import LONGEST, container, context, job, pod_specs, with_template

DIGEST = "0123456789abcdef" * 4
PAYLOAD: dict[str, Any] = {"graph": {"entrypoint": "m:f", "source": {"payload": {"sha256": DIGEST}}}}
SECRET = f"{LONGEST}-payload-0123456789"


def test_only_the_runner_mounts_it() -> None:
    pods = pod_specs(job(LONGEST, **PAYLOAD))
    assert {name for name, pod in pods.items() if "payload" in json.dumps(pod["volumes"])} == {"runner"}
    [volume] = [each for each in pods["runner"]["volumes"] if each["name"] == "payload"]
    assert volume["secret"]["secretName"] == SECRET
    assert "optional" not in volume["secret"], "no container starts before it is there"
    [mount] = [each for each in container(pods["runner"], "runner")["volumeMounts"] if each["name"] == "payload"]
    assert mount == {"name": "payload", "mountPath": "/opt/daskjob/payload", "readOnly": True}


def test_it_is_compared_with_the_digest_of_the_spec_before_it_is_opened() -> None:
    of = context(job(LONGEST, **PAYLOAD))
    [folder] = [each for each in json.loads(for_runner(of)) if each["folder"] == "/opt/daskjob/payload"]
    assert (folder["object"], folder["digests"]) == (f"Secret {SECRET}", {"payload": DIGEST})
    assert "payload" not in for_dask(of)
    orders = jobfile.parse(json.loads(job_file(of).dump()))
    assert orders.payload_path == f"{folder['copy']}/payload"
    assert orders.code_path is None


def test_another_source_has_none() -> None:
    of = context(job(graph={"entrypoint": "m:f", "source": {"inline": "x"}}))
    assert job_file(of).payload_path is None
    assert "payload" not in json.dumps(runner_pod(of))


def test_no_template_names_a_payload() -> None:
    volume = {"volumes": [{"name": "v", "secret": {"secretName": "sum-payload-0a0a0a0a0a"}}]}
    with pytest.raises(SpecError, match=r"volumes\[v\]\.secret\.secretName: .*its payload"):
        pod_specs(with_template("worker", {"spec": volume}))
    mine = {"volumes": [{"name": "payload", "secret": {"secretName": "another"}}]}
    with pytest.raises(SpecError, match=r"volumes\[payload\]"):
        runner_pod(context(job(**PAYLOAD, runner={"template": {"spec": mine}})))
