"""The command line against real pods: a log over a retry, and a job that is cancelled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

from ..support.jobs import Job, manifest
from ..support.kube import Kube
from ..support.platform import SYSTEM
from ..support.settings import image
from ..support.sources import SLEEP, in_phase

#: Prints 200 lines in each attempt; the first one fails then.
TALKS = """
    import os

    def main():
        number = int(os.environ["DASKJOB_ATTEMPT"])
        for line in range(200):
            print(f"attempt {number}: line {line}", flush=True)
        if number == 1:
            raise ValueError("the first attempt fails")
        return number
"""


def command(kube: Kube, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """`daskjob ARGUMENTS`, as a user of that namespace."""
    return subprocess.run(
        [sys.executable, "-m", "daskjob.cli", *arguments, "-n", kube.namespace],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | {"KUBECONFIG": kube.kubeconfig},
    )


def written(folder: Path, name: str, source: str, **spec: object) -> str:
    file = folder / "job.json"
    file.write_text(json.dumps(manifest(name, source, **spec)))
    return str(file)


def test_submit_and_follow_over_a_retry(kube: Kube, tmp_path: Path) -> None:
    """From before the first pod exists to the end: the lines of both attempts, none lost and none twice."""
    file = written(tmp_path, "talks", TALKS, backoffLimit=1, backoff={"initialSeconds": 1, "maximumSeconds": 1})
    done = command(kube, "submit", file, "--follow")
    assert done.returncode == 0, done.stderr
    printed = [line for line in done.stdout.splitlines() if line.startswith("attempt ")]
    assert printed == [f"attempt {number}: line {line}" for number in (1, 2) for line in range(200)]
    assert command(kube, "result", "talks").stdout == "2\n"
    first = command(kube, "logs", "talks", "--attempt", "1", "--tail", "300").stdout
    assert [line for line in first.splitlines() if line.startswith("attempt ")] == printed[:200]
    followed = command(kube, "logs", "talks", "--previous", "-f")
    assert (followed.returncode, followed.stdout.count("attempt 1: ")) == (0, 200), followed.stderr


def test_cancel_and_wait(kube: Kube, tmp_path: Path) -> None:
    submitted = command(kube, "submit", written(tmp_path, "sleeps", SLEEP, args=[600]))
    assert submitted.returncode == 0, submitted.stderr
    Job(kube, "sleeps").reaches("run", in_phase("Running"), 60)
    assert command(kube, "cancel", "sleeps").returncode == 0
    waited = command(kube, "wait", "sleeps", "--timeout", "60s")
    assert (waited.returncode, waited.stdout) == (5, "sleeps  cancelled\n"), waited.stderr
    assert command(kube, "result", "sleeps").returncode == 5


def test_the_dashboard_through_the_api_server(kube: Kube, tmp_path: Path) -> None:
    """Its web server listens on the loopback of a pod to which no other pod may connect."""
    submitted = command(kube, "submit", written(tmp_path, "sleeps", SLEEP, args=[600]))
    assert submitted.returncode == 0, submitted.stderr
    shown = subprocess.Popen(
        [sys.executable, "-m", "daskjob.cli", "dashboard", "sleeps", "-n", kube.namespace],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"KUBECONFIG": kube.kubeconfig},
    )
    try:
        assert shown.stdout is not None
        url = shown.stdout.readline().strip()
        assert url.endswith("/status"), shown.communicate(timeout=60)
        for page in ("health", "status", "info/main/workers.html", "status"):
            with urllib.request.urlopen(url.replace("status", page), timeout=60) as answer:
                assert answer.status == 200
        assert command(kube, "cancel", "sleeps").returncode == 0
        _, words = shown.communicate(timeout=60)
        assert shown.returncode == 5, words
        assert words.endswith("sleeps  cancelled\n")
    finally:
        shown.kill()


def test_doctor_tries_a_job(kube: Kube) -> None:
    done = command(kube, "doctor", "--operator-namespace", SYSTEM, "--image", image("dask-new"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("ok     a job: ran to its end, and was deleted\n")
    failed = command(
        kube, "doctor", "--operator-namespace", SYSTEM, "--image", "localhost/no/such:image", "--timeout", "90s"
    )
    assert failed.returncode == 3, failed.stdout
    assert "wrong  a job: failed: ImagePullFailed" in failed.stdout
