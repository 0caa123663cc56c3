"""Starts the process that keeps what became of an attempt, and ends it in time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from typing import Any, Callable, Dict, Optional

from daskjob.wire.jobfile import LOG_VARIABLE, RECORDING_VARIABLE, JobFile

#: Seconds that it may take, after an end of the graph, after a request to cancel it, and once Kubernetes stops the pod
#: (`manifests.runner` gives the pod so much more time); and what of it may go into questions to the scheduler.
BUDGET, CANCEL_BUDGET, STOP_BUDGET = 60.0, 40.0, 20.0
ASKING = 0.5
#: The same of a local run, whose user waits for it.
LOCAL_STOP_BUDGET = 4.0
#: What that process leaves in the folder of the recording: what the report says of it.
ANSWER = "saved.json"
#: The reason of a report that nobody could keep (`wire.SAVE_REASONS`).
LOST = "ReportLost"


class Saving:
    """Of one attempt. `budget`, `cancel_budget`, `stop_budget`: as above."""

    budget, cancel_budget = BUDGET, CANCEL_BUDGET

    def __init__(self, job: JobFile) -> None:
        self._keeps = job.report_orders is not None
        self._folder = os.environ[RECORDING_VARIABLE]
        self.stop_budget = STOP_BUDGET if self._keeps else LOCAL_STOP_BUDGET

    def run(self, end: Dict[str, Any], status: Dict[str, Any], limit: Callable[[], float]) -> Optional[Dict[str, str]]:
        """What the report says of it: `{location, message?}` or `{reason, message}`; None: nothing was to be kept.
        `end`, `status`: what is reported; `limit`: when it must be over, in monotonic seconds, asked again and again.
        """
        message = "it was not saved in time: check report.store, and that the network lets the runner connect to it"
        answer = {"reason": LOST, "message": message}
        try:
            if self._wait(self._start(end, status, limit()), limit):
                with open(os.path.join(self._folder, ANSWER), encoding="utf-8") as file:
                    answer = dict(json.load(file))
        except (OSError, ValueError) as error:
            answer = {"reason": LOST, "message": f"it was not saved: {type(error).__name__}: {error}"}
        if not self._keeps:
            return None
        if "reason" in answer:
            words = f"daskjob: the report is not saved: {answer['reason']}: {answer.get('message', '')}"
            print(words, file=sys.stderr, flush=True)
        return answer

    def _start(self, end: Dict[str, Any], status: Dict[str, Any], until: float) -> int:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self._folder, ANSWER))
        path = os.path.join(self._folder, "orders.json")
        failure = end.get("failure") or {}
        orders = {
            "folder": self._folder,
            "log": os.environ.get(LOG_VARIABLE),
            "seconds": max(1.0, ASKING * (until - time.monotonic())),
            "end": {"outcome": end.get("outcome"), "reason": failure.get("reason"), "message": failure.get("message")},
            "status": status,
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(orders, file)
        program = [sys.executable, "-u", sys.argv[0], "--save", path]
        return os.posix_spawn(sys.executable, program, os.environ, setpgroup=0)

    def _wait(self, pid: int, limit: Callable[[], float]) -> bool:
        """Whether the process has ended by itself."""
        while time.monotonic() < limit():
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                if status:
                    raise OSError(f"its process ended with wait status {status}")
                return True
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return False
