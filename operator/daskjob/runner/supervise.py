"""The supervisor: it reports, cancels the child, and reports the child's end whatever user code did.

It does nothing that user code could break: no import of `distributed`, no unpickling, no blocking write to a pipe.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Optional

from daskjob import wire
from daskjob.runner import channel
from daskjob.runner import process_group as processes
from daskjob.wire import jobfile

if TYPE_CHECKING:
    from daskjob.runner.saving import Saving

#: Seconds that the supervisor waits for the first accepted report before it lets user code start.
GATE = 15.0
#: Seconds from a cancellation to SIGTERM and to SIGKILL; shorter while Kubernetes stops the pod.
CANCEL_STEPS = (3.0, 6.0)
STOP_STEPS = (1.0, 2.5)
#: Seconds for the final report; shorter while Kubernetes stops the pod.
FINAL_BUDGET = 120.0
STOP_BUDGET = 5.0
#: Seconds that the child may take to end after the supervisor acknowledged its outcome.
LINGER = 5.0
MAX_LINE = 4 * 1024 * 1024

#: The fields of a report that the child may send; the supervisor writes the others.
_END = ("outcome", "result", "failure", "discarded", "fireAndForget")
_NEWS = ("stage", "timings", "progress", "workers", "waiting")


def supervise(child: processes.Child, drain_log: Optional[Callable[[], None]] = None) -> int:
    """Runs the job to its end. Returns the exit code: 0 it succeeded, 1 it failed, 3 the outcome could not be
    reported. `drain_log`: waits until the copy of the log has all that was printed; None: there is no copy."""
    return _Supervisor(child, drain_log).run()


class _Supervisor:
    def __init__(self, child: processes.Child, drain_log: Optional[Callable[[], None]]) -> None:
        self.child = child
        self.drain_log = drain_log
        self.stopped_at = 0.0
        self.began = time.monotonic()
        self.oom_kills = processes.oom_kills()
        self.stopping = False
        self.cancel_reason = ""
        self.overdue: Optional[dict[str, Any]] = None
        self.cancel_since = 0.0
        self.ended_since = 0.0
        self.gate_open = False
        self.outcome: Optional[dict[str, Any]] = None
        self.buffer = b""
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_read, False)
        os.set_blocking(self.wake_write, False)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        processes.adopt_orphans()
        from daskjob.runner.reporter import Reporter

        job, problem = _read_job()
        self.unattended = job.unattended if job is not None else 0.0
        self.saving: Optional[Saving] = None
        if job is not None and jobfile.RECORDING_VARIABLE in os.environ:
            from daskjob.runner.saving import Saving

            # The child says why it cannot record anything.
            with contextlib.suppress(OSError):
                os.makedirs(os.environ[jobfile.RECORDING_VARIABLE], exist_ok=True)
            self.saving = Saving(job)
        self.reporter = Reporter(_sink(job, problem), self._wake, job.deadline if job is not None else None)
        self.reporter.update(
            {"stage": wire.Stage.STARTING, "timings": {"runnerStarted": wire.timestamp(child.started)}}
        )
        self.reporter.start()

    def run(self) -> int:
        poll = select.poll()
        poll.register(self.child.messages, select.POLLIN)
        poll.register(self.wake_read, select.POLLIN)
        while not self.child.ended():
            for fd, events in poll.poll(self._patience()):
                if fd == self.wake_read:
                    _drain(fd)
                elif not self._receive() and events & select.POLLHUP:
                    poll.unregister(fd)
            self._steer()
        while self._receive():
            pass
        status = self.child.end()
        return self._finish(self._conclude(status))

    def _stop(self, *_: object) -> None:
        if not self.stopping:
            self.stopping, self.stopped_at = True, time.monotonic()
            if hasattr(self, "reporter"):
                saving = self.saving.stop_budget if self.saving is not None else 0.0
                self.reporter.deadline = self.stopped_at + STOP_STEPS[1] + saving + STOP_BUDGET

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self.wake_write, b"\0")

    def _patience(self) -> float:
        """Milliseconds until `_steer` must run again even if no event comes."""
        return 100.0 if self.cancel_since or self.ended_since or not self.gate_open else 2000.0

    def _steer(self) -> None:
        now = time.monotonic()
        if self.stopping and not self.cancel_reason:
            self._cancel("the runner was told to stop (SIGTERM) before the graph was finished")
            # At once: the kubelet may kill the pod before the child ends.
            if self.outcome is None:
                _write_termination(wire.failed("Cancelled", self.cancel_reason))
        elif self.reporter.cancelled and not self.cancel_reason:
            self._cancel("cancelled as asked for by the report's spec.cancel")
        elif self.reporter.sealed and not self.reporter.accepted and not self.cancel_reason:
            # Of an earlier life of this pod. Once this one has reported, somebody else gave the report its outcome: the
            # graph goes on, and the termination message has the true one.
            self._cancel("the report has an outcome already: this attempt is over")
        self._keep_deadline(now)
        if not self.gate_open and not self.cancel_reason:
            late = now - self.began > GATE
            if self.reporter.accepted or late:
                self.gate_open = True
                self._tell(channel.GO)
                if not self.reporter.accepted:
                    print("daskjob: no report was accepted so far; going on without", file=sys.stderr, flush=True)
        if self.cancel_since:
            terminate, kill = STOP_STEPS if self.stopping else CANCEL_STEPS
            if now - self.cancel_since > kill:
                self.child.signal(signal.SIGKILL)
            elif now - self.cancel_since > terminate:
                self.child.signal(signal.SIGTERM)
        if self.ended_since and now - self.ended_since > LINGER:
            self.child.signal(signal.SIGKILL)

    def _keep_deadline(self, now: float) -> None:
        """Cancels a graph whose deadline, and the time that an operator has to end it, are over: no operator runs."""
        deadline = self.reporter.runner_deadline
        ended = self.cancel_reason or self.outcome is not None
        if deadline is None or ended or now - self.began < deadline.seconds + self.unattended:
            return
        self.overdue = wire.failed(deadline.reason, deadline.message)
        self._cancel(deadline.message or deadline.reason)

    def _cancel(self, reason: str) -> None:
        self.cancel_reason = reason
        self.cancel_since = time.monotonic()
        self._tell(channel.CANCEL)

    def _tell(self, command: bytes) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self.child.control, command)

    def _receive(self) -> bool:
        """Reads what the child sent. Returns whether there was anything."""
        try:
            data = os.read(self.child.messages, 1 << 20)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return False
            raise
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        if len(self.buffer) > MAX_LINE:
            self.buffer = b""
        for line in lines:
            self._take(line)
        return bool(data)

    def _take(self, line: bytes) -> None:
        try:
            part = wire.parse_report(json.loads(line))
        except (ValueError, RecursionError):
            return
        end: dict[str, Any] = {name: part[name] for name in _END if name in part}
        news: dict[str, Any] = {name: part[name] for name in _NEWS if name in part}
        if news:
            self.reporter.update(news)
        if "outcome" not in end:
            return
        if self.outcome is None and not self.cancel_reason:
            self.outcome = end
            _write_termination(end)
        self.ended_since = self.ended_since or time.monotonic()
        self._tell(channel.ACKNOWLEDGE)

    def _conclude(self, status: Optional[int]) -> dict[str, Any]:
        if self.outcome is not None:
            return self.outcome
        if self.cancel_reason:
            return self.overdue or wire.failed("Cancelled", self.cancel_reason)
        return describe_exit(status, processes.oom_kills() > self.oom_kills)

    def _save(self, saving: Saving, end: dict[str, Any]) -> dict[str, Any]:
        """What the report has of what is kept of the attempt. A cancellation and SIGTERM shorten the time for it."""
        if self.drain_log is not None:
            self.drain_log()
        since = time.monotonic()

        def limit() -> float:
            if self.stopping:
                return self.stopped_at + STOP_STEPS[1] + saving.stop_budget
            if self.reporter.cancelled:
                self.cancel_since = self.cancel_since or time.monotonic()
                return self.cancel_since + saving.cancel_budget
            return since + saving.budget

        saved = saving.run(end, self.reporter.status(), limit)
        return {"saved": saved} if saved is not None else {}

    def _finish(self, end: dict[str, Any]) -> int:
        _write_termination(end)
        if self.saving is not None:
            end = {**end, **self._save(self.saving, end)}
            _write_termination(end)
        delivered = self.reporter.finish(
            {"stage": wire.Stage.FINISHED, **end}, STOP_BUDGET if self.stopping else FINAL_BUDGET
        )
        if not delivered:
            print(f"daskjob: could not report the outcome {end['outcome']}", file=sys.stderr, flush=True)
            return 3
        return 0 if end["outcome"] == wire.SUCCEEDED else 1


def describe_exit(status: Optional[int], killed_for_memory: bool) -> dict[str, Any]:
    """The failure of a child that ended without an outcome, from its wait status (None: unknown)."""
    if status is not None and os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        message = f"the process that ran the graph was killed by {name}"
        if killed_for_memory:
            message += ": out of memory; raise spec.runner.resources.limits.memory"
        elif number == signal.SIGKILL:
            message += " (often: out of memory)"
        return wire.failed("Signal", message, exit_code=128 + number)
    code = os.WEXITSTATUS(status) if status is not None else 0
    message = f"the process that ran the graph ended with exit code {code} before there was a result"
    return wire.failed("ExitCode" if code else "ExitedEarly", message, exit_code=code)


def _read_job() -> tuple[Optional[jobfile.JobFile], str]:
    """The job, or what is wrong with its file, which the child reports as the job's failure."""
    try:
        return jobfile.read(), ""
    except jobfile.InvalidJob as error:
        return None, str(error)


def _sink(job: Optional[jobfile.JobFile], problem: str) -> Any:
    from daskjob.runner import sinks

    target = os.environ.get("DASKJOB_REPORT", "kubernetes")
    if target.startswith("file:"):
        return sinks.FileSink(target[5:])
    if target == "none":
        return sinks.DiscardSink()
    if job is None:
        print(f"daskjob: {problem}", file=sys.stderr, flush=True)
        return sinks.UnavailableSink(problem)
    return sinks.KubernetesSink(job.namespace, job.report)


def _write_termination(end: dict[str, Any]) -> None:
    try:
        wire.leave_termination_message(end)
    except OSError as error:
        print(f"daskjob: cannot write the termination message: {error}", file=sys.stderr, flush=True)


def _drain(fd: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(fd, 4096):
            pass
