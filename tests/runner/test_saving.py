"""What is kept of an attempt in a store, however the attempt ends, and that it changes no end."""

from __future__ import annotations

import gzip
import hashlib
import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from daskjob import wire
from daskjob.runner.log_copy import LARGEST
from daskjob.runner.output_copy import OUTPUT_VARIABLE
from daskjob.runner.saving import Saving
from daskjob.wire.jobfile import JobFile, ReportOrders, StoreOrders

from .conftest import CODE, wait_for
from .dask_pods import a_client, a_scheduler, launching

BELOW = "team/job/11111111-2222/1/report"


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def keeping(start, tmp_path, store):
    """Starts a runner whose report goes into a folder. `secret`: files of the report's own Secret."""

    def begin(how, url=None, secret=None, address="", **parts):
        recording = tmp_path / "recording"
        env = {"DASKJOB_RECORDING": str(recording), "DASKJOB_LOG_COPY": str(recording / "runner.log")}
        if secret is not None:
            (tmp_path / "secret").mkdir()
            for name, text in secret.items():
                (tmp_path / "secret" / name).write_text(text)
            env["DASKJOB_REPORT_SECRET"] = str(tmp_path / "secret")
        keep = {"store": {"url": url or f"file://{store}"}, **parts}
        return start("recorded:graph", how, env=env, keep=keep, address=address)

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


#: Prints, and ends one process of a nanny as the kernel does it.
KILLS = """\
import sys, time, distributed

def dies():
    import os
    print("printed before it was killed", flush=True)
    os.kill(os.getpid(), 9)

with distributed.Client(sys.argv[1]) as client:
    client.wait_for_workers(3)
    names = {each["name"]: address for address, each in client.scheduler_info(n_workers=-1)["workers"].items()}
    client.run(dies, workers=[names["two-0"]], on_error="ignore")
    while names["two-0"] in client.scheduler_info(n_workers=-1)["workers"]:
        time.sleep(0.1)
    client.wait_for_workers(3)
"""
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


def test_what_tasks_print_is_in_the_log_of_their_pod(keeping, store, tmp_path, monkeypatch):
    """Of a pod with one process, and of one whose nanny has started two, one of them again."""
    kept = {}

    def in_pod(name):
        kept[name] = tmp_path / f"output-of-{name}"
        monkeypatch.setenv(OUTPUT_VARIABLE, str(kept[name]))
        monkeypatch.setenv("DASK_WORKER_NAME", name)

    (tmp_path / "pods").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(CODE))
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    with launching(tmp_path / "pods") as launch:
        in_pod("scheduler")
        scheduler, address = a_scheduler(launch, later=600.0)
        in_pod("one")
        one = launch("dask_worker", address, "--no-nanny", "--nthreads", "1", "--name", "one", later=600.0)
        in_pod("two")
        options = ("--nanny", "--nworkers", "2", "--nthreads", "1", "--name", "two")
        two = launch("dask_worker", address, *options, later=600.0)
        a_client(KILLS, address)
        assert keeping("well", address=address, html=False, trace=False).wait().value == sum(range(1, 51))
        files = files_in(store)
    assert {path for path in files if "worker" in path} == {"logs/worker-one.log", "logs/worker-two.log"}
    found = []
    for pod, path in ((scheduler, "scheduler"), (one, "worker-one"), (two, "worker-two")):
        log, lines = files[f"logs/{path}.log"].decode(), pod.log.read_text()
        # What the kubelet would have is the same, once; two processes may write into both in another order.
        assert log in lines or pod is two
        assert not Counter(log.splitlines()) - Counter(lines.splitlines())
        assert "distributed." in log
        found += [line for line in log.splitlines() if line.startswith("printed by task")]
        assert lines.count("printed by task") == log.count("printed by task")
    assert sorted(found) == sorted(f"printed by task {i}" for i in range(50))
    assert "printed before it was killed\n" in files["logs/worker-two.log"].decode()


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
