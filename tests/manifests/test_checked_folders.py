"""The specs of a job's pods have digests of all that the pods mount, and the pods use what was compared with them."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from daskjob.errors import SpecError
from daskjob.manifests.attempt import AttemptObjects
from daskjob.manifests.checked_folders import for_dask, for_runner
from daskjob.manifests.launch import RUN
from daskjob.manifests.pod_files import runner_config_map
from daskjob.runner.checked_files import MOST_NAMED, digests_of
from daskjob.wire.runner_deadline import RunnerDeadline

from .builders import DEFAULTS, FILES, FROM_MAP, INLINE, container, context, job, with_template

PROGRAM, PAIR = b"program", (b"certificate", b"key")
SPECS = {"in the image": {}, "inline": INLINE, "files": FILES, "a ConfigMap": FROM_MAP}
COMPONENTS = ("scheduler", "worker", "runner")
#: The folder of each volume that is not the user's or Kubernetes' own.
MOUNTED = {
    "tls": "/opt/daskjob/tls",
    "code": "/opt/daskjob/code",
    "runner": "/opt/daskjob/runner",
    "job": "/opt/daskjob/job",
}


def built(spec: dict[str, Any], deadline: RunnerDeadline | None = None) -> AttemptObjects:
    return AttemptObjects.build(context(job(**spec)), PROGRAM, PAIR, deadline)


def specs_of(objects: AttemptObjects) -> dict[str, Any]:
    cluster = objects.cluster["spec"]
    return {
        "scheduler": cluster["scheduler"]["spec"],
        "worker": cluster["worker"]["spec"],
        "runner": objects.runner["spec"],
    }


def folders_of(spec: dict[str, Any], component: str) -> dict[str, dict[str, Any]]:
    """What a pod's command says about each folder."""
    command = container(spec, component)["command"]
    folders = json.loads(command[command.index(RUN) + 1])
    return {each["folder"]: each for each in folders}


def content_of(objects: AttemptObjects) -> dict[tuple[str, str], bytes]:
    """The bytes that the operator puts under each key, by the object's name."""
    *_, secret = objects.beside_cluster("u")
    program = runner_config_map("team", objects.context.files.program)
    data = {key: base64.b64decode(value) for key, value in secret["data"].items()}
    data |= {key: value.encode() for key, value in secret["stringData"].items()}
    found = {(secret["metadata"]["name"], key): content for key, content in data.items()}
    [(key, value)] = program["binaryData"].items()
    return {**found, (program["metadata"]["name"], key): base64.b64decode(value)}


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("deadline", [None, RunnerDeadline(60, "DeadlineExceeded", "too long")], ids=str)
def test_every_file_that_a_pod_mounts_has_its_digest(
    spec: dict[str, Any], component: str, deadline: RunnerDeadline | None
) -> None:
    objects = built(spec, deadline)
    pod, content = specs_of(objects)[component], content_of(objects)
    expected = {}
    for volume in pod["volumes"]:
        if volume["name"] in ("tmp", "token", "checked"):
            continue
        if volume.get("configMap", {}).get("name") == "mine":
            continue
        name = volume["secret"]["secretName"] if "secret" in volume else volume["configMap"]["name"]
        items = volume.get("secret", {}).get("items") or [{"key": "runner.pyz", "path": "runner.pyz"}]
        files = {each["path"]: hashlib.sha256(content[name, each["key"]]).hexdigest() for each in items}
        kind = "Secret" if "secret" in volume else "ConfigMap"
        expected[MOUNTED[volume["name"]]] = (f"{kind} {name}", files)
    found = folders_of(pod, component)
    assert {path: (each["object"], each["digests"]) for path, each in found.items()} == expected
    assert {"/opt/daskjob/runner", "/opt/daskjob/tls"} <= set(found)
    assert ("/opt/daskjob/job" in found) is (component == "runner")
    assert ("/opt/daskjob/code" in found) is (spec in (INLINE, FILES))


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_pod_uses_the_copies(component: str) -> None:
    pod = specs_of(built(FILES))[component]
    only = container(pod, component)
    copies = {path: each["copy"] for path, each in folders_of(pod, component).items()}
    assert copies == {path: path.replace("/opt/daskjob/", "/opt/daskjob/checked/") for path in copies}
    mount = next(each for each in only["volumeMounts"] if each["name"] == "checked")
    volume = next(each for each in pod["volumes"] if each["name"] == "checked")
    assert mount == {"name": "checked", "mountPath": "/opt/daskjob/checked"}, "a read-only root is in no way"
    assert "emptyDir" in volume, "no other pod has it"
    variables = {each["name"]: each.get("value", "") for each in only["env"]}
    mounted = {name: value for name, value in variables.items() if value.startswith("/opt/daskjob/")}
    keys = {name for name, value in mounted.items() if not value.startswith("/opt/daskjob/checked/")}
    # A key that is changed after it was compared does not belong to the certificate.
    assert keys == {f"DASK_DISTRIBUTED__COMM__TLS__{role}__KEY" for role in ("SCHEDULER", "WORKER", "CLIENT")}
    assert len(mounted) == (8 if component == "runner" else 7)


def test_the_runners_program_is_the_first_folder() -> None:
    assert json.loads(for_runner(context(job())))[0]["folder"] == "/opt/daskjob/runner"


def test_many_files_have_one_digest() -> None:
    def digests(count: int) -> Any:
        files = {f"pack/m{number}.py": "x" * number for number in range(count)}
        spec = job(graph={"entrypoint": "pack.m0:f", "source": {"files": files}})
        _, code, _ = json.loads(for_dask(context(spec)))
        assert code["digests"] == digests_of({path: text.encode() for path, text in files.items()})
        return code["digests"]

    assert len(digests(MOST_NAMED)) == MOST_NAMED
    whole = digests(256)
    assert (type(whole), len(whole)) == (str, 64)


def test_the_largest_code_leaves_the_argument_short() -> None:
    """Linux takes no argument of more than 128 KiB."""
    files = {f"{number:0199}x": "" for number in range(MOST_NAMED)}
    spec = job("a" * 40, graph={"entrypoint": "m:f", "source": {"files": files}})
    assert len(for_runner(context(spec)).encode()) < 16 * 1024


def test_one_digest_is_that_of_what_sha256sum_prints() -> None:
    files = {f"{number}.py": bytes([number]) for number in range(MOST_NAMED + 1)}
    lines = "".join(f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files))
    assert digests_of(files) == hashlib.sha256(lines.encode()).hexdigest()


def test_another_certificate_or_program_is_another_spec() -> None:
    first = context(job())
    one = AttemptObjects.build(first, PROGRAM, PAIR)
    other = AttemptObjects.build(first, PROGRAM, (b"another", b"key"))
    assert one.cluster != other.cluster
    assert one.runner != other.runner
    program = AttemptObjects.build(first, b"another", PAIR)
    assert (one.cluster == program.cluster, one.runner == program.runner) == (False, False)


def test_a_manifest_is_judged_without_files() -> None:
    """`daskjob validate` draws no key, and takes what no API server has."""
    odd = job(graph={"entrypoint": "m:f", "source": {"inline": "\ud800"}})
    assert json.loads(for_dask(context(odd)))


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize(
    ("template", "field"),
    [
        ({"containers": [{"name": "OWN", "command": ["python3", "-c", "pass"]}]}, "containers[OWN].command"),
        (
            {"containers": [{"name": "OWN", "volumeMounts": [{"name": "mine", "mountPath": "/opt/daskjob/checked"}]}]},
            "containers[OWN].volumeMounts[/opt/daskjob/checked].name",
        ),
        (
            {"volumes": [{"name": "checked", "persistentVolumeClaim": {"claimName": "mine"}}]},
            "volumes[checked].emptyDir",
        ),
    ],
    ids=str,
)
def test_a_template_takes_none_of_it_away(component: str, template: dict[str, Any], field: str) -> None:
    text = json.dumps({"spec": {"volumes": [{"name": "mine", "emptyDir": {}}], **template}})
    spec = with_template(component, json.loads(text.replace("OWN", component)))
    with pytest.raises(SpecError) as error:
        AttemptObjects.build(replace(context(spec), defaults=DEFAULTS), PROGRAM, PAIR)
    assert field.replace("OWN", component).rpartition(".")[0] in error.value.path


@pytest.mark.parametrize("component", COMPONENTS)
def test_null_puts_back_what_it_takes(component: str) -> None:
    spec = with_template(component, {"spec": {"containers": [{"name": component, "command": None, "image": None}]}})
    objects = AttemptObjects.build(context(spec), PROGRAM, PAIR)
    plain = AttemptObjects.build(context(job()), PROGRAM, PAIR)
    found, wanted = (container(specs_of(each)[component], component) for each in (objects, plain))
    assert found["command"] == wanted["command"]
