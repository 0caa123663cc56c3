"""Runs one DaskJob on this machine: the rules of a cluster's operator (`lifecycle`) decide, processes do."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from daskjob.api.attempt_names import attempt_name
from daskjob.api.constants import ConditionType, Reason
from daskjob.api.resource_json import to_dict
from daskjob.api.status import DaskJobStatus
from daskjob.lifecycle.job import conclusion
from daskjob.lifecycle.job.actions import Action, Cancel, CreateCluster, CreateRunner, Delete, DeleteAll
from daskjob.lifecycle.job.attempt_end import failed
from daskjob.lifecycle.job.decide import decide
from daskjob.lifecycle.job.observation import Job, Observation
from daskjob.lifecycle.job.plain_texts import with_plain_texts
from daskjob.lifecycle.job.readiness import with_readiness
from daskjob.local.cluster import LocalCluster, free_port
from daskjob.local.fetched_code import at_version
from daskjob.local.observation import RunState, observe, will_not_start
from daskjob.local.plan import Plan, PlanError, make_plan, read_manifest
from daskjob.local.processes import Processes
from daskjob.local.report_files import write_report_files
from daskjob.sources import FindConfigMap

NO_FORK = (
    "no job runs on this system, which does not fork processes: use Linux or macOS (on Windows: WSL), or submit the "
    "job to a cluster"
)
#: Seconds between two looks at the processes.
POLL = 0.05


class Listener(Protocol):
    """Who hears of a run while it goes on; `output` is called from threads."""

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
    report: Path | None = None,
    payload: bytes | None = None,
) -> dict[str, Any]:
    """Runs a valid manifest to its end and returns its status. `uid` stands for the resource's UID.

    Setting `cancel` ends the run as Failed with reason Cancelled. When this returns, or raises, no process of the job
    is left; if this process is killed, the job's processes are killed too. `dashboard`: serve Dask's on the loopback.
    `logs`: Dask's logs go to the listener as well. `report`: a folder for the trace and Dask's performance report.
    `payload`: what a client pickled for the job, if it names one.
    """
    job = read_manifest(manifest, uid, now())
    try:
        if not hasattr(os, "fork"):
            raise PlanError(Reason.INVALID_SPEC, NO_FORK)
        plan = make_plan(manifest, job, find_config_map, payload)
        status = _Run(plan, listener, cancel, dashboard, logs, report).run()
    except PlanError as error:
        status = _refused(job, error)
    return _shape(status)


def now() -> datetime:
    return datetime.now(UTC)


def _shape(status: DaskJobStatus) -> dict[str, Any]:
    """The JSON of a status."""
    shape: dict[str, Any] = to_dict(status)
    return shape


def _refused(job: Job, error: PlanError) -> DaskJobStatus:
    """The status of a job that cannot be run."""
    observation = Observation(now(), job, live=True, settled=True)
    status = conclusion.finish(observation, failed(error.reason, str(error))).status
    status = with_plain_texts(replace(status, observed_generation=job.generation))
    return with_readiness(status, job.generation, observation.now)


class _Run:
    def __init__(
        self,
        plan: Plan,
        listener: Listener,
        cancel: threading.Event,
        dashboard: bool,
        logs: bool,
        report: Path | None,
    ) -> None:
        self._plan = plan
        self._report = report
        self._listener = listener
        self._cancel = cancel
        self._logs = logs
        self._folder = Path(tempfile.mkdtemp(prefix=f"daskjob-{plan.job.name}-"))
        self._recording = self._folder / "recording" if report is not None else None
        self._dashboard = self._offer_dashboard() if dashboard else None
        self._status = plan.job.status

    def run(self) -> DaskJobStatus:
        for note in self._plan.notes:
            self._listener.note(note)
        if self._recording is not None:
            self._recording.mkdir()
        try:
            with Processes(self._plan.job.uid, self._folder, self._output) as processes:
                shown = self._dashboard, self._logs, self._recording
                cluster = LocalCluster(self._plan, self._folder, processes, self._listener.note, *shown)
                version = cluster.prepare(attempt_name(self._plan.job.name, self._plan.job.uid, 1))
                self._plan = replace(self._plan, job=at_version(self._plan.job, version))
                while not self._status.is_true(ConditionType.CLEANED_UP):
                    self._pass(cluster)
                # The folder goes with the processes.
                self._keep_recording()
        finally:
            # The guard removes it too, but nothing has started yet if the guard could not.
            shutil.rmtree(self._folder, ignore_errors=True)
        return self._status

    def _keep_recording(self) -> None:
        if self._recording is None or self._report is None:
            return
        try:
            for line in write_report_files(self._recording, self._report):
                self._listener.note(line)
        except OSError as error:
            self._listener.note(f"the report cannot be kept: {error}")

    def _pass(self, cluster: LocalCluster) -> None:
        """Looks, decides, tells, acts; then waits for a moment, or for a cancellation."""
        moment = now()
        state = cluster.state(moment)
        decision = decide(self._observe(state, moment))
        self._tell(decision.status)
        for action in decision.actions:
            self._execute(action, cluster)
        if decision.actions:
            return
        if self._status.open is not None:
            cluster.restart_workers()
        if self._cancel.is_set():
            time.sleep(POLL)
        else:
            self._cancel.wait(POLL)

    def _observe(self, state: RunState, moment: datetime) -> Observation:
        job = replace(self._plan.job, status=self._status)
        if self._cancel.is_set():
            job = replace(job, spec=replace(job.spec, cancel=True))
        if will_not_start(state):
            job = replace(job, spec=replace(job.spec, startup_deadline_seconds=0))
        return observe(job, state, moment)

    def _execute(self, action: Action, cluster: LocalCluster) -> None:
        match action:
            case CreateCluster():
                cluster.start_cluster()
            case CreateRunner():
                cluster.start_runner()
            case Cancel():
                cluster.cancel_runner()
            case Delete(target) if target.kind == "Pod":
                cluster.stop_runner()
            case Delete() | DeleteAll():
                cluster.stop_cluster()

    def _tell(self, status: DaskJobStatus) -> None:
        shown = status.cluster
        if self._dashboard is not None and shown is not None and status.open is not None:
            status = replace(status, cluster=replace(shown, dashboard=f"http://127.0.0.1:{self._dashboard}/status"))
        if status != self._status:
            self._status = status
            self._listener.status(_shape(status))

    def _offer_dashboard(self) -> int | None:
        if importlib.util.find_spec("bokeh") is None:
            self._listener.note("there is no dashboard without bokeh: pip install bokeh")
            return None
        port = free_port()
        self._listener.note(f"dashboard: http://127.0.0.1:{port}/status")
        return port

    def _output(self, source: str, line: bytes) -> None:
        # After Ctrl-C all that comes is how the job was torn down.
        if not self._cancel.is_set():
            self._listener.output(source, line)
