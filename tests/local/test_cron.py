"""DaskCronJobs on the command line: checked like jobs, schedule included, and their job run once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from daskjob.cli.commands import daskjob as command

CRON = """
apiVersion: daskjob.io/v1alpha1
kind: DaskCronJob
metadata: {name: %s, namespace: team}
spec:
  schedule: "%s"
  timeZone: %s
  jobTemplate:
    metadata: {labels: {a: b}}
    spec:
      graph: {entrypoint: "code:main", args: [6], source: {inline: "def main(number): return 7 * number"}}
"""


def validate(*texts: str, folder: Path) -> tuple[int, list[str]]:
    file = folder / "cron.yaml"
    file.write_text("---".join(texts))
    done = CliRunner().invoke(command, ["validate", str(file)])
    return done.exit_code, [line.removeprefix(f"{file}: ") for line in done.stdout.splitlines()]


def test_valid(tmp_path: Path) -> None:
    assert validate(
        CRON % ("one", "@daily", "Europe/Berlin"), CRON % ("two", "0 8-18 * * MON-FRI", "UTC"), folder=tmp_path
    ) == (
        0,
        ["document 1 (one): valid", "document 2 (two): valid"],
    )


@pytest.mark.parametrize(
    ("schedule", "zone", "told"),
    [
        ("0 0 L * *", "UTC", "spec.schedule: write each field as *, a number, a name of three letters"),
        ("0 0 31 2 *", "UTC", "spec.schedule: '0 0 31 2 *' never comes: no such month has that day"),
        ("0 0 * * *", "Europe/Atlantis", "spec.timeZone: unknown time zone 'Europe/Atlantis': write a name such as"),
        ("0 0 * * *", "Local", "spec.timeZone: write the name of a time zone"),
    ],
)
def test_invalid(schedule: str, zone: str, told: str, tmp_path: Path) -> None:
    code, (line,) = validate(CRON % ("one", schedule, zone), folder=tmp_path)
    assert code == 2
    assert line.startswith(f"document 1 (one): {told}")


def test_what_is_wrong_with_the_job_is_told_where_it_is(tmp_path: Path) -> None:
    code, (line,) = validate((CRON % ("one", "@daily", "UTC")).replace("code:main", "code"), folder=tmp_path)
    assert code == 2
    assert line.startswith("document 1 (one): spec.jobTemplate.spec.graph.entrypoint: write package.module:attribute")


def test_a_job_and_a_cron_job_may_have_one_name(tmp_path: Path) -> None:
    job = "apiVersion: daskjob.io/v1alpha1\nkind: DaskJob\nmetadata: {name: one, namespace: team}\n"
    job += "spec: {graph: {entrypoint: 'a:b'}}\n"
    cron = CRON % ("one", "@daily", "UTC")
    assert validate(job, cron, folder=tmp_path)[0] == 0
    code, (line,) = validate(cron, cron, folder=tmp_path)
    assert (code, "has the same name: give each its own" in line) == (2, True)


def test_its_job_is_run_once(tmp_path: Path) -> None:
    file = tmp_path / "cron.yaml"
    file.write_text(CRON % ("answer", "@yearly", "Europe/Berlin"))
    done = CliRunner().invoke(command, ["run", "-q", "-o", "json", str(file)])
    assert done.exit_code == 0, done.stderr
    job = json.loads(done.stdout)
    assert (job["kind"], job["status"]["phase"], job["status"]["summary"]) == ("DaskJob", "Succeeded", "42")
    assert {key: job["metadata"][key] for key in ("name", "namespace", "labels")} == {
        "name": "answer",
        "namespace": "team",
        "labels": {"a": "b"},
    }


def test_a_schedule_that_cannot_be_used_is_told_of_before_anything_runs(tmp_path: Path) -> None:
    file = tmp_path / "cron.yaml"
    file.write_text(CRON % ("answer", "0 0 30 2 *", "UTC"))
    done = CliRunner().invoke(command, ["run", str(file)])
    assert done.exit_code == 2
    assert "spec.schedule: '0 0 30 2 *' never comes" in done.stderr
