"""`daskjob submit`: what is checked, sent, printed, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ..client.played import created, status
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


def manifest(folder: Path, text: str = JOB) -> str:
    (folder / "job.yaml").write_text(text)
    return str(folder / "job.yaml")


def test_submit(on: On, tmp_path: Path) -> None:
    """Other kinds are named."""
    server, run = on({"create daskjobs": [created]})
    done = run("submit", manifest(tmp_path, JOB + CONFIG_MAP))
    assert (done.exit_code, done.stdout) == (0, "daskjob.daskjob.io/one created\n")
    assert "document 2 (data): a ConfigMap is not created: kubectl apply -f " in done.stderr
    assert server.asked[0].body["metadata"]["namespace"] == "team"


MISSPELT = JOB.replace("entrypoint", "entripoint")
TWO = JOB + "---" + JOB.replace("one", "two")
UNKNOWN = status(400, "BadRequest", 'strict decoding error: unknown field "spec.graph.entripoint"')


def test_a_mistake_that_the_server_finds_is_told_in_our_words(on: On, tmp_path: Path) -> None:
    server, run = on({"create daskjobs": [UNKNOWN]})
    done = run("submit", manifest(tmp_path, MISSPELT))
    assert done.exit_code == 2
    assert "spec.graph.entripoint: unknown field: did you mean entrypoint?" in done.stderr
    assert "strict decoding" not in done.stderr
    assert server.asked[0].query["fieldValidation"] == "Strict"


def test_what_only_the_server_knows_is_told_in_its_words(on: On, tmp_path: Path) -> None:
    """An older cluster, a webhook: here the manifest is valid."""
    _, run = on({"create daskjobs": [UNKNOWN]})
    done = run("submit", manifest(tmp_path))
    assert done.exit_code == 2
    assert "strict decoding error" in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (JOB.replace("{name: one}", "{labels: {a: b}}"), "metadata.name: is missing"),
        (
            JOB + "  runner: {template: {spec: {nodeSelectr: {a: b}}}}\n",
            "nodeSelectr: unknown field: did you mean spec.runner.template.spec.nodeSelector?",
        ),
        (JOB.replace("job:main", "job:main, args: [.nan]"), "spec.graph.args[0]: nan is not JSON"),
        (JOB.replace("{name: one}", "{name: one, 1: x}"), "metadata"),
    ],
)
def test_what_no_server_finds_is_told_before_it_is_asked(on: On, tmp_path: Path, text: str, words: str) -> None:
    server, run = on({})
    done = run("submit", manifest(tmp_path, text))
    assert done.exit_code == 2
    assert words in done.stderr
    assert server.asked == []


def test_of_several_none_is_created_if_one_is_wrong(on: On, tmp_path: Path) -> None:
    server, run = on({})
    done = run("submit", manifest(tmp_path, TWO.replace("entrypoint", "entripoint", 1)))
    assert done.exit_code == 2
    assert "entripoint" in done.stderr
    assert server.asked == []


def test_the_check_that_is_slow_is_not_imported_for_a_job_that_is_valid(on: On, tmp_path: Path) -> None:
    """cel-python and jsonschema take longer than all the rest."""
    on({"create daskjobs": [created]})
    program = "import sys; from daskjob.cli.commands import daskjob\ntry: daskjob()\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", program, "submit", manifest(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "one created" in done.stdout
    assert {"celpy", "jsonschema", "kopf", "dask", "pandas"} & set(done.stdout.split()) == set()


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
        (["--dry-run", "other.yaml"], JOB, "'other.yaml' is neither client nor server: write --dry-run=client"),
        (["--timeout", "5"], JOB, "--timeout is for --wait"),
        (["--wait", "--dry-run", "client"], JOB, "nothing to wait for"),
        (["--follow"], TWO, "--follow shows one job"),
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
    done = run("submit", manifest(tmp_path, TWO))
    assert done.exit_code == 3
    assert done.stdout == "daskjob.daskjob.io/one created\n"
    assert "exceeded quota" in done.stderr
