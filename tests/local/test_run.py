"""`daskjob run` for real: what it prints, its exit codes, deadlines, interruptions, and that it leaves nothing."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from daskjob.cli.commands import daskjob

from ..support.waiting import wait_for
from .conftest import PATIENCE, Command, manifest, read_until

LINUX = sys.platform == "linux"


def status_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stdout, done.stderr
    status: dict[str, Any] = json.loads(done.stdout)["status"]
    return status


CHATTY = """
    from dask import delayed

    def double(number):
        print("a task at work")
        return 2 * number

    def main():
        print("building the graph")
        return delayed(double)(21)
"""


def test_several_jobs_one_of_them_failing(command: Command) -> None:
    """One after the other; results to stdout, everything else to stderr; exit code 1."""
    command.write("a.yaml", manifest("first", CHATTY), manifest("other", "def main(): return 1 / 0"))
    command.write("b.yaml", manifest("last", "async def main(): return (1, 2)"))
    done = command.run(".")
    assert done.stdout.splitlines() == [
        "first  Succeeded  42",
        "other  Failed     EntrypointFailed",
        "last   Succeeded  [1,2]",
    ]
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert "building the graph" in lines
    assert "[worker-0] a task at work" in lines
    assert "first: starting, 0/1 workers" in lines
    at = lines.index("other failed: EntrypointFailed")
    assert lines[at + 1] == "  ZeroDivisionError: division by zero"
    assert any("def main(): return 1 / 0" in each for each in lines[at:])
    assert lines.index("last: starting, 0/1 workers") > at


def test_a_result_in_a_folder(command: Command) -> None:
    (command.folder / "store").mkdir()
    store = {"result": {"store": {"url": f"file://{command.folder}/store"}}}
    command.write("job.yaml", manifest("kept", CHATTY, **store))
    done = command.run("job.yaml", "-o", "json")
    result = status_of(done)["result"]
    assert (result["type"], result["format"], result["preview"]) == ("int", "json", "42")
    folder = Path(result["location"].removeprefix("file://"))
    assert folder.is_relative_to(command.folder / "store/default/kept")
    assert (folder / "value.json").read_text() == "42"


def test_output_of_one_job(command: Command) -> None:
    command.write("job.yaml", manifest("one", CHATTY))
    done = command.run("job.yaml", "-o", "yaml", "-q")
    job = yaml.safe_load(done.stdout)
    assert done.returncode == 0
    assert (job["apiVersion"], job["kind"]) == ("daskjob.io/v1alpha1", "DaskJob")
    assert job["metadata"]["name"] == "one"
    assert job["spec"]["startupDeadlineSeconds"] == 600, "the defaults of the schema"
    assert job["status"]["phase"] == "Succeeded"
    assert job["status"]["result"]["value"] == "42"
    assert job["status"]["cluster"]["summary"] == "1/1"
    assert job["status"]["progress"]["summary"] == "1/1"
    times = job["status"]["timings"]
    assert list(times.values()) == sorted(times.values())
    assert (next(iter(times)), list(times)[-1]) == ("accepted", "cleanedUp")
    assert done.stderr.splitlines() == ["building the graph", "[worker-0] a task at work"], "quiet"


def test_output_of_several_jobs(command: Command) -> None:
    command.write("job.yaml", *(manifest(name, "main = [1, None]") for name in ("one", "two")))
    done = command.run("job.yaml", "-o", "json")
    content = json.loads(done.stdout)
    assert (content["kind"], [each["metadata"]["name"] for each in content["items"]]) == ("List", ["one", "two"])


def test_value(command: Command) -> None:
    command.write("job.yaml", manifest("one", "main = {'a': [1, None]}"))
    done = command.run("job.yaml", "-o", "value")
    assert json.loads(done.stdout) == {"a": [1, None]}


def test_code_in_the_current_directory_and_settings(command: Command) -> None:
    (command.folder / "mine.py").write_text(
        textwrap.dedent("""
            import os

            def inside(dask_worker):
                return [os.environ["GREETING"], dask_worker.state.nthreads, dask_worker.memory_manager.memory_limit]

            def main(client):
                client.wait_for_workers(2)
                return [os.environ["GREETING"], *client.run(inside).values()]
        """)
    )
    job = manifest(
        "mine",
        "",
        cluster={
            "env": [{"name": "NAME", "value": "you"}, {"name": "GREETING", "value": "hello $(NAME)"}],
            "workers": {"replicas": 2, "threads": 3, "resources": {"limits": {"memory": "1Gi"}}},
        },
    )
    job["spec"]["graph"] = {"entrypoint": "mine:main"}
    command.write("job.yaml", job)
    done = command.run("job.yaml", "-o", "value")
    worker = ["hello you", 3, 1024**3]
    assert json.loads(done.stdout) == ["hello you", worker, worker], done.stderr
    for path in command.folder.rglob("__pycache__"):
        assert path.parent == command.folder, "only Python's own traces of importing mine.py"


def test_a_worker_that_dies_is_replaced(command: Command) -> None:
    code = """
        import os, pathlib
        from dask import delayed

        def die_once(path):
            if not pathlib.Path(path).exists():
                pathlib.Path(path).touch()
                os._exit(3)
            return "alive"

        def main(path):
            return delayed(die_once)(path)
    """
    command.write("job.yaml", manifest("one", code, graph={"args": [str(command.folder / "died")]}))
    done = command.run("job.yaml")
    assert done.stdout == 'one  Succeeded  "alive"\n', done.stderr
    assert "one: worker-0 ended, with exit code 3; starting another" in done.stderr.splitlines()


ENDLESS = """
    import subprocess, sys, time
    from dask import delayed

    def wait():
        # Something that is in nobody's process group but its own.
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        print("waiting", flush=True)
        time.sleep(600)

    def main():
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        return delayed(wait)()
"""


@pytest.mark.skipif(not LINUX, reason="processes are found by /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(number: signal.Signals, command: Command) -> None:
    command.write("job.yaml", manifest("endless", ENDLESS), manifest("next", "main = 1"))
    with command.start("job.yaml", "-o", "json") as process:
        read_until(process.stderr, "[worker-0] waiting")
        process.send_signal(number)
        # Far less than the job would take, and more than a busy machine needs.
        out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert json.loads(out)["status"]["failure"]["reason"] == "Cancelled"
    assert "not run: next" in err
    assert "Traceback" not in err
    assert command.left() == []


@pytest.mark.skipif(not LINUX, reason="processes are found by /proc")
def test_killed(command: Command) -> None:
    """Not even that leaves anything."""
    command.write("job.yaml", manifest("endless", ENDLESS))
    with command.start("job.yaml") as process:
        read_until(process.stderr, "[worker-0] waiting")
        process.kill()
    wait_for("all of it to go", command.left, lambda left: not left, PATIENCE)


def test_active_deadline(command: Command) -> None:
    command.write("job.yaml", manifest("endless", ENDLESS, activeDeadlineSeconds=4))
    done = command.run("job.yaml", "-o", "json")
    status = status_of(done)
    assert status["failure"]["reason"] == "DeadlineExceeded"
    assert status["failure"]["message"].endswith("longer than spec.activeDeadlineSeconds (4 s)")
    assert done.returncode == 1
    assert command.left() == []


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        ({"attemptDeadlineSeconds": 4}, "AttemptDeadlineExceeded", "longer than spec.attemptDeadlineSeconds (4 s)"),
        ({"stallTimeoutSeconds": 30}, "Stalled", "for spec.stallTimeoutSeconds (30 s); 0/1 are done"),
    ],
)
def test_other_times(spec: dict[str, Any], reason: str, message: str, command: Command) -> None:
    command.write("job.yaml", manifest("endless", ENDLESS, **spec))
    done = command.run("job.yaml", "-o", "json")
    status = status_of(done)
    assert status["failure"]["reason"] == reason
    assert status["failure"]["message"].endswith(message)
    assert done.returncode == 1
    assert command.left() == []


def test_what_a_cluster_would_do_is_said_and_the_job_runs(command: Command) -> None:
    code = "import os\nmain = [os.environ['DASKJOB_ATTEMPT']]"
    command.write("job.yaml", manifest("one", code, suspend=True, managedBy="a.b/c", backoffLimit=3, priority=0))
    done = command.run("job.yaml")
    assert done.stdout == 'one  Succeeded  ["1"]\n', done.stderr
    lines = done.stderr.splitlines()
    assert "one: spec.suspend is true: a cluster would wait until it is false; here the job runs" in lines
    assert "one: spec.managedBy: on a cluster a.b/c decides about the job; here it runs" in lines
    assert "one: not used by a local run, which makes one attempt: spec.backoffLimit" in lines


def test_a_job_that_is_to_be_cancelled(command: Command) -> None:
    command.write("job.yaml", manifest("one", "main = 1", cancel=True))
    done = command.run("job.yaml")
    assert done.stdout == "one  Failed     Cancelled\n"
    assert "spec.cancel is true: take it out to run the job" in done.stderr


def test_the_graph_starts_when_enough_workers_are_there(command: Command) -> None:
    code = "def main(client): return len(client.scheduler_info()['workers'])"
    command.write("job.yaml", manifest("one", code, cluster={"workers": {"replicas": 3, "minWorkers": 3}}))
    assert command.run("job.yaml").stdout == "one  Succeeded  3\n"


def with_preload(name: str, component: str, code: str, **spec: Any) -> dict[str, Any]:
    """A job whose scheduler or workers first run this code."""
    variable = {"name": f"DASK_DISTRIBUTED__{component}__PRELOAD", "value": "first"}
    files = {"code.py": "main = 1", "first.py": code}
    job = manifest(name, "", cluster={"env": [variable]}, **spec)
    job["spec"]["graph"]["source"] = {"files": files}
    job["spec"]["graph"]["entrypoint"] = "code:main"
    return job


@pytest.mark.parametrize(
    ("component", "code", "spec", "reason", "message", "kind"),
    [
        (
            "WORKER",
            "import time; time.sleep(600)",
            {"startupDeadlineSeconds": 3},
            "StartupDeadlineExceeded",
            "(3 s)",
            "Application",
        ),
        ("WORKER", "raise SystemExit('I will not')", {}, "ContainerStartFailed", "I will not", "Application"),
        ("SCHEDULER", "import os; os._exit(7)", {}, "ContainerStartFailed", "with exit code 7", "Application"),
    ],
)
def test_a_cluster_that_does_not_start(
    component: str, code: str, spec: dict[str, Any], reason: str, message: str, kind: str, command: Command
) -> None:
    """As on a cluster, but that nobody waits for a process that does not come up."""
    command.write("job.yaml", with_preload("one", component, code, **spec))
    done = command.run("job.yaml", "-o", "json")
    failure = status_of(done)["failure"]
    assert failure["reason"] == reason
    assert message in failure["message"]
    assert failure["class"] == kind
    assert done.returncode == 1


def test_no_config_map(command: Command) -> None:
    job = manifest("one", "")
    job["spec"]["graph"]["source"] = {"configMap": {"name": "nowhere"}}
    command.write("job.yaml", job)
    done = command.run("job.yaml")
    assert done.stdout == "one  Failed     ConfigMapNotFound\n"
    assert "there is no ConfigMap 'nowhere' in the job's file or folder" in done.stderr
    assert done.returncode == 1


def test_on_a_terminal(command: Command) -> None:
    """A bar, and what the job prints above it."""
    command.write("job.yaml", manifest("one", CHATTY))
    terminal, end = pty.openpty()
    with command.start("job.yaml", stderr=end) as process:
        os.close(end)
        shown = b"".join(chunks(terminal))
        out, _ = process.communicate(timeout=PATIENCE)
    assert out == "one  Succeeded  42\n"
    text = shown.decode()
    assert "━" in text
    assert "building the graph\r\n" in text
    assert "[worker-0] a task at work\r\n" in text


def chunks(terminal: int) -> Iterator[bytes]:
    try:
        while chunk := os.read(terminal, 4096):
            yield chunk
    except OSError:
        pass  # Linux says so when the other end is closed
    finally:
        os.close(terminal)


def test_what_init_writes_runs(command: Command) -> None:
    """As a manifest, and as a script with its arguments; the name of a script's job is generated."""
    assert CliRunner().invoke(daskjob, ["init", str(command.folder)]).exit_code == 0
    assert command.run("job.yaml").stdout == "first-job  Succeeded  328350\n"
    done = command.run("graph.py:graph", "10")
    assert re.fullmatch(r"graph-[a-z0-9]{5}  Succeeded  285\n", done.stdout), done.stderr
