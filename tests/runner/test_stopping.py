"""Stopping the runner: signals to the supervisor, and user code that does not want to end."""

from __future__ import annotations

import signal
import time

import pytest

from daskjob import wire
from daskjob.manifests.runner import GRACE_SECONDS

from .conftest import wait_for


@pytest.mark.parametrize("entrypoint", ["failing:sleeps", "failing:sleeps_async"])
def test_sigterm_cancels_the_graph(start, dask_cluster, entrypoint):
    running = start(entrypoint, 600)
    wait_for("the task", lambda: running.status().get("progress", {}).get("processing"))
    running.process.send_signal(signal.SIGTERM)
    outcome = running.wait()
    assert outcome.failure["reason"] == "Cancelled"
    assert "SIGTERM" in outcome.failure["message"]


def test_sigterm_ends_code_that_ignores_everything(start):
    running = start("failing:ignores_everything")
    wait_for("the graph", lambda: running.status().get("stage") == "Running")
    began = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    wait_for("the termination message", running.termination.exists)
    # Written first of all, and within the shortest grace period.
    assert time.monotonic() - began < GRACE_SECONDS
    message = wire.parse_termination_message(running.termination.read_text())
    assert message["failure"]["reason"] == "Cancelled"
    assert running.wait().failure["reason"] == "Cancelled"
    assert time.monotonic() - began < 15


def test_sigterm_before_anything_is_connected(start):
    running = start("entries:one", address="tcp://127.0.0.1:1")
    wait_for("the first report", running.status)
    running.process.send_signal(signal.SIGTERM)
    assert running.wait().failure["reason"] == "Cancelled"


DEADLINE = {"seconds": 3, "reason": "DeadlineExceeded", "message": "the job was active for too long"}


@pytest.mark.parametrize("entrypoint", ["failing:sleeps", "failing:ignores_everything"])
def test_a_runner_that_nobody_ends_keeps_its_deadline(start, dask_cluster, entrypoint):
    """The operator has some time for it; then the runner ends its graph, whatever user code does."""
    arguments = [600] if entrypoint == "failing:sleeps" else []
    running = start(entrypoint, *arguments, deadline=DEADLINE, unattendedSeconds=2)
    outcome = running.wait()
    assert outcome.failure == {name: DEADLINE[name] for name in ("reason", "message")}
    assert outcome.seconds >= 5


def test_a_runner_ends_by_its_deadline_before_anything_is_connected(start):
    running = start("entries:one", address="tcp://127.0.0.1:1", deadline=DEADLINE, unattendedSeconds=0)
    assert running.wait().failure["reason"] == "DeadlineExceeded"


def test_a_graph_that_is_in_time_has_its_result(run):
    assert run("entries:one", deadline={**DEADLINE, "seconds": 600}, unattendedSeconds=0).value == 285
