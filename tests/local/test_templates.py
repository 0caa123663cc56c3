"""Pod templates on the command line: judged as by an installation's operator, whose values are given as options."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from daskjob.cli.commands import daskjob as command
from daskjob.schema import apply_defaults

from .test_plan import planned

SPEC = {
    "graph": {"entrypoint": "m:f", "source": {"inline": "f = 1"}},
    "cluster": {
        "image": "localhost/i",
        "workers": {"template": {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}},
        "scheduler": {"template": {"spec": {"securityContext": {"runAsUser": 0}}}},
    },
    "runner": {"template": {"metadata": {"labels": {"app": "a"}}}},
}


def pod(container: str, **fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": container, **fields}]}}


WORKERS = "spec.cluster.workers.template.spec.volumes[v].hostPath"
SCHEDULER = "spec.cluster.scheduler.template.spec.securityContext.runAsUser"
RUNNER = "spec.runner.template.metadata.labels[app]"


def manifest(kind: str = "DaskJob", **metadata: Any) -> dict[str, Any]:
    spec: Any = SPEC if kind == "DaskJob" else {"schedule": "@daily", "jobTemplate": {"spec": SPEC}}
    metadata = metadata or {"name": "odd"}
    return {"apiVersion": "daskjob.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def validate(content: Any, folder: Path, *options: str) -> tuple[int, list[str]]:
    file = folder / "job.yaml"
    file.write_text(json.dumps(content))
    done = CliRunner().invoke(command, ["validate", *options, str(file)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, [re.sub(r"^.*: document 1( \(.*?\))?: ", "", line) for line in done.output.splitlines()]


@pytest.mark.parametrize("kind", ["DaskJob", "DaskCronJob"])
@pytest.mark.parametrize("metadata", [{"name": "odd"}, {"generateName": "odd-"}], ids=["named", "generated"])
def test_each_component_is_judged_by_the_charts_defaults(kind: str, metadata: dict[str, str], tmp_path: Path) -> None:
    code, lines = validate(manifest(kind, **metadata), tmp_path)
    where = "spec.jobTemplate." if kind == "DaskCronJob" else ""
    assert code == 2
    assert [line.partition(": ")[0] for line in lines] == [where + path for path in (SCHEDULER, WORKERS, RUNNER)]


def test_an_installations_values_are_options(tmp_path: Path) -> None:
    allowed = ("--allow", "hostPath", "--allow-metadata", "app", "--pod-security", "baseline")
    assert validate(manifest(), tmp_path, *allowed) == (0, ["valid"])
    for missing in range(0, len(allowed), 2):
        code, lines = validate(manifest(), tmp_path, *allowed[:missing], *allowed[missing + 2 :])
        assert (code, len(lines)) == (2, 1)


def test_words_that_no_chart_knows_are_told(tmp_path: Path) -> None:
    code, lines = validate(manifest(), tmp_path, "--allow", "hostpath")
    assert code == 2
    assert lines == [
        "daskjob: --allow: 'hostpath' is unknown; give one of hostNamespaces, hostPath, privileged, volumes, "
        "scheduling, runtimeClasses, unknownFields"
    ]


def test_a_local_run_makes_no_pods_and_says_what_a_cluster_would() -> None:
    job = apply_defaults(manifest())
    notes = planned(job).notes
    words = "an operator with the chart's defaults refuses the job: "
    assert [note.removeprefix(words).partition(": ")[0] for note in notes] == [SCHEDULER, WORKERS, RUNNER]


#: Mistakes that the operator leaves to Kubernetes: the spec of a job, the field, and words about it.
PODS: dict[str, tuple[dict[str, Any], str, str]] = {
    "workers": (
        {"cluster": {"workers": {"template": pod("worker", volumeMounts=[{"name": "data", "mountPath": "/data"}])}}},
        "spec.cluster.workers.template.spec.containers[worker].volumeMounts[/data].name",
        "there is no volume",
    ),
    "scheduler": (
        {"cluster": {"scheduler": {"template": pod("scheduler", imagePullPolicy="always")}}},
        "spec.cluster.scheduler.template.spec.containers[scheduler].imagePullPolicy",
        "did you mean Always?",
    ),
    "runner": (
        {"runner": {"template": pod("runner", resources={"limits": {"gpu": 1}})}},
        "spec.runner.template.spec.containers[runner].resources.limits[gpu]",
        "nvidia.com/gpu",
    ),
    "resources": (
        {"cluster": {"workers": {"resources": {"limits": {"mem": "2Gi"}}}}},
        "spec.cluster.workers.resources.limits[mem]",
        "did you mean memory?",
    ),
    "an init container with the name of the operator's": (
        {"runner": {"template": {"spec": {"initContainers": [{"name": "runner", "image": "j", "command": ["a"]}]}}}},
        "spec.runner.template.spec.containers[runner]",
        "is the name of two",
    ),
}


@pytest.mark.parametrize("kind", ["DaskJob", "DaskCronJob"])
@pytest.mark.parametrize(("more", "field", "words"), PODS.values(), ids=PODS)
def test_pods_that_kubernetes_would_refuse(
    kind: str, more: dict[str, Any], field: str, words: str, tmp_path: Path
) -> None:
    spec = {"graph": SPEC["graph"], **more}
    content = manifest(kind) | {
        "spec": spec if kind == "DaskJob" else {"schedule": "@daily", "jobTemplate": {"spec": spec}}
    }
    code, [line] = validate(content, tmp_path)
    where = "spec.jobTemplate." if kind == "DaskCronJob" else ""
    assert (code, line.partition(": ")[0]) == (2, where + field)
    assert words in line
    if kind == "DaskJob":
        [note] = planned(apply_defaults(content)).notes
        assert note.startswith(f"Kubernetes refuses the job's pods: {field}: ")


@pytest.mark.parametrize("kind", ["DaskJob", "DaskCronJob"])
def test_a_reason_that_no_failure_has(kind: str, tmp_path: Path) -> None:
    """Its rule would never match, and nothing would say so."""
    rules = [
        {"action": "Fail", "onReasons": ["TaskFailed", "TaskFailled"]},
        {"action": "Ignore", "onReasons": ["Weather"]},
    ]
    spec: Any = {"graph": SPEC["graph"], "failurePolicy": {"rules": rules}}
    content = manifest(kind) | {
        "spec": spec if kind == "DaskJob" else {"schedule": "@daily", "jobTemplate": {"spec": spec}}
    }
    path = f"spec{'.jobTemplate.spec' if kind == 'DaskCronJob' else ''}.failurePolicy.rules"
    assert validate(content, tmp_path) == (
        2,
        [
            f'{path}[0].onReasons[1]: no failure has the reason "TaskFailled": did you mean TaskFailed?',
            f'{path}[1].onReasons[0]: no failure has the reason "Weather": docs/writing-jobs.md lists them',
        ],
    )
