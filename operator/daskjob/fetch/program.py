"""What the operator's init containers run, and local runs: brings code into a folder, or says why not.

`--fetch ORDERS`, in JSON: `{kind, what, target, secret, credentials, work, seconds, commit, pathFile}`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any, TypeVar

from daskjob import wire
from daskjob.fetch.archive_file import Archive
from daskjob.fetch.fetch_problem import FINAL, TIMED_OUT, FetchProblem
from daskjob.fetch.packages import Packages
from daskjob.fetch.repository import Repository
from daskjob.fetch.source_secret import Credentials, read_credentials
from daskjob.results.opened_store import by_place

if TYPE_CHECKING:
    from daskjob.results.opened_store import StoreProblem

T = TypeVar("T")
#: Seconds before the second try, doubled with each further one up to the second number.
PAUSE, LONGEST_PAUSE = 1.0, 16.0
#: Seconds that a last word takes, after the work's time is over.
SPARE = 2.0


def run(orders: str) -> int:
    """Carries out the orders. Returns the exit code. The termination message has the commit, or what went wrong."""
    found = json.loads(orders)
    seconds = float(found["seconds"])
    try:
        _bound(seconds)
        until = time.monotonic() + seconds
        outcome = persist(lambda: _fetch(found, until), until, FetchProblem, FINAL)
    except FetchProblem as problem:
        message = problem.message
        if problem.reason == TIMED_OUT:
            message += f"; it may take {seconds:g} s, which grow with spec.startupDeadlineSeconds"
        return end(wire.failed(problem.reason, message))
    except Exception as error:
        # A disk that is full, an image that forbids what git needs.
        text = f"the code cannot be fetched {by_place('in this image', 'here')}: {type(error).__name__}: {error}"
        return end(wire.failed("SourceUnreachable", text))
    print(f"daskjob: {outcome}", flush=True)
    return end({"outcome": wire.SUCCEEDED, "result": {"type": "commit", "value": json.dumps(outcome[:1000])}})


def _bound(seconds: float) -> None:
    def late(*_: Any) -> None:
        raise FetchProblem(TIMED_OUT, "the server was too slow")

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds + SPARE)


def persist(
    work: Callable[[], T], until: float, problems: type[FetchProblem] | type[StoreProblem], final: Container[str]
) -> T:
    """Tries again, with pauses, what another try may mend, as long as there is time: until that monotonic second.
    `problems`: what `work` raises; `final`: reasons of those that stay."""
    pause = PAUSE
    while True:
        try:
            return work()
        except problems as problem:
            if problem.reason in final or time.monotonic() + pause >= until:
                raise
            print(f"daskjob: {problem.reason}: {problem}; trying again", file=sys.stderr, flush=True)
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _fetch(orders: dict[str, Any], until: float) -> str:
    work = orders["work"]
    _empty(work)
    secret = orders.get("secret") or ""
    credentials = read_credentials(secret, orders["credentials"]) if secret else Credentials()
    try:
        if orders["kind"] == "pip":
            _empty(orders["target"])
            return Packages(**orders["what"]).install(orders["target"], work, credentials, until)
        if orders["kind"] == "archive":
            archive = Archive(**orders["what"])
            _empty(orders["target"])
            archive.fetch(orders["target"], work, credentials, until)
            return archive.sha256
        repository = Repository(**orders["what"])
        commit: str | None = orders.get("commit")
        if commit is None:
            commit = repository.resolve(work, credentials, until)
        if orders.get("target"):
            _empty(orders["target"])
            repository.fetch(commit, orders["target"], work, credentials, until)
        return commit
    except FetchProblem as problem:
        raise FetchProblem(problem.reason, credentials.without_secrets(problem.message)) from None
    finally:
        _empty(work)


def _empty(folder: str) -> None:
    """Removes what is in a folder: the container may have run before."""
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def end(parts: dict[str, Any]) -> int:
    """Says how the work ended, `{outcome, result?, failure?}`, in the log and the termination message. Returns the exit
    code."""
    failure = parts.get("failure")
    if failure is not None:
        print(f"daskjob: {failure['reason']}: {failure['message']}", file=sys.stderr, flush=True)
    # Otherwise the kubelet takes the last lines of the log.
    with contextlib.suppress(OSError):
        wire.leave_termination_message(parts)
    return 0 if parts["outcome"] == wire.SUCCEEDED else 1
