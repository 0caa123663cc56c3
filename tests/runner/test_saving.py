"""What is kept of an attempt in a store, however the attempt ends, and that it changes no end."""

from __future__ import annotations

import gzip
import hashlib
import json
import signal
import sys
import time
from pathlib import Path

import pytest

from daskjob import wire
from daskjob.runner.log_copy import LARGEST
from daskjob.runner.saving import Saving
from daskjob.wire.jobfile import JobFile, ReportOrders, StoreOrders

from .conftest import wait_for

BELOW = "team/job/11111111-2222/1/report"


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def keeping(start, tmp_path, store):
    """Starts a runner whose report goes into a folder. `secret`: files of the report's own Secret."""

    def begin(how, url=None, secret=None, **parts):
        recording = tmp_path / "recording"
        env = {"DASKJOB_RECORDING": str(recording), "DASKJOB_LOG_COPY": str(recording / "runner.log")}
        if secret is not None:
            (tmp_path / "secret").mkdir()
            for name, text in secret.items():
                (tmp_path / "secret" / name).write_text(text)
            env["DASKJOB_REPORT_SECRET"] = str(tmp_path / "secret")
        keep = {"store": {"url": url or f"file://{store}"}, **parts}
        return start("recorded:graph", how, env=env, keep=keep)

    return begin


def files_in(store: Path) -> dict[str, bytes]:
    """The files below the attempt's folder, all of which its list names rightly."""
    folder = store / BELOW
    found = {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}
    listed = {each["path"]: each for each in json.loads(found["report.json"])["files"]}
    assert listed.keys() == found.keys() - {"report.json"}
    for path, each in listed.items():
        assert (each["size"], each["sha256"]) == (len(found[path]), hashlib.sha256(found[path]).hexdigest())
    return found


def keys_in_trace(files):
    events = json.loads(gzip.decompress(files["trace.json.gz"]))["traceEvents"]
    return {each["args"]["key"] for each in events if each["ph"] == "X" and each["cat"] == "compute"}


KEYS = {str(("add", i)) for i in range(50)}


def test_of_a_graph_that_is_computed(keeping, store):
    outcome = keeping("well").wait()
    assert outcome.value == sum(range(1, 51))
    saved = outcome.status["saved"]
    assert saved["location"] == f"file://{store}/{BELOW}"
    assert outcome.termination["saved"] == saved
    files = files_in(store)
    log = files["logs/runner.log"].decode()
    assert "printed by the graph\n" in log
    assert "written by the graph\n" in log
    # Copied, not taken away.
    assert "printed by the graph\n" in outcome.output
    assert "written by the graph\n" in outcome.output
    assert keys_in_trace(files) == KEYS
    assert b"Dask Performance Report" in files["performance-report.html"]
    assert b"distributed.scheduler" in files["logs/scheduler.log"]
    assert b"distributed.worker" in files["logs/worker-worker-0.log"]
    metrics = json.loads(files["metrics.json"])
    assert metrics["scheduler"]["prefixes"]["add"]["states"]["memory"] >= 50
    assert metrics["progress"]["done"] >= 50
    assert "worker-0" in metrics["workerMetrics"]


def test_of_a_process_that_is_killed(keeping, store):
    """As the kernel does it for want of memory."""
    outcome = keeping("is killed").wait()
    assert outcome.failure["reason"] == "Signal"
    files = files_in(store)
    assert keys_in_trace(files) == KEYS
    assert {"logs/runner.log", "logs/scheduler.log", "performance-report.html", "metrics.json"} <= files.keys()
    assert json.loads(files["report.json"])["end"]["reason"] == "Signal"


def test_of_a_runner_that_is_told_to_stop(keeping, store):
    running = keeping("waits", html=False)
    wait_for("the tasks", lambda: running.status().get("progress", {}).get("done", 0) >= 50)
    running.process.send_signal(signal.SIGTERM)
    outcome = running.wait()
    assert outcome.failure["reason"] == "Cancelled"
    files = files_in(store)
    assert keys_in_trace(files) == KEYS
    assert b"cancelled; this is where it was" in files["logs/runner.log"]
    assert "performance-report.html" not in files


def test_of_a_log_without_end_the_end_is_kept(keeping, store):
    outcome = keeping("floods", html=False, trace=False).wait()
    assert outcome.status["outcome"] == "Succeeded"
    log = files_in(store)["logs/runner.log"]
    assert log[-10_000:].count(b"the end of a flood\n") == 1
    assert LARGEST < len(log) <= 2 * LARGEST
    assert "trace.json.gz" not in files_in(store)


@pytest.mark.parametrize(
    ("url", "reason"),
    [("file:///no/such/volume", "StoreNotFound"), ("nothing://bucket", "StoreNotFound")],
    ids=["missing", "unknown"],
)
def test_a_store_that_is_none_fails_no_job(keeping, url, reason):
    outcome = keeping("well", url, {"KEY": "a-secret-value"}).wait()
    assert outcome.value == sum(range(1, 51))
    saved = outcome.status["saved"]
    assert saved["reason"] == reason
    assert "result.store" not in saved["message"]
    assert "location" not in saved
    assert "a-secret-value" not in json.dumps(outcome.status) + outcome.output


def test_a_volume_that_takes_nothing_fails_no_job(start, tmp_path):
    (tmp_path / "file").write_text("no folder")
    recording = tmp_path / "file" / "recording"
    env = {"DASKJOB_RECORDING": str(recording), "DASKJOB_LOG_COPY": str(recording / "runner.log")}
    outcome = start("recorded:graph", "well", env=env, keep={"store": {"url": f"file://{tmp_path}"}}).wait()
    assert outcome.value == sum(range(1, 51))
    assert outcome.status["saved"]["reason"] == "ReportLost"
    assert "nothing of the graph can be recorded" in outcome.output
    assert "the log is not copied" in outcome.output


def test_a_process_that_hangs_is_ended_in_time(tmp_path, monkeypatch):
    """As one that waits for an NFS server which is gone."""
    program = tmp_path / "hangs.py"
    program.write_text("import time; time.sleep(600)")
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("DASKJOB_RECORDING", str(tmp_path))
    job = JobFile("m:f", "tls://s:1", report_orders=ReportOrders(StoreOrders("file:///mnt")))
    over = time.monotonic() + 0.5
    saved = Saving(job).run({"outcome": wire.SUCCEEDED}, {}, lambda: over)
    assert saved is not None
    assert saved["reason"] == "ReportLost"
    assert "in time" in saved["message"]


def test_what_no_termination_message_has_room_for_is_left_out():
    saved = {"reason": "StoreForbidden", "message": "x" * 1000}
    assert "saved" not in wire.parse_termination_message(wire.termination_message(wire.FAILED, saved=saved))
    short = {"location": "s3://bucket/a"}
    assert wire.parse_termination_message(wire.termination_message(wire.FAILED, saved=short))["saved"] == short
