"""Runs one DaskJob on this machine: scheduler, workers and runner as processes, all started at once."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from daskjob import wire
from daskjob.local.plan import (
    FindConfigMap,
    Plan,
    PlanError,
    job_file,
    make_plan,
    scheduler_command,
    worker_command,
    write_code,
)
from daskjob.local.processes import Processes, tail
from daskjob.local.status import Facts, build_status, failure, now
from daskjob.runner.archive import build as build_runner

POLL = 0.05
#: Seconds for the runner to end and to report by itself, once asked or once it has said all.
RUNNER_GRACE = 8.0
#: Workers that end this often before any has connected will not come up.
START_LIMIT = 3


class Listener(Protocol):
    """What a run tells while it goes on; `output` is called from threads."""

    def status(self, status: Mapping[str, Any]) -> None:
        """The status has changed."""

    def output(self, source: str, line: bytes) -> None:
        """The job printed a line (with its end); `source`: runner, scheduler or worker-N."""

    def note(self, text: str) -> None:
        """Something that differs from a cluster, or that a person should know."""


def run(
    manifest: Mapping[str, Any],
    *,
    uid: str,
    find_config_map: FindConfigMap,
    listener: Listener,
    cancel: threading.Event,
    dashboard: bool = False,
    logs: bool = False,
) -> dict[str, Any]:
    """Runs a valid manifest to its end and returns its status. `uid` stands for the resource's UID.

    Setting `cancel` ends the run as Failed with reason Cancelled. When this returns, or raises, no process of the job
    is left; if this process is killed, the job's processes are killed too. `dashboard`: serve Dask's on the loopback.
    `logs`: Dask's logs go to the listener as well.
    """
    accepted = now()
    try:
        plan = make_plan(manifest, uid, find_config_map)
    except PlanError as error:
        name, generation = manifest["metadata"]["name"], manifest["metadata"].get("generation") or 1
        facts = Facts(f"{name}-{uid[:5]}-1", generation, 0, accepted, finished=accepted, cleaned_up=accepted)
        facts.failure = failure(error.reason, str(error))
        return build_status(facts)
    return _Run(plan, accepted, listener, cancel, dashboard, logs).run()


class _Run:
    def __init__(
        self, plan: Plan, accepted: str, listener: Listener, cancel: threading.Event, dashboard: bool, logs: bool
    ) -> None:
        self.plan = plan
        self.listener = listener
        self.cancel = cancel
        self.logs = logs
        self.folder = Path(tempfile.mkdtemp(prefix=f"daskjob-{plan.name}-"))
        self.port = free_port()
        self.dashboard = free_port() if dashboard else None
        self.facts = Facts(plan.attempt, plan.generation, plan.workers, accepted)
        self.began = time.monotonic()
        self.told: dict[str, Any] | None = None
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.restarts = 0
        #: Counts of tasks, and since when they are these.
        self.counts: tuple[int, ...] | None = None
        self.counted = self.began

    def run(self) -> dict[str, Any]:
        for note in self.plan.notes:
            self.listener.note(note)
        self._offer_dashboard()
        try:
            with Processes(self.plan.uid, self.folder, self._output) as processes:
                self.processes = processes
                self._prepare()
                self._tell()
                self._start()
                self._follow()
                self.facts.finished = now()
        except PlanError as error:
            self.facts.failure = failure(error.reason, str(error))
            self.facts.finished = now()
        finally:
            # The guard removes it too, but nothing has started yet if the guard could not.
            shutil.rmtree(self.folder, ignore_errors=True)
        self.facts.cleaned_up = now()
        return build_status(self.facts)

    def _offer_dashboard(self) -> None:
        if self.dashboard is None:
            return
        if importlib.util.find_spec("bokeh") is None:
            self.dashboard = None
            self.listener.note("there is no dashboard without bokeh: pip install bokeh")
            return
        self.facts.dashboard = f"http://127.0.0.1:{self.dashboard}/status"
        self.listener.note(f"dashboard: {self.facts.dashboard}")

    def _prepare(self) -> None:
        self.scratch = self.folder / "scratch"
        self.scratch.mkdir()
        self.scheduler_file = self.folder / "scheduler.json"
        self.report_file = self.folder / "report.json"
        self.termination_log = self.folder / "termination-log"
        if self.plan.code is None:
            self.code_path = self.home = Path.cwd()
        else:
            self.code_path, self.home = self.folder / "code", self.scratch
            self.code_path.mkdir()
            write_code(self.plan.code, self.code_path)
        self.job = self.folder / "job.json"
        self.job.write_text(job_file(self.plan, f"tcp://127.0.0.1:{self.port}", self.code_path))
        self.runner_file = self.folder / "runner.pyz"
        self.runner_file.write_bytes(build_runner())
        paths = [str(self.code_path), *filter(None, [os.environ.get("PYTHONPATH")])]
        own = {"PYTHONPATH": os.pathsep.join(paths), "DASK_TEMPORARY_DIRECTORY": str(self.scratch)}
        own["DASKJOB_ATTEMPT"] = "1"
        self.environment = {**os.environ, **own, **self.plan.environment}

    def _start(self) -> None:
        self.facts.created = now()
        command = scheduler_command(self.port, self.scheduler_file, self.dashboard)
        self.scheduler = self._start_dask("scheduler", command)
        self.facts.scheduler_started = now()
        # The runner reports into files that it is told of, and connects as soon as the scheduler listens.
        own = {
            "DASKJOB_JOB_FILE": str(self.job),
            "DASKJOB_REPORT": f"file:{self.report_file}",
            "DASKJOB_TERMINATION_LOG": str(self.termination_log),
        }
        self.runner = self.processes.start(
            "runner", [sys.executable, str(self.runner_file)], environment=self.environment | own, folder=self.home
        )
        for number in range(self.plan.workers):
            self._start_worker(f"worker-{number}")

    def _start_worker(self, name: str) -> None:
        # A scheduler takes no second worker of a name as long as it believes in the first.
        full = f"{name}-{self.restarts}" if self.restarts else name
        command = worker_command(self.plan, full, self.scheduler_file, self.scratch)
        self.workers[name] = self._start_dask(name, command)

    def _start_dask(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        # What a task prints goes to stdout, Dask's own log to stderr.
        log = None if self.logs else self._log(name)
        return self.processes.start(name, command, environment=self.environment, folder=self.home, log=log)

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _follow(self) -> None:
        """Until the job has ended by itself or is ended here; then the failure, if any, is in the facts."""
        while True:
            self._read_report()
            self._tell()
            if self.runner.poll() is not None:
                break
            if self.facts.report.get("outcome"):
                self._wait_for_runner()
                break
            if (ended := self._find_end()) is not None:
                self.facts.failure = ended
                self._stop_runner()
                return
            self._restart_workers()
            # Wakes at once for a cancellation.
            self.cancel.wait(POLL)
        self.processes.drain(self.runner, 1)
        self._read_report()
        self._tell()
        if not self.facts.report.get("outcome"):
            self._read_termination()

    def _find_end(self) -> dict[str, Any] | None:
        if self.cancel.is_set():
            return failure("Cancelled", "the run was interrupted")
        spent = time.monotonic() - self.began
        deadline = self.plan.active_deadline
        if deadline is not None and spent >= deadline:
            return failure(
                "DeadlineExceeded", f"the job was active for longer than spec.activeDeadlineSeconds ({deadline} s)"
            )
        deadline = self.plan.attempt_deadline
        if deadline is not None and spent >= deadline:
            return failure(
                "AttemptDeadlineExceeded",
                f"the attempt took longer than spec.attemptDeadlineSeconds ({deadline} s)",
            )
        if self.scheduler.poll() is not None:
            return self._scheduler_lost(self.scheduler.returncode)
        if self._has_started():
            return self._find_stall()
        if self.restarts >= START_LIMIT:
            return failure(
                "NoWorkers",
                f"workers ended {self.restarts} times before one connected; the end of their log:\n"
                f"{tail(self._log('worker-0'))}",
            )
        if spent >= self.plan.startup_deadline:
            wanted = self.plan.min_workers
            joined = "no worker" if wanted == 1 else f"fewer than {wanted} workers (spec.cluster.workers.minWorkers)"
            return failure(
                "StartupDeadlineExceeded",
                f"{joined} joined, or no runner started, within spec.startupDeadlineSeconds "
                f"({self.plan.startup_deadline} s)",
            )
        return None

    def _find_stall(self) -> dict[str, Any] | None:
        """The end of a graph that runs without any change in the counts of its tasks."""
        said, timeout, now = self.facts.report, self.plan.stall_timeout, time.monotonic()
        progress = said.get("progress") or {}
        counts = tuple(int(progress.get(name) or 0) for name in ("total", "done", "erred"))
        if counts != self.counts or said.get("stage") != "Running":
            self.counts, self.counted = counts, now
        if timeout is None or now - self.counted < timeout:
            return None
        return failure(
            "Stalled",
            f"no count of tasks changed for spec.stallTimeoutSeconds ({timeout} s); {counts[1]}/{counts[0]} are done",
        )

    def _scheduler_lost(self, code: int) -> dict[str, Any]:
        when = "while the graph ran" if self._has_started() else "before the graph ran"
        log = tail(self._log("scheduler"))
        words = f"; the end of its log:\n{log}" if log else ""
        return failure("SchedulerLost", f"the scheduler ended {when}, {how_ended(code)}{words}")

    def _has_started(self) -> bool:
        said = self.facts.report
        if said.get("stage") in ("Running", "Finished"):
            return True
        return self.plan.min_workers <= 1 and bool((said.get("timings") or {}).get("firstWorker"))

    def _restart_workers(self) -> None:
        """As a Deployment would: the scheduler decides when a task has killed too many."""
        for name, worker in list(self.workers.items()):
            if worker.poll() is not None:
                self.processes.retire(worker)
                self.restarts += 1
                self.listener.note(f"{name} ended, {how_ended(worker.returncode)}; starting another")
                self._start_worker(name)

    def _stop_runner(self) -> None:
        """Lets the runner end the user's code itself; what is left is killed with all else."""
        if self.runner.poll() is None:
            self.runner.send_signal(signal.SIGTERM)
            self._wait_for_runner()
        self._read_report()
        if self.facts.report.get("outcome") == "Succeeded":
            # It was done at the very moment.
            self.facts.failure = None

    def _wait_for_runner(self) -> None:
        try:
            self.runner.wait(RUNNER_GRACE)
        except subprocess.TimeoutExpired:
            self.listener.note(f"the runner did not end within {RUNNER_GRACE:.0f} s: killing it")

    def _read_report(self) -> None:
        try:
            report = json.loads(self.report_file.read_bytes())
        except (OSError, ValueError, RecursionError):
            return
        # User code can write there, too: nothing in it is trusted.
        self.facts.report = wire.parse_report(report)

    def _read_termination(self) -> None:
        """The runner's last words, where its report has no outcome; else what its exit code says."""
        code = self.runner.returncode
        try:
            said = wire.parse_termination_message(self.termination_log.read_text(errors="replace"))
        except OSError:
            said = {}
        if said.get("outcome") in ("Succeeded", "Failed"):
            self.facts.report = {**self.facts.report, **said}
        elif code == 0:
            message = "the runner ended with exit code 0 but left no result"
            self.facts.failure = failure("ExitedEarly", message, exitCode=0)
        else:
            reason = "Signal" if code < 0 else "ExitCode"
            message = f"the runner ended, {how_ended(code)}, and left no outcome; see its output above"
            self.facts.failure = failure(reason, message, exitCode=code)

    def _output(self, source: str, line: bytes) -> None:
        # After Ctrl-C all that comes is how the job was torn down.
        if not self.cancel.is_set():
            self.listener.output(source, line)

    def _tell(self) -> None:
        status = build_status(self.facts)
        if status != self.told:
            self.told = status
            self.listener.status(status)


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
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port between 20000 and 32000 on 127.0.0.1")
