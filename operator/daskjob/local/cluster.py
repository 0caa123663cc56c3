"""The processes of one attempt on this machine: scheduler, workers and runner, all started at once."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from daskjob.api.cluster_spec import DEFAULT_GROUP
from daskjob.api.runner_report import RunnerReport, read_report
from daskjob.local.fetched_code import fetch_code
from daskjob.local.observation import ProcessState, RunState
from daskjob.local.plan import Plan, job_file, scheduler_command, worker_command, write_code
from daskjob.local.processes import Processes, tail
from daskjob.local.report_files import OUTPUT_ENDING, RUNNER_OUTPUT
from daskjob.manifests.dask_cluster import WORKER_ENVIRONMENT
from daskjob.runner.archive import build as build_runner
from daskjob.runner.output_copy import OUTPUT_VARIABLE
from daskjob.runner.surroundings import NANNY, PROCESSES_VARIABLE
from daskjob.wire import jobfile

#: The generator that a user may have seeded for his graph is left alone.
CHANCE = random.Random()
#: Seconds for the runner to end by itself, once it is told to or has reported all.
RUNNER_GRACE = 8.0
NOTHING: Mapping[str, str] = {}


@dataclass
class Started:
    """A process, since when it is known to run, how often it took the place of another one, and how that one ended."""

    process: subprocess.Popen[bytes]
    at: datetime | None = None
    restarts: int = 0
    last_exit: int | None = None
    #: Of a worker: the key of its group.
    group: str = DEFAULT_GROUP


class LocalCluster:
    """Starts, watches and stops the processes. `note` is called with what a person should know; `recording`: the folder
    into which the runner writes what becomes of the graph."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        processes: Processes,
        note: Callable[[str], None],
        dashboard: int | None,
        logs: bool,
        recording: Path | None = None,
    ) -> None:
        self._plan = plan
        self._recording = recording
        self._folder = folder
        self._processes = processes
        self._note = note
        self._dashboard = dashboard
        self._logs = logs
        self._port = free_port()
        self._scratch = folder / "scratch"
        self._scheduler_file = folder / "scheduler.json"
        self._report_file = folder / "report.json"
        self._termination_log = folder / "termination-log"
        self._scheduler: Started | None = None
        self._workers: dict[str, Started] = {}
        self._runner: Started | None = None
        self._restarts = 0
        self._report: RunnerReport | None = None
        self._report_at: datetime | None = None
        self._report_text = b""
        self._cancelled = False

    def prepare(self, report: str) -> str:
        """Fetches or writes the code, and writes the job file. `report`: the attempt's name. Returns the commit, or the
        digest, of code that was fetched, else an empty text. Raises PlanError."""
        version = ""
        self._scratch.mkdir()
        self._program = self._folder / "runner.pyz"
        self._program.write_bytes(build_runner())
        if self._plan.fetch is not None:
            self._home = self._scratch
            code_path, version = fetch_code(self._plan.fetch, self._plan, self._program, self._folder)
            self._note(f"the code is that of {self._plan.fetch.what['url']}, {version}")
        elif self._plan.code is None:
            code_path = self._home = Path.cwd()
        else:
            code_path, self._home = self._folder / "code", self._scratch
            code_path.mkdir()
            write_code(self._plan.code, code_path)
        address = f"tcp://127.0.0.1:{self._port}"
        self._job_file = self._folder / "job.json"
        payload_path = self._folder / "payload" if self._plan.payload is not None else None
        if payload_path is not None and self._plan.payload is not None:
            payload_path.write_bytes(self._plan.payload)
        self._job_file.write_text(job_file(self._plan, report, address, code_path, payload_path).dump())
        paths = [str(code_path), *filter(None, [os.environ.get("PYTHONPATH")])]
        own = {"PYTHONPATH": os.pathsep.join(paths), "DASK_TEMPORARY_DIRECTORY": str(self._scratch)}
        own |= {"DASKJOB_ATTEMPT": "1", "DASK_SCHEDULER_ADDRESS": address}
        self._environment = {**os.environ, **own, **self._plan.environment}
        return version

    def start_cluster(self) -> None:
        """Starts scheduler and workers."""
        options = self._plan.job.spec.cluster.scheduler.dask_options
        command = scheduler_command(self._port, self._scheduler_file, self._dashboard, options)
        self._scheduler = Started(self._start_dask("scheduler", command, {}))
        for key, group in self._plan.groups.items():
            for number in range(group.count):
                name = f"{group.prefix}{number}"
                self._workers[name] = Started(self._start_worker(name, key), group=key)

    def start_runner(self) -> None:
        """The runner reports into files that it is told of, and connects as soon as the scheduler listens."""
        own = {
            jobfile.VARIABLE: str(self._job_file),
            "DASKJOB_REPORT": f"file:{self._report_file}",
            "DASKJOB_TERMINATION_LOG": str(self._termination_log),
        }
        if self._recording is not None:
            own[jobfile.RECORDING_VARIABLE] = str(self._recording)
            own[jobfile.LOG_VARIABLE] = str(self._recording / RUNNER_OUTPUT)
        command = [sys.executable, str(self._program)]
        process = self._processes.start("runner", command, environment=self._environment | own, folder=self._home)
        self._runner = Started(process)

    def state(self, now: datetime) -> RunState:
        """What the processes and the report are now. A process counts as running from the first look on."""
        for each in (self._scheduler, self._runner, *self._workers.values()):
            if each is not None and each.at is None:
                each.at = now
        self._read_report(now)
        runner = None
        if self._runner is not None:
            # Its end is looked at first: what it wrote before is then complete.
            code = self._runner.process.poll()
            if code is not None:
                self._processes.drain(self._runner.process, 1)
                self._read_report(now)
            words = _text(self._termination_log) if code is not None else ""
            runner = ProcessState("runner", "runner", self._runner.at or now, code, words=words)
        scheduler = (
            self._state_of("scheduler", "scheduler", self._scheduler, now) if self._scheduler is not None else None
        )
        workers = tuple(self._state_of(name, "worker", each, now) for name, each in self._workers.items())
        return RunState(scheduler, workers, runner, self._report, self._report_at, self._cancelled)

    def restart_workers(self) -> None:
        """As the kubelet would: Dask's scheduler decides when a task has killed too many."""
        for name, worker in self._workers.items():
            code = worker.process.poll()
            if code is not None:
                self._processes.retire(worker.process)
                self._restarts += 1
                self._note(f"{name} ended, {how_ended(code)}; starting another")
                self._workers[name] = Started(
                    self._start_worker(name, worker.group), None, worker.restarts + 1, code, worker.group
                )

    def stop_cluster(self) -> None:
        """Ends scheduler and workers, after the runner: it ends the user's code and its client itself."""
        self.stop_runner()
        for each in (self._scheduler, *self._workers.values()):
            if each is not None:
                self._processes.retire(each.process)
        self._scheduler = None
        self._workers.clear()

    def cancel_runner(self) -> None:
        """Tells the runner to cancel its graph, which ends it."""
        self._cancelled = True
        if self._runner is not None and self._runner.process.poll() is None:
            self._runner.process.send_signal(signal.SIGTERM)

    def stop_runner(self) -> None:
        """Lets the runner end by itself; what is left after a while is killed."""
        if self._runner is None:
            return
        if self._report is None or not self._report.sealed:
            self.cancel_runner()
        try:
            self._runner.process.wait(RUNNER_GRACE)
        except subprocess.TimeoutExpired:
            self._note(f"the runner did not end within {RUNNER_GRACE:.0f} s: killing it")
            self._processes.retire(self._runner.process)

    def _state_of(self, name: str, component: str, started: Started, now: datetime) -> ProcessState:
        code = started.process.poll()
        ended = code is not None or started.restarts
        words = (_text(self._last_words(name)) or tail(self._log(name))) if ended else ""
        return ProcessState(
            name, component, started.at or now, code, started.restarts, started.last_exit, words, started.group
        )

    def _start_worker(self, name: str, group: str) -> subprocess.Popen[bytes]:
        # A scheduler takes no second worker of a name as long as it believes in the first.
        full = f"{name}-{self._restarts}" if self._restarts else name
        planned = self._plan.groups[group]
        command = worker_command(planned, full, self._scheduler_file, self._scratch)
        own = {**NANNY, **WORKER_ENVIRONMENT, PROCESSES_VARIABLE: str(planned.processes)}
        return self._start_dask(name, command, own, planned.environment)

    def _start_dask(
        self, name: str, command: list[str], own: Mapping[str, str], theirs: Mapping[str, str] = NOTHING
    ) -> subprocess.Popen[bytes]:
        """`own`: variables that the environment overrides; `theirs`: those that override it."""
        # What a task prints goes to stdout, Dask's own log to stderr.
        log = None if self._logs else self._log(name)
        own = {**own, "DASKJOB_TERMINATION_LOG": str(self._last_words(name))}
        environment = {**own, **self._environment, **theirs}
        if self._recording is not None:
            environment[OUTPUT_VARIABLE] = str(self._recording / f"{name}{OUTPUT_ENDING}")
        return self._processes.start(name, command, environment=environment, folder=self._home, log=log)

    def _last_words(self, name: str) -> Path:
        """What a process leaves that stands for its container's termination message."""
        return self._folder / f"{name}.last-words"

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _read_report(self, now: datetime) -> None:
        """User code can write there, too: nothing in it is trusted."""
        try:
            text = self._report_file.read_bytes()
        except OSError:
            return
        if text != self._report_text:
            self._report_text = text
            self._report = read_report(_parsed(text)) or self._report
            self._report_at = now


def how_ended(code: int) -> str:
    """`with exit code 3`, `killed by SIGKILL`."""
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def free_port() -> int:
    """A port that is free now, from below those that systems give to outgoing connections."""
    for _ in range(100):
        port = CHANCE.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port between 20000 and 32000 on 127.0.0.1")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
