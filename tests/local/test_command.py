"""The command line as far as it starts nothing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import daskjob
from daskjob.cli.commands import daskjob as command
from daskjob.cli.output import explain, line, write

JOB = """
apiVersion: daskjob.io/v1alpha1
kind: DaskJob
metadata: {name: %s}
spec: {graph: {entrypoint: "a:b"}}
"""
INVALID = """
apiVersion: daskjob.io/v1alpha1
kind: DaskJob
metadata: {name: wrong}
spec:
  graph: {entrypoint: "a:b", source: {inline: "b = 1", configMap: {name: x}}}
  cluster: {workers: {replicas: -1}}
"""


def test_version() -> None:
    done = CliRunner().invoke(command, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"daskjob {daskjob.__version__}\n")


def test_starts_fast_because_it_imports_little() -> None:
    late = {"rich", "distributed", "celpy", "numpy"}
    code = f"import sys, daskjob.cli.commands; print(sorted({late} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_valid(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB % "one" + "---" + JOB % "two")
    done = CliRunner().invoke(command, ["validate", str(tmp_path / "job.yaml")])
    assert done.exit_code == 0
    file = tmp_path / "job.yaml"
    assert done.stdout == f"{file}: document 1 (one): valid\n{file}: document 2 (two): valid\n"


EVIL = r"\e[31mred\x9b2J\u202etxt.exe\a"
TERMINAL = f"""
apiVersion: daskjob.io/v1alpha1
kind: DaskJob
metadata: {{name: "{EVIL}"}}
spec:
  graph: {{entrypoint: "{EVIL}"}}
  "{EVIL}": 1
  runner:
    template:
      metadata: {{labels: {{"{EVIL}": "{EVIL}"}}}}
      spec: {{"nodeSelectors{EVIL}": 1, hostname: ["{EVIL}"]}}
"""


@pytest.mark.parametrize("verb", ["validate", "run"])
@pytest.mark.parametrize(
    "text", [TERMINAL, f'kind: DaskJob\n"{EVIL}": 1\n"{EVIL}": 2\n', f'kind: "{EVIL}"\n'], ids=["job", "twice", "kind"]
)
def test_what_a_manifest_says_moves_no_terminal(verb: str, text: str, tmp_path: Path) -> None:
    """Such as one of a pull request."""
    (tmp_path / "job.yaml").write_text(text)
    done = CliRunner().invoke(command, [verb, str(tmp_path / "job.yaml")])
    assert done.exit_code == 2
    assert done.output.replace("\n", "").isprintable()


def finished(value: str) -> dict[str, Any]:
    return {"metadata": {"name": "a"}, "status": {"phase": "Succeeded", "result": {"value": value}}}


RESULT = json.dumps("\x1b[31m \x9b \u202e ä \n 🐍 \U000e0001", ensure_ascii=False)


@pytest.mark.parametrize("output", ["json", "yaml", "value"])
def test_a_result_is_printed_as_it_is_without_moving_a_terminal(
    output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write([finished(RESULT)], output)
    printed = capsys.readouterr().out
    assert printed.replace("\n", "").isprintable()
    if output == "value":
        assert json.loads(printed) == json.loads(RESULT)
    else:
        read = json.loads if output == "json" else yaml.safe_load
        assert read(printed)["status"]["result"]["value"] == RESULT


def test_what_is_plain_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    write([finished('"ä 🐍"')], "value")
    write([finished('"ä 🐍"')], "yaml")
    assert capsys.readouterr().out.count("ä 🐍") == 2


@pytest.mark.parametrize("verb", ["validate", "run"])
def test_invalid(verb: str, tmp_path: Path) -> None:
    """Every problem of every document is told, with its place, and nothing is run."""
    file = tmp_path / "job.yaml"
    file.write_text(JOB % "right" + "---" + INVALID + "---" + JOB % "Wrong")
    done = CliRunner().invoke(command, [verb, str(file)])
    assert done.exit_code == 2
    told = done.stdout if verb == "validate" else done.stderr
    assert f"{file}: document 2 (wrong): spec.cluster.workers.replicas: " in told
    assert f"{file}: document 2 (wrong): spec.graph.source: give exactly one of inline" in told
    assert f"{file}: document 3 (Wrong): metadata.name: " in told
    assert "right" not in told


@pytest.mark.parametrize("verb", ["validate", "run"])
def test_a_report_is_nothing_that_people_write(verb: str, tmp_path: Path) -> None:
    """Such as in the output of `kubectl get daskjobs,daskjobreports -o yaml`."""
    file = tmp_path / "all.yaml"
    report = "apiVersion: daskjob.io/v1alpha1\nkind: DaskJobReport\nmetadata: {name: one-1}\nspec: {attempt: 1}\n"
    file.write_text(JOB % "one" + "---\n" + report)
    done = CliRunner().invoke(command, [verb, str(file)])
    told = "kind: DaskJobReport is what a runner reports: the operator creates it; leave it out"
    assert (done.exit_code, done.output) == (2, f"{file}: document 2 (one-1): {told}\n")


def test_a_name_given_twice(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB % "one" + "---" + JOB % "one")
    done = CliRunner().invoke(command, ["validate", str(tmp_path)])
    assert done.exit_code == 2
    assert "document 2 (one): metadata.name: " in done.stdout
    assert "has the same name: give each its own" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "Missing argument 'PATH...'"),
        (["run", "none.yaml"], "daskjob: none.yaml: there is no such file or folder"),
        (["run", "-o", "xml", "none.yaml"], "'xml' is not one of 'yaml', 'json', 'value'"),
        (["validate", "none.yaml"], "daskjob: none.yaml: there is no such file or folder"),
        (["walk"], "No such command 'walk'"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_without_distributed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "distributed" else real(name))
    (tmp_path / "job.yaml").write_text(JOB % "one")
    done = CliRunner().invoke(command, ["run", str(tmp_path / "job.yaml")])
    assert done.exit_code == 2
    assert done.stderr == "daskjob: running jobs here needs dask and distributed: pip install 'daskjob[local]'\n"


def test_a_line_for_people() -> None:
    job = {"metadata": {"name": "square-sum"}, "status": {"phase": "Succeeded", "summary": "41541750"}}
    assert line(job, 10) == "square-sum  Succeeded  41541750"
    assert explain(job) == ""


def test_a_failure_for_people() -> None:
    traceback = "\n".join(f"line {number}" for number in range(30))
    failure = {
        "reason": "TaskFailed",
        "class": "Application",
        "exceptionType": "ValueError",
        "message": "not this one\nnor that",
        "taskKey": "invert-1",
        "traceback": traceback,
    }
    job = {"metadata": {"name": "inverse"}, "status": {"phase": "Failed", "summary": "TaskFailed", "failure": failure}}
    lines = explain(job).splitlines()
    assert lines[:5] == [
        "inverse failed: TaskFailed",
        "  ValueError: not this one",
        "  nor that",
        "  task: invert-1",
        "  traceback (last 20 lines):",
    ]
    assert lines[5:25] == [f"    line {number}" for number in range(10, 30)]
    assert lines[25].startswith("  what to do: mend the task's code")
