"""User code that floods, forks, crashes and hoards, on real pods: its job ends, says what it was, leaves nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from ..conftest import make_namespace
from ..support.jobs import Job, apply, manifest, result_of
from ..support.kube import Kube
from ..support.operator import unharmed
from ..support.platform import Release
from ..support.sources import HOARD
from ..support.together import Together


@dataclass(frozen=True)
class Case:
    source: str
    args: list[Any] = field(default_factory=list)
    spec: dict[str, Any] = field(default_factory=dict)
    #: What the job must give …
    result: Any = None
    #: … or how it must fail: with class Application, whatever the exit code pretends.
    reason: str = ""
    #: A pattern that the failure's message must match.
    message: str = ""
    exit_code: int | None = None


FLOOD = """
    import sys
    from dask import delayed

    LINE = "x" * 16383 + "\\n"

    def shout(mebibytes):
        for _ in range(mebibytes * 64):
            sys.stdout.write(LINE)
        return mebibytes

    def main(mebibytes, of_a_task):
        return [shout(mebibytes), delayed(shout)(of_a_task)]
"""
#: Each leaves its parent, has a session of its own, and is deaf to every signal that one can be deaf to.
FORKS = """
    import os
    import signal
    import time

    def main(count):
        for _ in range(count):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
                        signal.signal(number, signal.SIG_IGN)
                    time.sleep(3600)
                os._exit(0)
        return count
"""


def leave(code: int) -> str:
    return f"import os\n\n\ndef main():\n    os._exit({code})\n"


CASES = {
    # The kubelet rotates what is printed; the operator never reads it.
    "prints 300 MiB": Case(FLOOD, [250, 50], result=[250, 50]),
    "leaves processes behind": Case(FORKS, [20], result=20),
    "os._exit(0)": Case(leave(0), reason="ExitedEarly", exit_code=0),
    "os._exit(7)": Case(leave(7), reason="ExitCode", message="exit code 7", exit_code=7),
    # The codes of the runner itself when it could not report, of SIGKILL and of SIGTERM.
    "os._exit(3)": Case(leave(3), reason="ExitCode", exit_code=3),
    "os._exit(143)": Case(leave(143), reason="ExitCode", exit_code=143),
    "segmentation fault": Case(
        "import ctypes\n\n\ndef main():\n    ctypes.string_at(0)\n", reason="Signal", message="SIGSEGV", exit_code=139
    ),
    "exceeds the runner's memory": Case(
        HOARD.replace("def hoard", "def main"),
        [3000],
        {"runner": {"resources": {"limits": {"memory": "256Mi"}}}},
        reason="RunnerOOMKilled",
        message=r"spec\.runner\.resources\.limits\.memory",
    ),
    "exceeds the scheduler's memory": Case(
        HOARD + "\n    def main(client, mebibytes):\n        return client.run_on_scheduler(hoard, mebibytes)\n",
        [3000],
        {"cluster": {"scheduler": {"resources": {"limits": {"memory": "384Mi"}}}}},
        reason="SchedulerOOMKilled",
        message=r"spec\.cluster\.scheduler\.resources\.limits\.memory",
    ),
    "closes every file": Case(
        "import os\n\n\ndef main():\n    os.closerange(3, 4096)\n    return 7\n", reason="ExitCode"
    ),
    # As the kubelet does it to a pod that is to stop; here nobody asked for that.
    "tells the supervisor to stop": Case(
        "import os, signal, time\n\n\ndef main():\n    os.kill(1, signal.SIGTERM)\n    time.sleep(600)\n",
        reason="RunnerStopped",
        message="SIGTERM",
    ),
}


def run(kube: Kube, name: str) -> Job:
    case = CASES[name]
    job = apply(kube, manifest("code", case.source, case.args, **case.spec))
    job.end(90)
    job.is_clean()
    return job


@pytest.fixture(scope="module")
def written(request: pytest.FixtureRequest, release: Release) -> Iterator[Together[Job]]:
    here = [item.callspec.params["name"] for item in request.session.items if item.path == request.path]
    together = Together(partial(make_namespace, release.kube), {name: partial(run, name=name) for name in here})
    with unharmed(release):
        yield together
    together.close()


@pytest.mark.parametrize("name", CASES)
def test_user_code(request: pytest.FixtureRequest, written: Together[Job], name: str) -> None:
    case, job = CASES[name], written.result(name, request)
    status = job.status()
    assert [each["number"] for each in status["attempts"]] == [1], "an application's failure is not tried again"
    if case.reason:
        failure = status["failure"]
        assert (failure["reason"], failure["class"]) == (case.reason, "Application"), failure
        assert re.search(case.message, failure["message"]), failure
        assert failure.get("exitCode") == case.exit_code or case.exit_code is None, failure
    else:
        assert result_of(status) == case.result
    [runner] = job.pods("runner")
    # It ends, and stays.
    assert runner["status"]["phase"] == ("Failed" if case.reason else "Succeeded")
