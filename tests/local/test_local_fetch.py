"""`daskjob run` fetches code as a pod does, with the git of this machine."""

from __future__ import annotations

from pathlib import Path

import yaml

from ..fetch.git_server import new_repository, serve
from .conftest import Command, manifest

CODE = "import lib\n\n\ndef main():\n    return lib.VALUE\n"


def test_code_from_git(command: Command, tmp_path: Path) -> None:
    new_repository(tmp_path, "code", {"jobs/code.py": CODE, "jobs/lib.py": "VALUE = 42\n"})
    with serve(tmp_path) as server:
        source = {
            "git": {"url": f"{server.url}/code", "revision": "main", "subPath": "jobs", "secretRef": {"name": "s"}}
        }
        wrong = {"git": {**source["git"], "revision": "mian"}}
        command.write(
            "job.yaml",
            manifest("good", "", graph={"source": source}),
            manifest("bad", "", graph={"source": wrong}),
        )
        done = command.run("job.yaml")
    assert done.stdout.splitlines() == ["good  Succeeded  42", "bad   Failed     RevisionNotFound"], done.stderr
    assert "no branch or tag 'mian'" in done.stderr
    assert "spec.graph.source.git.secretRef.name: only a cluster has Secrets" in done.stderr
    assert f"the code is that of {server.url}/code, " in done.stderr


def test_an_archive_from_nowhere(command: Command) -> None:
    source = {"archive": {"url": "http://127.0.0.1:1/x", "sha256": "0" * 64}}
    command.write("job.yaml", manifest("none", "", graph={"source": source}, startupDeadlineSeconds=2))
    done = command.run("job.yaml", "-o", "yaml")
    status = yaml.safe_load(done.stdout)["status"]
    assert (done.returncode, status["failure"]["reason"]) == (1, "SourceUnreachable")
