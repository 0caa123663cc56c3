"""A thread that keeps the report up to date while the supervisor watches its child."""

from __future__ import annotations

import random
import sys
import threading
import time
from typing import Any, Callable, Optional

from daskjob import wire
from daskjob.runner import cadence
from daskjob.runner import sinks as reports
from daskjob.wire.runner_deadline import RunnerDeadline, parse_deadline

#: The generator that a user may have seeded for his graph is left alone.
CHANCE = random.Random()
#: The longest pause, in seconds, between tries: before the first accepted patch (the report, or the token's right to
#: it, may not exist yet), after it, and for the final patch.
START_RETRY = 1.0
RUN_RETRY = 15.0
FINAL_RETRY = 8.0
#: The reporter gives up on the final patch after so many refusals that rarely pass by themselves.
REFUSALS = 3

#: The fields that a final report needs. If the server rejects the whole, the reporter sends these only.
_ESSENTIAL = (
    *("protocol", "seq", "heartbeatTime", "stage", "outcome", "result", "failure", "discarded", "fireAndForget"),
    "saved",
)


class Reporter:
    """Collects parts of the status and patches them into a sink, no more often than `cadence` says.

    `notify` is called in the reporter's thread whenever `accepted`, `cancelled` or `sealed` turns true.
    """

    def __init__(
        self, sink: reports.Sink, notify: Callable[[], None], runner_deadline: Optional[RunnerDeadline] = None
    ) -> None:
        self._sink = sink
        self._notify = notify
        self._status: dict[str, Any] = {"protocol": wire.PROTOCOL, "seq": 0}
        self._changed = threading.Condition()
        self._stage_since: Optional[float] = None
        self._part_since: Optional[float] = None
        self._final = False
        self._rejected = False
        self._finished = threading.Event()
        self.accepted = False
        self.cancelled = False
        self.sealed = False
        self.delivered = False
        #: The attempt's deadline: that of the job file, until an answer of the API server brings the report's.
        self.runner_deadline = runner_deadline
        #: When to give up on the final patch (monotonic seconds). A signal handler may set an earlier time at any
        #: moment.
        self.deadline = float("inf")
        self._thread = threading.Thread(target=self._run, name="daskjob-report", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def update(self, part: dict[str, Any]) -> None:
        """Adds a part to the status: merges `timings` and `workers`, and replaces all other fields."""
        now = time.monotonic()
        with self._changed:
            if part.get("stage", self._status.get("stage")) != self._status.get("stage"):
                self._stage_since = self._stage_since or now
            else:
                self._part_since = self._part_since or now
            for name, value in part.items():
                merge = name in ("timings", "workers")
                self._status[name] = {**self._status.get(name, {}), **value} if merge else value
            self._changed.notify()

    def status(self) -> dict[str, Any]:
        """A copy of the current status."""
        with self._changed:
            return dict(self._status)

    def finish(self, part: dict[str, Any], budget: float) -> bool:
        """Sends the final status, trying for `budget` seconds. Returns whether the sink accepted it."""
        self.deadline = min(self.deadline, time.monotonic() + budget)
        self.update(part)
        with self._changed:
            self._final = True
            self._changed.notify()
        while not self._finished.wait(0.2):
            if time.monotonic() > self.deadline + 1.0:
                break
        return self.delivered

    def _run(self) -> None:
        started = time.monotonic()
        last: Optional[float] = None
        failures = 0
        not_before = 0.0
        while not self._final and not self.sealed:
            with self._changed:
                due = max(cadence.next_patch(started, last, self._stage_since, self._part_since), not_before)
                wait = due - time.monotonic()
                if wait > 0 and not self._final:
                    self._changed.wait(wait)
                if self._final or time.monotonic() < due:
                    continue
                body = self._next_body()
            try:
                self._accept(self._sink.patch(body))
                last, failures = time.monotonic(), 0
            except reports.SinkError as error:
                failures += 1
                self._refused(error)
                self._rejected = self._rejected or error.kind == reports.REJECTED
                with self._changed:
                    self._part_since = self._part_since or time.monotonic()
                if failures == 5 or error.kind == reports.REJECTED:
                    print(f"daskjob: the report is not accepted: {error}", file=sys.stderr, flush=True)
                longest = RUN_RETRY if self.accepted or failures > 20 else START_RETRY
                not_before = time.monotonic() + self._pause(failures, longest, error)
        self._seal()
        self._finished.set()

    def _seal(self) -> None:
        with self._changed:
            # The same body in every try: if the server accepted one whose answer was lost, the next one changes
            # nothing.
            body = self._next_body()
        failures = refusals = 0
        while not self.sealed:
            try:
                self._sink.patch(body)
                self.delivered = True
                return
            except reports.SinkError as error:
                failures += 1
                print(f"daskjob: the final report is not accepted: {error}", file=sys.stderr, flush=True)
                self._refused(error)
                if error.kind == reports.REJECTED:
                    body = {name: body[name] for name in _ESSENTIAL if name in body}
                if error.kind in (reports.REJECTED, reports.FORBIDDEN) or (
                    error.kind == reports.MISSING and self.accepted
                ):
                    refusals += 1
                wake = time.monotonic() + self._pause(failures, FINAL_RETRY, error)
                if refusals >= REFUSALS or wake > self.deadline:
                    return
                while time.monotonic() < wake:
                    time.sleep(min(0.2, max(0.0, wake - time.monotonic())))
                    if time.monotonic() > self.deadline:
                        return

    def _next_body(self) -> dict[str, Any]:
        self._status["seq"] += 1
        self._status["heartbeatTime"] = wire.timestamp(time.time())
        self._stage_since = self._part_since = None
        # Definitions of another version of the operator may not know all reasons to wait. Progress, and that the runner
        # is alive, must get through.
        return {name: value for name, value in self._status.items() if name != "waiting" or not self._rejected}

    def _accept(self, spec: dict[str, Any]) -> None:
        news = not self.accepted
        self.accepted = True
        if spec.get("cancel") is True and not self.cancelled:
            self.cancelled = news = True
        # Only the answers of an API server have a spec.
        if spec:
            self.runner_deadline = parse_deadline(spec.get("deadline"))
        if news:
            self._notify()

    def _refused(self, error: reports.SinkError) -> None:
        if error.kind == reports.SEALED:
            if self.accepted and not self._final:
                print(
                    "daskjob: the report has an outcome from elsewhere; going on without", file=sys.stderr, flush=True
                )
            self.sealed = True
            self._notify()

    def _pause(self, failures: int, longest: float, error: reports.SinkError) -> float:
        pause = cadence.backoff(failures, longest) * CHANCE.uniform(0.8, 1.2)
        return max(pause, min(error.retry_after or 0.0, 60.0))
