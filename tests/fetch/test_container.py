"""The command of a pod's init container, as it stands in the manifest, with the pod's folders elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from daskjob.api.runner_report import read_termination_message
from daskjob.manifests.context import AttemptFiles
from daskjob.manifests.fetch_container import FETCH_CODE
from daskjob.manifests.resolver import resolver_pod
from daskjob.manifests.runner import runner_pod
from daskjob.runner import archive

from ..manifests.builders import context, job
from .git_server import GitServer, commit, new_repository


def run(container: dict[str, Any], root: Path) -> str:
    """Runs a container's command. What it found, or the reason why not."""
    log = root / "termination-log"
    log.write_text("")
    command = [each.replace("/opt/daskjob", str(root)) for each in container["command"]]
    environment = {**os.environ, "DASKJOB_TERMINATION_LOG": str(log)}
    done = subprocess.run([sys.executable, *command[1:]], env=environment, capture_output=True, text=True, timeout=60)
    report = read_termination_message(log.read_text())
    assert report is not None, done.stderr
    if report.failure is not None:
        return f"{report.failure.reason} {report.failure.message}"
    assert report.result is not None
    return str(json.loads(report.result.value or "null"))


def test_what_one_container_finds_the_others_fetch(server: GitServer, tmp_path: Path) -> None:
    repository = new_repository(server.root, "code", {"src/m.py": "x = 1\n"})
    git = {"url": f"{server.url}/code", "revision": "main", "subPath": "src"}
    made = context(job(graph={"entrypoint": "m:f", "source": {"git": git}}))
    program = archive.build()
    made = replace(made, files=AttemptFiles(program=program))
    root = tmp_path / "pod"
    (root / "runner").mkdir(parents=True)
    (root / "runner" / "runner.pyz").write_bytes(program)
    fetch = made.fetch
    assert fetch is not None
    found = run(resolver_pod(made, fetch, runner_pod(made))["spec"]["containers"][0], root)
    assert len(found) == 40
    commit(repository, {"src/m.py": "x = 2\n"})
    pinned = replace(made, attempt=replace(made.attempt, commit=found))
    (first,) = runner_pod(pinned)["spec"]["initContainers"]
    assert first["name"] == FETCH_CODE
    assert run(first, root) == found
    assert (root / "code" / "src" / "m.py").read_text() == "x = 1\n"

    (root / "runner" / "runner.pyz").write_bytes(program + b"#")
    assert run(first, root).startswith("FilesChanged ConfigMap daskjob-runner-")
