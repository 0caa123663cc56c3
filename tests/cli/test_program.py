"""What all commands have in common: completion, times, where they are."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from daskjob.cli import cluster_options
from daskjob.cli.cluster_options import seconds
from daskjob.cli.columns import duration
from daskjob.cli.commands import LATER, daskjob
from daskjob.cli.completing import candidates

from ..client.played import job, listed
from ..support.programs import ROOT
from .scenes import On


def test_each_command_is_where_the_group_looks_for_it() -> None:
    context = click.Context(daskjob)
    for name in LATER:
        command = daskjob.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.get_short_help_str(200)


def test_a_command_that_there_is_not(on: On) -> None:
    _, run = on({})
    done = run("lst", "-A")
    assert done.exit_code == 2
    assert "No such command 'lst'. Did you mean list?" in done.stderr


def test_a_check_does_not_import_what_no_schema_needs(tmp_path: Path) -> None:
    """Jupyter brings jsonschema a check of IRIs that takes a second to import."""
    (tmp_path / "rfc3987_syntax.py").write_text("raise SystemExit('it was imported')\n")
    manifest = str(ROOT / "jobs/01-square-sum/job.yaml")
    command = [sys.executable, "-m", "daskjob.cli", "validate", manifest]
    paths = {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | paths, timeout=120)
    assert (done.returncode, done.stdout) == (0, f"{manifest}: document 1 (square-sum): valid\n"), done.stderr


#: What Python has on Linux, and not on Windows.
OTHER_SYSTEM = """\
import os, signal, sys
sys.modules.update(dict.fromkeys(("fcntl", "grp", "pwd", "resource", "termios")))
del os.fork, os.getuid, os.killpg, os.setsid, os.uname, signal.SIGALRM, signal.SIGHUP, signal.SIGKILL
"""


def test_on_windows_manifests_are_checked_and_no_job_is_run(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(OTHER_SYSTEM)
    manifest = str(ROOT / "jobs/01-square-sum/job.yaml")

    def ran(command: str) -> subprocess.CompletedProcess[str]:
        whole = [sys.executable, "-m", "daskjob.cli", command, manifest]
        return subprocess.run(
            whole, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(tmp_path)}, timeout=120
        )

    checked, run = ran("validate"), ran("run")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert run.returncode == 1
    assert "no job runs on this system, which does not fork processes" in run.stderr
    assert "Traceback" not in run.stderr


def test_names_are_completed_from_the_cluster(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_options, "COMPLETION", 60.0)
    on({"list daskjobs": [listed(job("square-sum"), job("square-root"), job("other"))]})
    assert candidates(daskjob, ["status", "square-s"]) == ["square-sum"]
    assert candidates(daskjob, ["wait", "square-sum", "square"]) == ["square-root"]
    assert candidates(daskjob, ["stat"]) == ["status"]


def test_a_cluster_that_does_not_answer_completes_nothing_in_a_second(on: On) -> None:
    over = threading.Event()
    on({"list daskjobs": [lambda asked: (over.wait(60), listed(job()))[1]]})
    # Who waited for the answer would have the job's name.
    try:
        assert candidates(daskjob, ["status", ""]) == []
    finally:
        over.set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(on: On, shell: str) -> None:
    _, run = on({})
    assert f"_DASKJOB_COMPLETE={shell}_complete" in run("completion", shell).stdout


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("0.5s", 0.5), ("1d", 86400)]
)
def test_times(text: str, value: float) -> None:
    assert seconds(click.Context(daskjob), click.Option(["--timeout"]), text) == value


@pytest.mark.parametrize("text", ["", "m", "5 m", "-5", "1.2.3", "h5", "5mm", "5x"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(click.BadParameter):
        seconds(click.Context(daskjob), click.Option(["--timeout"]), text)


@pytest.mark.parametrize(
    ("then", "words"),
    [("11:59:59", "1s"), ("11:00:00", "1h"), ("10:29:00", "1h31m"), ("12:00:30", "0s"), ("99", "")],
)
def test_how_long_ago(then: str, words: str) -> None:
    assert duration(f"2026-11-26T{then}Z", datetime(2026, 11, 26, 12, tzinfo=UTC)) == words
