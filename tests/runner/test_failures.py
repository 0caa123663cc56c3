"""Every failure that the runner tells apart, from the built runner on a real scheduler and worker."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import pytest

from ..support.ports import reserved_port
from .conftest import wait_for

SYNTAX = {"files": {"bad_syntax.py": "def graph(:"}, "codePath": None}
#: entry point, options, then what the failure must be: reason, exceptionType, message (searched), taskKey (searched).
FAILURES: dict[str, tuple[str, dict[str, Any], str, str | None, str, str | None]] = {
    "no such module": (
        "failng:x",
        {},
        "ModuleNotFound",
        "ModuleNotFoundError",
        "no module 'failng'.*mean 'failing'",
        None,
    ),
    "no such library": (
        "broken_import:x",
        {},
        "ModuleNotFound",
        "ModuleNotFoundError",
        "no_such_library.*not inst",
        None,
    ),
    "no such submodule": ("failing.sub:x", {}, "ModuleNotFound", "ModuleNotFoundError", "failing", None),
    "no such attribute": (
        "failing:in_taks",
        {},
        "EntrypointNotFound",
        "AttributeError",
        "'in_taks'.*mean 'in_task'",
        None,
    ),
    "no such inner": (
        "failing:NeedsTwo.x",
        {},
        "EntrypointNotFound",
        "AttributeError",
        "type 'failing:NeedsTwo'",
        None,
    ),
    "not an entry point": ("failing", {}, "InvalidJob", None, "graph.entrypoint: 'failing'", None),
    "raises at import": ("raises:x", {}, "EntrypointFailed", "RuntimeError", "at import", None),
    "syntax error": ("bad_syntax:x", SYNTAX, "EntrypointFailed", "SyntaxError", "bad_syntax.py, line 1", None),
    "raises outside": ("failing:outside", {}, "EntrypointFailed", "LookupError", "^not in a task$", None),
    "wrong arguments": ("failing:outside", {"kwargs": {"n": 1}}, "EntrypointFailed", "TypeError", "'n'", None),
    "an argument that is missing": (
        "failing:needs_two",
        {"kwargs": {"first": 1}},
        "EntrypointFailed",
        "TypeError",
        r"^needs_two\(first, connection\) does not take graph.args and graph.kwargs: missing a required argument: "
        "'connection'; it gets the connected client for a parameter named client$",
        None,
    ),
    "arguments for a value": (
        "failing:in_task",
        {"kwargs": {"n": 1}},
        "EntrypointFailed",
        "TypeError",
        "Delayed",
        None,
    ),
    "no such key": ("failing:nothing", {"keys": ["y"]}, "EntrypointFailed", "KeyError", "'y' is not a key", None),
    "keys without graph": ("failing:outside", {"keys": ["y"]}, "EntrypointFailed", "LookupError", "", None),
    "keys of no graph": ("entries:number", {"keys": ["y"]}, "EntrypointFailed", "TypeError", "gives a int", None),
    "in a task": ("failing:in_task", {}, "TaskFailed", "ValueError", "^no good: 3$", "^fails-"),
    "in a deep task": ("failing:in_deep_task", {}, "TaskFailed", "ValueError", "^no good: 5$", "^fails-"),
    "from a future": ("failing:from_future", {}, "TaskFailed", "ValueError", "no good: 9", "^fails-key$"),
    "from gather": ("failing:from_gather", {}, "TaskFailed", "ValueError", "no good: 1", "^fails-"),
    "from a coroutine": ("failing:from_coroutine", {}, "TaskFailed", "ValueError", "no good: 9", "^fails-async$"),
    "cannot be unpickled": ("failing:unpicklable", {}, "TaskFailed", "NeedsTwo", "fault in here", "^fails_unpick"),
    "wrapped": ("failing:wraps", {}, "EntrypointFailed", "RuntimeError", "wrapped", "^fails-inner$"),
    "unrelated": ("failing:unrelated", {}, "EntrypointFailed", "RuntimeError", "something else", None),
    "long message": ("failing:long_message", {}, "EntrypointFailed", "ValueError", "é…$", None),
    "deep": ("failing:deep", {}, "EntrypointFailed", "RecursionError", "deep enough", None),
    "text raises": ("failing:bad_text", {}, "EntrypointFailed", "failing.bad_text.<locals>.Odd", "TypeError", None),
    "no JSON": ("failing:not_json", {}, "ResultNotSerializable", None, r"\$: a object has no JSON form", None),
    "no JSON inside": ("failing:wrong_type", {}, "ResultNotSerializable", None, r'\$\.a\[2\]\["b c"\]: a object', None),
    "a cycle": ("failing:cycle", {}, "ResultNotSerializable", None, r"\$\[0\]\.a: contains itself", None),
    "exit 0": ("failing:exit_zero", {}, "ExitedEarly", "SystemExit", r"sys.exit\(0\)", None),
    "exit 3": ("failing:exit_three", {}, "ExitCode", "SystemExit", r"sys.exit\(3\)", None),
    "exit with a text": ("failing:exit_text", {}, "ExitCode", "SystemExit", "sorry", None),
    "os._exit(0)": ("failing:exit_hard", {"kwargs": {"code": 0}}, "ExitedEarly", None, "exit code 0", None),
    "os._exit(5)": ("failing:exit_hard", {"kwargs": {"code": 5}}, "ExitCode", None, "exit code 5", None),
    "segmentation fault": ("failing:segfault", {}, "Signal", None, "SIGSEGV", None),
    "killed": ("failing:kills_itself", {}, "Signal", None, "SIGKILL", None),
}
EXIT_CODES = {"exit 0": 0, "exit 3": 3, "exit with a text": 1, "os._exit(0)": 0, "os._exit(5)": 5, "killed": 137}


@pytest.mark.parametrize("case", FAILURES)
def test_failure(run, case):
    entrypoint, options, reason, exception, message, key = FAILURES[case]
    outcome = run(entrypoint, **options)
    failure = outcome.failure
    assert failure["reason"] == reason
    name = failure.get("exceptionType")
    assert name == exception or name == f"failing.{exception}", failure
    assert re.search(message, failure["message"]), failure["message"]
    assert (key is None) == ("taskKey" not in failure)
    assert key is None or re.search(key, failure["taskKey"])
    assert failure.get("exitCode") == EXIT_CODES.get(case) or case == "segmentation fault"
    trace = failure.get("traceback", "")
    assert "runner.pyz" not in trace
    assert "distributed/" not in trace


def test_traceback_keeps_frames_of_user_code_and_the_end(run):
    trace = run("failing:deep").failure["traceback"]
    assert trace.endswith("RecursionError: deep enough\n")
    assert 'failing.py", line' in trace
    trace = run("failing:in_deep_task").failure["traceback"]
    assert "in fails\n" in trace
    assert trace.endswith("ValueError: no good: 5\n")
    trace = run("failing:unpicklable").failure["traceback"]
    assert "in fails_unpicklable\n" in trace


def test_stack_of_a_crash_is_in_the_log(run):
    assert "Fatal Python error: Segmentation fault" in run("failing:segfault").output


def test_result_too_large_keeps_type_and_size(run):
    outcome = run("failing:too_large", 1000, limits={"resultBytes": 1001})
    failure = outcome.failure
    assert failure["reason"] == "ResultTooLarge"
    assert "1002 bytes" in failure["message"]
    assert 'result: {store: {url: "s3://bucket/folder"' in failure["message"]
    assert outcome.status["result"] == {"type": "str", "size": 1002}
    assert run("failing:too_large", 1000, limits={"resultBytes": 1002}).value == "x" * 1000


def test_result_that_is_not_json_keeps_its_type(run):
    assert run("failing:wrong_type").status["result"] == {"type": "dict"}


def test_killed_workers(run, make_cluster):
    cluster = make_cluster(env={"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"})
    failure = run("failing:kills_workers", cluster=cluster).failure
    assert failure["reason"] == "WorkersKilled"
    assert failure["taskKey"].startswith("exits-")
    assert failure["taskKey"] in failure["message"]


def test_no_workers(run, make_cluster):
    cluster = make_cluster(workers=1)
    options = {
        "cluster": cluster,
        "groups": [{"name": "default", "minWorkers": 2}],
        "scheduler": {"address": cluster.address, "timeoutSeconds": 4},
    }
    failure = run("entries:one", **options).failure
    assert failure["reason"] == "NoWorkers"
    assert "1 of 2 workers" in failure["message"]


def test_module_is_looked_for_without_workers(run, make_cluster):
    assert run("nowhere:x", cluster=make_cluster(workers=0)).failure["reason"] == "ModuleNotFound"


def test_scheduler_unreachable(run):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        failure = run("entries:one", address=address, scheduler={"address": address, "timeoutSeconds": 2}).failure
    assert failure["reason"] == "SchedulerUnreachable"
    assert address in failure["message"]


def test_scheduler_that_comes_late(start, make_cluster):
    port = reserved_port()
    running = start("entries:one", address=f"tcp://127.0.0.1:{port}")
    wait_for("the first report", running.status)
    cluster = make_cluster(workers=0, port=str(port))
    cluster.add_worker("late")
    assert running.wait().value == 285


def test_scheduler_lost(start, make_cluster):
    cluster = make_cluster()
    each = [start(entrypoint, 600, cluster=cluster) for entrypoint in ("failing:sleeps", "failing:sleeps_async")]
    for running in each:
        wait_for("the task", lambda running=running: running.status().get("progress", {}).get("processing"))
    cluster.scheduler.kill()
    assert [running.wait(30).failure["reason"] for running in each] == ["SchedulerLost", "SchedulerLost"]


def test_scheduler_replaced_by_another(start, make_cluster):
    cluster = make_cluster()
    running = start("failing:waits_deaf", cluster=cluster)
    wait_for("the graph", lambda: running.status().get("stage") == "Running")
    port = cluster.address.rpartition(":")[2]
    cluster.scheduler.kill()
    cluster.scheduler.wait()
    make_cluster(workers=0, port=port)
    failure = running.wait(30).failure
    assert failure["reason"] == "SchedulerLost"
    assert "another scheduler" in failure["message"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("{", "the job file"),
        ("[]", "an object was expected"),
        ('{"protocol": 2}', "speaks 1, not 2"),
        ('{"protocol": 1, "job": {}, "graph": {}, "scheduler": {}}', "graph.entrypoint: missing"),
        ('{"protocol": 1, "job": {}, "graph": {"entrypoint": 1}, "scheduler": {}}', "graph.entrypoint: 1 is not"),
    ],
)
def test_invalid_job_file(run, tmp_path, content, message):
    file = tmp_path / "other.json"
    if content is not None:
        file.write_text(content)
    failure = run("entries:one", address="tcp://127.0.0.1:1", env={"DASKJOB_JOB_FILE": str(file)}).failure
    assert failure["reason"] == "InvalidJob"
    assert message in failure["message"]


def test_nothing_that_user_code_started_is_left(run, tmp_path):
    file = tmp_path / "pid"
    outcome = run("failing:leaves_things", str(file))
    assert outcome.value == "done"
    assert len(outcome.output) > 2_000_000
    assert not Path(f"/proc/{file.read_text()}").exists()


def test_image_without_dask(run, tmp_path):
    outcome = run("entries:one", address="tcp://127.0.0.1:1", files={"distributed.py": "raise ImportError('gone')"},
                  env={"PYTHONPATH": str(tmp_path / "runner-0")})  # fmt: skip
    failure = outcome.failure
    assert failure["reason"] == "ModuleNotFound"
    assert "dask and distributed" in failure["message"]


def test_packages_that_the_images_own_start_would_have_installed(run):
    failure = run("broken_import:main", env={"EXTRA_PIP_PACKAGES": "xgboost"}).failure
    assert failure["reason"] == "ModuleNotFound"
    assert failure["message"].endswith(
        "; EXTRA_PIP_PACKAGES is read by the image's entry point, which no job runs: build an image with these packages"
    )


def test_a_graph_that_cannot_be_sent(run):
    """Dask's own words name a class of Dask."""
    failure = run("failing:with_lock").failure
    assert (failure["reason"], failure["exceptionType"]) == ("EntrypointFailed", "TypeError")
    words = "cannot pickle '_thread.lock' object: open or make it inside the task"
    assert failure["message"] == f"the graph cannot be sent to the scheduler: {words}"
