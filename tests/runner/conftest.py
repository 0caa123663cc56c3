"""The built runner as a process, and real schedulers and workers for it.

DASKJOB_TEST_PYTHON names the Python that runs scheduler, workers and runner (default: this one).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from daskjob import wire
from daskjob.results.status_store import StatusStore
from daskjob.runner import archive

PYTHON = os.environ.get("DASKJOB_TEST_PYTHON", sys.executable)
CODE = Path(__file__).parent / "code"
#: Seconds in which anything that should happen does.
PATIENCE = 60


def wait_for(what: str, found: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """The first true value of `found()`."""
    deadline = time.monotonic() + patience
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {patience} s, the last was {value!r}"
        time.sleep(0.02)


@dataclass
class Cluster:
    """A scheduler and its workers."""

    folder: Path
    protocol: str = "tcp"
    env: dict[str, str] = field(default_factory=dict)
    port: str = "0"
    python: str = PYTHON
    address: str = ""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, workers: int = 1) -> Cluster:
        file = self.folder / "scheduler.json"
        options = ["--port", self.port, "--protocol", self.protocol, "--scheduler-file", str(file)]
        self._run("dask_scheduler", "--host", "127.0.0.1", *options)
        # The file is there before it is written.
        wait_for("the scheduler's file", lambda: file.exists() and file.read_text().rstrip().endswith("}"))
        self.address = json.loads(file.read_text())["address"]
        for number in range(workers):
            self.add_worker(f"worker-{number}")
        return self

    @property
    def scheduler(self) -> subprocess.Popen[bytes]:
        return self.processes[0]

    def add_worker(self, name: str, *options: str) -> None:
        self._run("dask_worker", self.address, "--no-nanny", "--nthreads", "2", "--name", name, *options)

    def _run(self, program: str, *options: str) -> None:
        command = [self.python, "-c", f"from distributed.cli.{program} import main; main()", *options, "--no-dashboard"]
        env = {**os.environ, "PYTHONPATH": str(CODE), "PYTHONDONTWRITEBYTECODE": "1", **self.env}
        with open(self.folder / f"{program}.log", "ab") as log:
            self.processes.append(subprocess.Popen(command, env=env, cwd=self.folder, stdout=log, stderr=log))

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


@dataclass
class Outcome:
    """What a finished runner left."""

    code: int
    status: dict[str, Any]
    termination: dict[str, Any]
    output: str
    seconds: float

    @property
    def value(self) -> Any:
        """The decoded result of a job that succeeded, here and in the termination message."""
        assert self.status.get("outcome") == "Succeeded", self.output + json.dumps(self.status, indent=1)
        assert self.code == 0
        result = self.status["result"]
        assert self.status == {**wire.parse_report(self.status)}
        assert self.termination["outcome"] == "Succeeded"
        assert self.termination["result"]["sha256"] == result["sha256"]
        return StatusStore().get(result)

    @property
    def failure(self) -> dict[str, Any]:
        """The failure of a job that failed, the same in the termination message but for what did not fit."""
        assert self.status.get("outcome") == "Failed", self.output + json.dumps(self.status, indent=1)
        assert self.code == 1
        failure = self.status["failure"]
        assert self.termination["failure"]["reason"] == failure["reason"]
        assert len(failure["message"].encode()) <= 1024
        assert len(failure.get("traceback", "").encode()) <= 4096
        return failure


class Running:
    """A runner's process with its files."""

    def __init__(
        self, folder: Path, program: list[str], job: dict[str, Any], env: dict[str, str], python: str = PYTHON
    ) -> None:
        self.folder = folder
        self.report = folder / "report.json"
        self.termination = folder / "termination"
        (folder / "job.json").write_text(json.dumps(job))
        environment = {
            **os.environ,
            "DASKJOB_JOB_FILE": str(folder / "job.json"),
            "DASKJOB_REPORT": f"file:{self.report}",
            "DASKJOB_TERMINATION_LOG": str(self.termination),
            "PYTHONDONTWRITEBYTECODE": "1",
            **env,
        }
        self.began = time.monotonic()
        self.output = open(folder / "output", "w+b")  # noqa: SIM115
        self.process = subprocess.Popen(
            [python, *program], env=environment, cwd=folder, stdout=self.output, stderr=self.output
        )

    def status(self) -> dict[str, Any]:
        return json.loads(self.report.read_text()) if self.report.exists() else {}

    def wait(self, patience: float = PATIENCE) -> Outcome:
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError((self.folder / "output").read_text()[-5000:]) from None
        finally:
            self.output.close()
        seconds = time.monotonic() - self.began
        termination = wire.parse_termination_message(self.termination.read_text())
        output = (self.folder / "output").read_text(errors="replace")
        return Outcome(code, self.status(), termination, output, seconds)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runner") / "runner.pyz"
    path.write_bytes(archive.build())
    return path


@pytest.fixture(scope="session")
def dask_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One scheduler and one worker with two threads, for every test that leaves them whole."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster.start()
    cluster.stop()


@pytest.fixture
def make_cluster(tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    """Clusters of a test's own."""
    made: list[Cluster] = []

    def make(workers: int = 1, **options: Any) -> Cluster:
        folder = tmp_path / f"cluster-{len(made)}"
        folder.mkdir()
        made.append(Cluster(folder, **options))
        return made[-1].start(workers)

    yield make
    for cluster in made:
        cluster.stop()


@pytest.fixture
def start(tmp_path: Path, program: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Running]]:
    """Starts the runner for an entry point; `job` replaces parts of the job file."""
    started: list[Running] = []

    def start(
        entrypoint: str,
        *args: Any,
        cluster: Cluster | None = None,
        address: str = "",
        env: dict[str, str] | None = None,
        keys: list[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
        files: dict[str, str] | None = None,
        **job: Any,
    ) -> Running:
        if not address:
            cluster = cluster or request.getfixturevalue("dask_cluster")
            address = cluster.address
        whole = {
            "protocol": 1,
            "job": {"namespace": "team", "name": "job", "uid": "11111111-2222"},
            "attempt": 1,
            "report": "job-11111-1",
            "graph": {"entrypoint": entrypoint, "args": list(args), "kwargs": kwargs or {}, "keys": keys},
            "scheduler": {"address": address, "timeoutSeconds": 30},
            "codePath": str(CODE),
            "groups": [{"name": "default"}],
            "limits": {"resultBytes": 262144},
            **job,
        }
        folder = tmp_path / f"runner-{len(started)}"
        folder.mkdir()
        for name, content in (files or {}).items():
            (folder / name).write_text(content)
        environment = {**(cluster.env if cluster else {}), **(env or {})}
        started.append(Running(folder, [str(program)], whole, environment, cluster.python if cluster else PYTHON))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()
        running.output.close()


@pytest.fixture
def run(start: Callable[..., Running]) -> Callable[..., Outcome]:
    """Runs the runner for an entry point to its end."""
    return lambda *args, **options: start(*args, **options).wait()


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts processes of Dask as pods do (`dask_pods`)."""
    from .dask_pods import launching

    with launching(tmp_path) as launch:
        yield launch
