"""The Secret of an attempt, and where its files land in the pods: code, orders, the key pair."""

from __future__ import annotations

import base64
import json
import re
import ssl
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from daskjob.manifests.context import AttemptFiles, Defaults
from daskjob.manifests.launch import RUN
from daskjob.manifests.paths import CODE_PATH, RUNNER_PATH
from daskjob.manifests.pod_files import JOB_KEY, runner_config_map_name, secret
from daskjob.manifests.runner import job_file
from daskjob.manifests.tls import BACKDATED, key_pair

from ..lifecycle.builders import NOW
from .builders import FILES, FROM_MAP, INLINE, container, context, job, pod_specs

# Code and orders.


def test_where_the_code_lands() -> None:
    def layout(spec: dict[str, Any]) -> tuple[dict[str, str] | None, str | None]:
        """(content by path below the code's folder; None if there is none) and the object it comes from."""
        made = job(**spec)
        data = secret(context(made), "u")["stringData"]
        del data[JOB_KEY]
        layouts = []
        for name, pod in pod_specs(made).items():
            volume = next((each for each in pod["volumes"] if each["name"] == "code"), None)
            mounts = [each for each in container(pod, name)["volumeMounts"] if each["name"] == "code"]
            if volume is None:
                assert mounts == []
                layouts.append((None, None))
                continue
            assert [(each["mountPath"], each["readOnly"]) for each in mounts] == [(CODE_PATH, True)]
            theirs = volume.get("configMap", {}).get("name")
            items = [] if theirs else volume["secret"]["items"]
            content = {each["path"]: data[each["key"]] for each in items}
            layouts.append((content, theirs or volume["secret"]["secretName"]))
        assert layouts[0] == layouts[1] == layouts[2], "all pods have the same code"
        return layouts[0]

    assert layout({}) == (None, None)
    assert layout(INLINE) == ({"pack/age/mod.py": "x = 1\n"}, "sum-3f2a9-1-files")
    assert layout(FILES) == ({"m.py": "a", "pack/__init__.py": "b"}, "sum-3f2a9-1-files")
    assert layout(FROM_MAP) == ({}, "mine")


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}(/[a-z_]{1,8}){0,2}\.py", fullmatch=True),
        st.text(max_size=5),
        min_size=1,
        max_size=6,
    )
)
def test_every_file_has_a_key_that_a_secret_may_have(files: dict[str, str]) -> None:
    made = job(graph={"entrypoint": "m:f", "source": {"files": files}})
    both = secret(context(made), "u")
    data = both["stringData"]
    assert not data.keys() & both["data"].keys(), "no file stands in for the key pair"
    assert all(re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key) for key in data)
    items = next(each for each in pod_specs(made)["worker"]["volumes"] if each["name"] == "code")["secret"]["items"]
    assert {each["path"]: data[each["key"]] for each in items} == files


def test_the_runners_orders() -> None:
    graph = {"entrypoint": "m:f", "args": [1, "a"], "kwargs": {"b": None}, "keys": [["x", 0]], "source": {"inline": ""}}
    made = job(graph=graph, startupDeadlineSeconds=77, cluster={"workers": {"adaptive": {"minimum": 1, "maximum": 4}}})
    assert json.loads(job_file(context(made)).dump()) == {
        "protocol": 1,
        "job": {"namespace": "team", "name": "sum", "uid": made.uid},
        "attempt": 1,
        "report": "sum-3f2a9-1",
        "graph": {"entrypoint": "m:f", "args": [1, "a"], "kwargs": {"b": None}, "keys": [["x", 0]]},
        "scheduler": {"address": "tls://sum-3f2a9-1-scheduler.team.svc.cluster.local:8786", "timeoutSeconds": 77},
        "codePath": "/opt/daskjob/checked/code",
        "payloadPath": None,
        "groups": [
            {
                "name": "default",
                "prefix": "sum-3f2a9-1-default-worker-",
                "minWorkers": 1,
                "adaptive": {"minimum": 1, "maximum": 4},
                "resources": {},
                "processes": 1,
            }
        ],
        "limits": {"resultBytes": 262144},
        "deadline": None,
        "unattendedSeconds": 600,
        "forgottenSeconds": 600,
        "store": None,
        "keep": None,
    }
    theirs = json.loads(job_file(context(job(**FROM_MAP))).dump())
    assert theirs["codePath"] == CODE_PATH, "what is the user's to change is not compared, and not copied"
    plain = json.loads(job_file(context(job())).dump())
    assert (plain["codePath"], plain["groups"][0]["adaptive"], plain["graph"]["keys"]) == (None, None, None)


def test_the_runner_finds_its_program_and_its_orders() -> None:
    pod = pod_specs(job())["runner"]
    only = container(pod, "runner")
    assert only["command"][:3] == ["python3", "-c", RUN]
    assert json.loads(only["command"][3])[0]["folder"] == RUNNER_PATH
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes["runner"]["configMap"] == {"name": runner_config_map_name(b"")}
    assert volumes["job"]["secret"] == {
        "secretName": "sum-3f2a9-1-files",
        "items": [{"key": JOB_KEY, "path": "job.json"}],
    }
    assert pod["restartPolicy"] == "Never"
    assert only["terminationMessagePolicy"] == "File"


# The key pair.


def test_a_key_pair_is_one_an_attempt_back_dated_and_loads(tmp_path: Path) -> None:
    certificate, key = key_pair(NOW)
    parsed = x509.load_pem_x509_certificate(certificate)
    assert parsed.not_valid_before_utc == NOW - BACKDATED
    assert timedelta(hours=1) <= BACKDATED
    assert parsed.not_valid_after_utc >= NOW + timedelta(days=30)
    assert load_pem_private_key(key, None).public_key() == parsed.public_key()  # type: ignore[comparison-overlap]
    assert key_pair(NOW)[1] != key
    (tmp_path / "crt").write_bytes(certificate)
    (tmp_path / "key").write_bytes(key)
    for purpose in (ssl.Purpose.SERVER_AUTH, ssl.Purpose.CLIENT_AUTH):
        context = ssl.create_default_context(purpose, cafile=str(tmp_path / "crt"))
        context.load_cert_chain(tmp_path / "crt", tmp_path / "key")


def test_the_secret_is_as_it_is_mounted() -> None:
    whole = secret(replace(context(job(**FILES)), files=AttemptFiles(*key_pair(NOW), b"{}", b"program")), "u")
    assert whole["immutable"] is True
    names = {"tls.crt", "tls.key", "ca.crt"}
    assert whole["data"].keys() == names
    assert b"BEGIN CERTIFICATE" in base64.b64decode(whole["data"]["ca.crt"])
    for component, spec in pod_specs(job(**FILES)).items():
        volumes = {each["name"]: each["secret"] for each in spec["volumes"] if "secret" in each}
        assert {each["secretName"] for each in volumes.values()} == {whole["metadata"]["name"]}
        assert volumes["tls"]["defaultMode"] == 0o440
        assert {(each["key"], each["path"]) for each in volumes["tls"]["items"]} == {(name, name) for name in names}
        assert ("job" in volumes) is (component == "runner"), "scheduler and workers need no job file"
        code = {each["key"] for each in volumes["code"]["items"]}
        assert not code & (names | {JOB_KEY}), "user code's folder has neither key nor job file"


def test_without_a_group_files_are_readable_by_all() -> None:
    """The group of volumes may be left to the cluster, where it assigns users itself."""
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    specs = pod_specs(job(), Defaults(image="localhost/i", security_context=security))
    volumes = [volume for each in specs.values() for volume in each["volumes"] if volume["name"] == "tls"]
    assert [each["secret"]["defaultMode"] for each in volumes] == [0o444] * 3
