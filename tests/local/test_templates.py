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
