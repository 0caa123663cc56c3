"""`daskjob report`, and `daskjob logs` of what only a store has any more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import daskjob
from daskjob.results.opened_store import open_store

from ..client.played import Answer, Body, Stream, job, listed
from .scenes import On


def with_report(root: Path) -> Body:
    """A job of which a report is kept in a folder."""
    folder, log = root / "team/one/u1/1/report", b"first\n\x1b[31mred\n"
    (folder / "logs").mkdir(parents=True)
    (folder / "logs/worker-a.log").write_bytes(log)
    files = [{"path": "logs/worker-a.log", "size": len(log), "sha256": hashlib.sha256(log).hexdigest()}]
    (folder / "report.json").write_text(json.dumps({"files": files}))
    report = {"location": f"file://{folder}", "message": "no bokeh"}
    whole = job(ended="Complete", attempt=1, attempts=[{"number": 1, "outcome": "Succeeded", "report": report}])
    return {**whole, "spec": {"report": {"store": {"url": f"file://{root}"}}}}


def test_report(on: On, tmp_path: Path) -> None:
    kept = with_report(tmp_path / "store")
    watches = {kind: [Stream([], "stays")] for kind in ("watch daskjobs", "watch pods")}
    _, run = on(
        {"get daskjobs/one": [Answer(kept)], "list daskjobs": [listed(kept)], "list pods": [listed()], **watches}
    )
    place = kept["status"]["attempts"][0]["report"]["location"]
    assert run("report", "one").stdout == f"{place}\n"
    assert f"at {place} (no bokeh)" in run("status", "one").stdout
    done = run("report", "one", "--to", str(tmp_path / "copy"))
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "copy/logs/worker-a.log").exists()
    assert run("report", "one", "--attempt", "2").exit_code == 4
    kept_future = daskjob.connect("team").attach("one")
    assert kept_future.report(tmp_path / "another") == place
    assert (tmp_path / "another/logs/worker-a.log").exists()
    # What no pod has any more.
    shown = run("logs", "one", "--component", "worker")
    assert (shown.exit_code, shown.stdout) == (0, "[worker-a] first\n[worker-a] red\n")
    assert run("logs", "one", "--component", "worker", "--tail", "1").stdout == "[worker-a] red\n"
    assert run("logs", "one", "--component", "worker", "-f", "--attempt", "1").stdout == shown.stdout
    missing = run("logs", "one", "--component", "scheduler")
    assert missing.exit_code == 4
    assert f"{place} has none either" in missing.stderr
    assert "leave out --since" in run("logs", "one", "--component", "worker", "--since", "5m").stderr


@pytest.mark.parametrize(
    "command",
    [["logs", "one", "--component", "worker"], ["report", "one", "--to", "copy"], ["result", "one", "--to", "copy"]],
    ids=lambda command: command[0],
)
def test_the_users_options_for_a_store(
    on: On, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    kept, opened = with_report(tmp_path / "store"), []

    def open_it(url: str, options: Mapping[str, Any]) -> Any:
        opened.append(options)
        return open_store(url, options)

    monkeypatch.setattr("daskjob.client.store_reading.open_store", open_it)
    monkeypatch.chdir(tmp_path)
    kept["spec"]["result"] = kept["spec"]["report"]
    kept["status"]["result"] = {"type": "x", "location": f"file://{tmp_path}/store/team/one/u1/1"}
    _, run = on({"get daskjobs/one": [Answer(kept)], "list pods": [listed()]})
    run(*command, "--storage-options", '{"profile": "me"}')
    monkeypatch.setenv("DASKJOB_STORAGE_OPTIONS", '{"anon": true}')
    run(*command)
    assert opened == [{"profile": "me"}, {"anon": True}]
    done = run(*command, "--storage-options", "key=a-secret-word")
    assert done.exit_code == 2
    assert "it is no JSON object" in done.stderr
    assert "a-secret-word" not in done.stderr


def test_logs_of_a_store_that_is_elsewhere_say_where(on: On, tmp_path: Path) -> None:
    kept = with_report(tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "moved")
    _, run = on({"get daskjobs/one": [Answer(kept)], "list pods": [listed()]})
    done = run("logs", "one")
    assert done.exit_code == 4
    assert f"the report is at file://{tmp_path}/store/team/one/u1/1/report, and cannot be had from here" in done.stderr
