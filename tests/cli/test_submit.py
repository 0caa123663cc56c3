"""`daskjob submit`: what is checked, sent, printed, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ..client.played import Answer, Asked, status
from .scenes import On, ends

JOB = """
apiVersion: daskjob.io/v1alpha1
kind: DaskJob
metadata: {name: one}
spec:
  graph: {entrypoint: job:main, source: {inline: "def main(): return 1"}}
  cluster: {image: example/dask:1}
"""
CONFIG_MAP = "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: data}\n"


def created(asked: Asked) -> Answer:
    return Answer({**asked.body, "metadata": {**asked.body["metadata"], "uid": "u1"}}, 201)


def manifest(folder: Path, text: str = JOB) -> str:
    (folder / "job.yaml").write_text(text)
    return str(folder / "job.yaml")


def test_submit(on: On, tmp_path: Path) -> None:
    """Other kinds are named; a manifest is checked before anything is asked."""
    server, run = on({"create daskjobs": [created]})
    done = run("submit", manifest(tmp_path, JOB + CONFIG_MAP))
    assert (done.exit_code, done.stdout) == (0, "daskjob.daskjob.io/one created\n")
    assert "document 2 (data): a ConfigMap is not created: kubectl apply -f " in done.stderr
    assert server.asked[0].body["metadata"]["namespace"] == "team"


def test_submit_what_is_wrong(on: On, tmp_path: Path) -> None:
    server, run = on({})
    done = run("submit", manifest(tmp_path, JOB.replace("entrypoint", "entripoint")))
    assert done.exit_code == 2
    assert "entripoint" in done.stderr
    assert server.asked == []


@pytest.mark.parametrize(
    ("ended", "code", "words"),
    [
        ("Complete", 0, "one  succeeded"),
        ("TaskFailed", 1, "one  failed"),
        ("Cancelled", 5, "one  cancelled"),
    ],
)
def test_submit_and_wait(on: On, tmp_path: Path, ended: str, code: int, words: str) -> None:
    """The exit code follows from the conditions."""
    _, run = on({"create daskjobs": [created], **ends(ended=ended)})
    done = run("submit", manifest(tmp_path), "--wait")
    assert done.exit_code == code
    assert words in done.stdout


def test_submit_dry_run(on: On, tmp_path: Path) -> None:
    server, run = on({"create daskjobs": [created]})
    assert "nothing was created" in run("submit", manifest(tmp_path), "--dry-run", "client").stdout
    assert server.asked == []
    done = run("submit", manifest(tmp_path), "--dry-run", "server", "-o", "yaml")
    assert server.asked[0].query["dryRun"] == "All"
    assert yaml.safe_load(done.stdout)["metadata"]["name"] == "one"


@pytest.mark.parametrize(
    ("arguments", "text", "words"),
    [
        (["--timeout", "5"], JOB, "--timeout is for --wait"),
        (["--wait", "--dry-run", "client"], JOB, "nothing to wait for"),
        (["--follow"], JOB + "---" + JOB.replace("one", "two"), "--follow shows one job"),
        (["-n", "other"], JOB.replace("{name: one}", "{name: one, namespace: mine}"), "leave one of them out"),
        (["--timeout", "soon", "--wait"], JOB, "no time"),
    ],
)
def test_submit_options_that_do_not_fit(on: On, tmp_path: Path, arguments: list[str], text: str, words: str) -> None:
    server, run = on({})
    done = run("submit", manifest(tmp_path, text), *arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert server.asked == []


def test_what_was_created_is_named_if_the_next_one_fails(on: On, tmp_path: Path) -> None:
    _, run = on({"create daskjobs": [created, status(403, "Forbidden", "exceeded quota")]})
    done = run("submit", manifest(tmp_path, JOB + "---" + JOB.replace("one", "two")))
    assert done.exit_code == 3
    assert done.stdout == "daskjob.daskjob.io/one created\n"
    assert "exceeded quota" in done.stderr
